# The options of replicated_restart, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "scope": {
        "type": "str",
        "choices": ["auto", "daemon", "app", "apply_config", "docker", "containers"],
        "default": "auto",
    },
    "restart": {"type": "bool", "default": True},
    "would_owe": {"type": "list", "elements": "dict", "default": []},
    "when_builds": {"type": "str", "choices": ["proceed", "wait", "refuse"], "default": "proceed"},
    "builds_timeout": {"type": "int", "default": 3600},
    "nomad_url": {"type": "str", "default": "http://127.0.0.1:4646"},
    "timeout": {"type": "int", "default": 1800},
    "stop_timeout": {"type": "int", "default": 10},
    "transition_timeout": {"type": "int", "default": 30},
    "looks": {"type": "int", "default": 3},
    "look_interval": {"type": "float", "default": 0.25},
    "health_checks": {
        "type": "list",
        "elements": "dict",
        "default": [{"port": 80, "path": "/health-check", "tls": False}],
        "options": {
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": "/health-check"},
            "tls": {"type": "bool", "default": False},
        },
    },
    "dependents": {"type": "bool", "default": True},
    "replicated_units": {
        "type": "list",
        "elements": "str",
        "default": ["replicated-ui", "replicated", "replicated-operator"],
    },
    "service_manager": {"type": "str", "choices": ["auto", "systemd", "service"], "default": "auto"},
    "lock_timeout": {"type": "int", "default": 600},
    # Between the two sides of the module; the action fills it.
    "handover": {"type": "dict", "default": {}},
}
