# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The gates that are ours: each is a command, `python -m tests.gates.NAME`, that ends with 0 or tells what is wrong."""
