# The options of circleci_health_info, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "services": {"type": "list", "elements": "str", "default": []},
    "skip": {"type": "list", "elements": "str", "default": []},
    "expected": {"type": "list", "elements": "str", "default": []},
    "ldap": {"type": "bool"},
    "vm_service": {"type": "bool"},
    "s3": {"type": "bool"},
    "fail_severity": {
        "type": "str",
        "choices": ["none", "minor", "some_jobs", "data_loss"],
        "default": "some_jobs",
    },
    "disks": {"type": "list", "elements": "str", "default": ["/", "/var/lib/docker", "/data"]},
    "disk_percent": {"type": "float", "default": 90},
    "inode_percent": {"type": "float", "default": 90},
    "ready_agent_path": {"type": "str", "default": "/"},
    "timeout": {"type": "float", "default": 10},
    "request_timeout": {"type": "float", "default": 5},
    "wait": {"type": "float", "default": 0},
}
