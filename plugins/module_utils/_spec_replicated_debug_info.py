# The options of replicated_debug_info, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "dest": {"type": "path", "required": True},
    "log_directory": {"type": "path", "default": "/var/log/replicated"},
    "log_lines": {"type": "int", "default": 2000},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "timeout": {"type": "int", "default": 30},
}
