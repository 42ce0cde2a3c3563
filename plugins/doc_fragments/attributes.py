# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that modules share: what they support of check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    # For modules that change a host.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and say what would change without changing it.
  diff_mode:
    support: full
    description: Says what has changed (or would change in C(check_mode)) in diff mode. Secrets are masked.
  idempotent:
    support: full
    description: A second run with the same options, and nothing changed in between, changes nothing.
"""

    # For modules that only read. To be used in place of the one above, not beside it.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and say what would change without changing it.
    details:
      - The module only reads.
  diff_mode:
    support: none
    description: Says what has changed (or would change in C(check_mode)) in diff mode. Secrets are masked.
    details:
      - The module only reads.
  idempotent:
    support: full
    description: A second run with the same options, and nothing changed in between, changes nothing.
    details:
      - The module only reads.
"""
