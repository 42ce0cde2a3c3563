# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup catalogue: the collection's data on containers and ports of an installation, for roles."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue
short_description: Containers, override directories and ports of CircleCI Server
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Gives the rows of the collection's catalogue, which is data of the operations guide and of the vendor's public
    documentation. Nothing is read from a host.
options:
  _terms:
    description:
      - Which rows. V(containers) are all containers. V(override_directories) are the directories below
        C(/etc/circleconfig). V(health) are the containers with a health endpoint. V(ports) are the ports between kinds
        of hosts. V(installation_readers) are the names of the containers that read
        C(/etc/circle-installation-customizations).
    type: list
    elements: str
    choices: [containers, override_directories, health, ports, installation_readers]
    required: true
seealso:
  - module: circleci_server.ops.circleci_customization
"""

EXAMPLES = r"""
- name: Show the containers whose failure loses data
  ansible.builtin.debug:
    msg: >-
      {{ query('circleci_server.ops.catalogue', 'containers')
         | selectattr('severity', 'eq', 'data_loss') | map(attribute='name') }}

- name: Show the ports that Nomad clients need on the services host
  ansible.builtin.debug:
    msg: >-
      {{ query('circleci_server.ops.catalogue', 'ports')
         | selectattr('from_kind', 'eq', 'nomad_clients') | selectattr('to_kind', 'eq', 'services') }}
"""

RETURN = r"""
_raw:
  description:
    - One list of the rows of all terms. Use C(query), or C(lookup) with C(wantlist=true).
    - A container has C(name), C(aliases), C(severity), C(depends_on), C(dependents), C(runs_once), C(condition),
      C(ports), C(health), C(override_directories) and more. A directory has C(directory) and C(container). A health
      endpoint has C(name), C(port) and C(path). A port has C(from_kind), C(to_kind), C(protocol), C(first), C(last),
      C(purpose), C(source) and C(probed).
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue


def _containers() -> list[Any]:
    return [catalogue.as_row(container) for container in catalogue.CONTAINERS]


def _override_directories() -> list[Any]:
    directories = catalogue.override_directories()
    return [{"directory": name, "container": container.name} for name, container in directories.items()]


def _health() -> list[Any]:
    endpoints = catalogue.health_endpoints()
    return [{"name": name, "port": health.port, "path": health.path} for name, health in endpoints.items()]


def _ports() -> list[Any]:
    return [dict(port._asdict()) for port in catalogue.PORTS]


ROWS = {
    "containers": _containers,
    "override_directories": _override_directories,
    "health": _health,
    "ports": _ports,
    "installation_readers": catalogue.services_reading_installation_file,
}


class LookupModule(LookupBase):
    """Rows of the catalogue by kind."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        rows: list[Any] = []
        for term in terms:
            if term not in ROWS:
                raise AnsibleError(f"catalogue: {term!r} is none of {', '.join(ROWS)}.")
            rows.extend(ROWS[term]())
        return rows
