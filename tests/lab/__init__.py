"""The lab: whole hosts in containers, on which the demonstration and the tests run (docs: tests/lab/README.md)."""
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
