# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The runner behind the Makefile: prepares the tools, runs plans of parts, and counts what passed."""
