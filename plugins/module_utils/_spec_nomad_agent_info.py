# The options of nomad_agent_info, in one place for module and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

ARGUMENT_SPEC = {
    "binary": {"type": "path", "default": "/usr/bin/nomad"},
    "config": {"type": "path", "default": "/etc/nomad/config.hcl"},
    "servers": {"type": "list", "elements": "str", "default": []},
    "servers_timeout": {"type": "int", "default": 120},
    "reserved_cores": {"type": "int", "default": 0},
    "address": {"type": "str", "default": "http://127.0.0.1:4646"},
    "ready_timeout": {"type": "int", "default": 0},
}
