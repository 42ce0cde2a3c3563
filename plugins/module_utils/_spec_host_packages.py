# The options of host_packages, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "packages": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str", "default": ""},
            "default_version": {"type": "str", "default": ""},
            "hold": {"type": "bool"},
            "file": {"type": "str", "default": ""},
        },
    },
    "update_lists": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "recommends": {"type": "bool", "default": False},
    "lock_timeout": {"type": "int", "default": 600},
    "timeout": {"type": "int", "default": 1800},
    # Between the two sides of the module; the action fills it.
    "handover": {"type": "dict", "default": {}},
}
