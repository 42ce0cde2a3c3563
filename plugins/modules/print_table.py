#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module print_table: its documentation; the work is done on the controller by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: print_table
short_description: Print a table that one can read, in a terminal and in a log
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Prints rows as aligned columns, whose longest cells are wrapped to the width. Runs on the controller and changes
    nothing.
  - The table goes to standard error, once and as it is (and to Ansible's own log file, where C(log_path) is set).
    Standard output belongs to the callback - there C(json) must stay JSON, and the default callback would show the
    lines quoted, as a list.
  - Colours and control characters are never printed; what cells bring of them is replaced.
extends_documentation_fragment:
  - circleci_server.ops.attributes.info
options:
  title:
    description: A line above the table.
    type: str
    default: ""
  columns:
    description:
      - Heads of the columns. For rows that are dictionaries these are the keys that are shown. Without it the keys of
        the first row are taken, or no head is printed.
    type: list
    elements: str
    default: []
  rows:
    description:
      - The rows, each a list of cells or a dictionary. A cell that is a list is joined by commas, an unset one is
        empty.
    type: list
    elements: raw
    default: []
  notes:
    description: Lines below the table, wrapped to the width.
    type: list
    elements: str
    default: []
  width:
    description: Characters of a line, at least 20. A table whose columns cannot become narrow enough is wider.
    type: int
    default: 100
  format:
    description: V(json) prints a JSON document instead, with O(title), O(columns), O(rows) and O(notes).
    type: str
    choices: [table, json]
    default: table
  document:
    description: What V(json) of O(format) prints in their place.
    type: raw
"""

EXAMPLES = r"""
- name: Show who does what
  circleci_server.ops.print_table:
    title: Hosts
    columns: [host, role]
    rows:
      - [services, application]
      - {host: nomad-client-1, role: builds}
    notes: ["2 hosts"]
"""

RETURN = r"""
lines:
  description: What was printed, line by line.
  type: list
  elements: str
  returned: success
"""
