# The options of print_table, in one place for action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "title": {"type": "str", "default": ""},
    "columns": {"type": "list", "elements": "str", "default": []},
    "rows": {"type": "list", "elements": "raw", "default": []},
    "notes": {"type": "list", "elements": "str", "default": []},
    "width": {"type": "int", "default": 100},
    "format": {"type": "str", "choices": ["table", "json"], "default": "table"},
    "document": {"type": "raw"},
}
