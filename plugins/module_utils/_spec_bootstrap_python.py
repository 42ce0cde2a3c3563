# The options of bootstrap_python, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC", "REQUIREMENTS"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "file": {"type": "path"},
    "url": {"type": "str"},
    "checksum": {"type": "str"},
    "dest": {"type": "path", "default": "/opt/circleci_server_ops/python"},
}
REQUIREMENTS: Dict[str, Any] = {
    "mutually_exclusive": [("file", "url")],
    "required_one_of": [("file", "url")],
    "required_by": {"url": ("checksum",)},
}
