# The options of host_services, in one place for module and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped", "unmanaged"], "default": "started"},
        },
    },
    "settle": {"type": "list", "elements": "str", "default": []},
    "restart": {"type": "bool", "default": True},
    "daemon_reload": {"type": "bool", "default": False},
    "refuse_with_containers": {"type": "list", "elements": "str", "default": []},
    "would_owe": {"type": "list", "elements": "dict", "default": []},
    "timeout": {"type": "int", "default": 300},
    "lock_timeout": {"type": "int", "default": 600},
}
