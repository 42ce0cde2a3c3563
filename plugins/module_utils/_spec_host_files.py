# The options of host_files, in one place for module, action plugin and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict


def _file(secret: bool) -> Dict[str, Any]:
    """The suboptions of one file; they are the same for both lists, but for what must not be shown."""
    return {
        "dest": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent", "directory"], "default": "present"},
        "content": {"type": "raw", "no_log": secret},
        "content_base64": {"type": "str", "no_log": secret},
        "template": {"type": "str"},
        "source": {"type": "str"},
        "mode": {"type": "raw"},
        "user": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "compare": {"type": "str", "choices": ["text", "json", "hcl", "systemd", "assignments"], "default": "text"},
        "merge": {"type": "bool", "default": False},
        "validate": {
            "type": "dict",
            "options": {
                "argv": {"type": "list", "elements": "str", "required": True},
                "accept": {"type": "str"},
                "refuse": {"type": "str"},
                "timeout": {"type": "int", "default": 30},
                "description": {"type": "str"},
            },
        },
        "owes": {
            "type": "dict",
            "options": {
                "scope": {"type": "str", "choices": ["unit", "container", "replicated"], "default": "unit"},
                "target": {"type": "str", "required": True},
                "reason": {"type": "str"},
                "when": {"type": "str", "choices": ["now", "with_next"], "default": "now"},
            },
        },
    }


ONE_CONTENT = ("content", "content_base64", "template", "source")


def _files(secret: bool) -> Dict[str, Any]:
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        # The names of secret files may be shown, what is in them may not.
        "no_log": False,
        "options": _file(secret),
        "mutually_exclusive": [ONE_CONTENT],
        "required_if": [("state", "present", ONE_CONTENT, True)],
    }


ARGUMENT_SPEC: Dict[str, Any] = {
    "files": _files(secret=False),
    "secret_files": _files(secret=True),
    "owner": {"type": "str", "default": "host_files"},
    "lock_timeout": {"type": "int", "default": 600},
}
