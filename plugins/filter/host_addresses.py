# Filter host_addresses: the addresses at which hosts of the inventory reach each other.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_addresses
short_description: The addresses at which hosts of the inventory reach each other
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - For each host its C(circleci_server_address), else its C(ansible_host), else its name.
  - A role's default does not reach another host's variables, so the fallback stands here.
positional: _hostvars
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  _hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The Nomad servers of this inventory
  ansible.builtin.debug:
    msg: "{{ groups['circleci_services'] | circleci_server.ops.host_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The addresses, in the order of the names.
  type: list
  elements: str
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_inventory import address


def host_addresses(names: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The address of each named host."""
    return [address(hostvars[name], name) for name in names]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"host_addresses": host_addresses}
