# Options of the module circleci_customization. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Dict[str, Any]] = {
    "services": {"type": "dict", "default": {}},
    "secret_services": {"type": "dict", "default": {}, "no_log": True},
    "installation": {"type": "dict", "default": {}},
    "secret_installation": {"type": "dict", "default": {}, "no_log": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "owner": {"type": "str", "default": "administrator"},
    "purge": {"type": "str", "default": "none", "choices": ["none", "owner"]},
    "config_dir": {"type": "path", "default": "/etc/circleconfig"},
    "installation_file": {"type": "path", "default": "/etc/circle-installation-customizations"},
    "allow_unknown_services": {"type": "bool", "default": False},
    "unreadable_lines": {"type": "str", "default": "refuse", "choices": ["refuse", "keep"]},
    "allow_short_secrets": {"type": "bool", "default": False, "no_log": False},
    "secret_file_mode": {"type": "str", "default": "0600", "no_log": False},
    "restart_when": {"type": "str", "default": "now", "choices": ["now", "with_next"]},
    "lock_timeout": {"type": "int", "default": 600},
}
