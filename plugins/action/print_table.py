# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""print_table: a table on standard error, once, whatever callback writes standard output."""

from __future__ import annotations

__all__ = ["ActionModule"]

import json
from typing import Any

from ansible.utils.display import Display

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_print_table import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction
from ansible_collections.circleci_server.ops.plugins.plugin_utils._table import cells, render

LEAST_WIDTH = 20


class ActionModule(OpsAction):
    """Why standard error: the callback owns standard output. The default one shows a result's lines as a quoted list,
    with json and its like anything else there breaks the document; standard error is right with all of them, and goes
    to the same terminal and, through Display, to log_path.
    """

    ARGUMENT_SPEC = ARGUMENT_SPEC
    TRANSFERS_FILES = False

    def act(self, arguments: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        if arguments["width"] < LEAST_WIDTH:
            raise OpsError(f"must be at least {LEAST_WIDTH}", "width", arguments["width"], "100 is the default")
        text = _document(arguments) if arguments["format"] == "json" else _table(arguments)
        # One call, so that the tables of hosts that run at the same time do not mix.
        Display().display(text, stderr=True)
        return {"changed": False, "lines": text.split("\n")}


def _table(arguments: dict[str, Any]) -> str:
    try:
        heads, rows = cells(arguments["columns"], arguments["rows"])
    except ValueError as error:
        raise OpsError(
            str(error), option="rows", remedy="Give each row as a list of cells or as a dictionary"
        ) from None
    return render(arguments["title"], heads, rows, arguments["notes"], arguments["width"])


def _document(arguments: dict[str, Any]) -> str:
    document = arguments["document"]
    if document is None:
        document = {name: arguments[name] for name in ("title", "columns", "rows", "notes")}
    return json.dumps(document, indent=2, ensure_ascii=False)
