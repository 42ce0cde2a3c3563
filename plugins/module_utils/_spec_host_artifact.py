# The options of host_artifact, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "dest": {"type": "path", "required": True},
    "file": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "checksum": {"type": "str", "default": ""},
    "checksum_url": {"type": "str", "default": ""},
    "member": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0755"},
    "user": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "version": {"type": "str", "default": ""},
    "default_version": {"type": "str", "default": ""},
    "version_argv": {"type": "list", "elements": "str", "default": []},
    "version_regex": {"type": "str", "default": r"v?([0-9]+\.[0-9]+[0-9A-Za-z.+~-]*)"},
    "replace": {
        "type": "str",
        "choices": ["when_version_differs", "when_content_differs", "never"],
        "default": "when_version_differs",
    },
    "owes": {
        "type": "dict",
        "options": {
            "scope": {"type": "str", "choices": ["unit", "container"], "default": "unit"},
            "target": {"type": "str", "required": True},
            "reason": {"type": "str"},
            "when": {"type": "str", "choices": ["now", "with_next"], "default": "now"},
        },
    },
    "owner": {"type": "str", "default": "host_artifact"},
    "timeout": {"type": "int", "default": 300},
    "lock_timeout": {"type": "int", "default": 600},
    # Between the two sides of the module; the action fills it.
    "handover": {"type": "dict", "default": {}},
}
