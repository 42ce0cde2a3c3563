# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Everything that only the checkout needs: the lab, the tests, the gates, and the runner that starts them."""
