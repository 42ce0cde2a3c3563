# The options of host_docker_network, in one place for module and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "driver": {"type": "str", "default": "bridge"},
    "driver_options": {"type": "dict", "default": {}},
    "lock_timeout": {"type": "int", "default": 600},
}
