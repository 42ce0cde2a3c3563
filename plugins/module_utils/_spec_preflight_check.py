# The options of preflight_check, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

_CHECK = {"type": "str", "choices": ["refuse", "warn"], "default": "refuse"}
_SIZE = {"cores": {"type": "float"}, "memory_gb": {"type": "float"}}
_SIZE_AND_DISK = dict(_SIZE, disk_gb={"type": "float"})

ARGUMENT_SPEC: Dict[str, Any] = {
    "phase": {"type": "str", "required": True, "choices": ["look", "probe", "gate", "rows"]},
    "release": {"type": "str", "default": ""},
    "hostname": {"type": "str", "default": ""},
    "github_host": {"type": "str", "default": ""},
    "github_check": {"type": "str", "choices": ["refuse", "warn", "none"], "default": "refuse"},
    "vm_provider": {"type": "str", "default": "none"},
    "daily_active_users": {"type": "int", "default": 49},
    "services_minimum": {"type": "dict", "options": _SIZE_AND_DISK},
    "client_minimum": {"type": "dict", "options": _SIZE_AND_DISK},
    "client_maximum": {"type": "dict", "options": _SIZE},
    "disk_path": {"type": "path", "default": "/var/lib"},
    "disk_free_gb": {"type": "float", "default": 5},
    "supported_os": {"type": "dict", "default": {}},
    "max_skew": {"type": "float", "default": 5},
    "probe_timeout": {"type": "float", "default": 5},
    "listen_seconds": {"type": "int", "default": 120},
    "versions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "program": {"type": "str", "required": True, "choices": ["docker", "nomad", "replicated"]},
            "option": {"type": "str", "required": True},
            "value": {"type": "str", "default": ""},
            "check_option": {"type": "str", "required": True},
            "check": _CHECK,
        },
    },
    "binary_file": {"type": "path", "default": ""},
    "binary_checksum": {"type": "str", "default": ""},
    "extra_only": {"type": "list", "elements": "str", "default": []},
    "rows_format": {"type": "str", "choices": ["table", "json", "nftables"], "default": "table"},
    "rows_file": {"type": "path", "default": ""},
    "work": {"type": "dict", "default": {}},
}
