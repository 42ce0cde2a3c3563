# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Benchmarks: our calls beside what a user would do instead, on the converged lab, in one run (make bench)."""
