# Options of the module circleci_container_restart. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Dict[str, Any]] = {
    "restart": {"type": "bool", "default": True},
    "names": {"type": "list", "elements": "str"},
    "would_owe": {"type": "list", "elements": "dict", "default": []},
    "stop_timeout": {"type": "int", "default": 10},
    "lock_timeout": {"type": "int", "default": 600},
}
