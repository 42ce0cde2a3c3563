#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module circleci_container_restart: settles the restarts that this host owes to containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: circleci_container_restart
short_description: Restart the containers that the pending record names
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Modules that change what a container reads at its start record its restart on the host. This module restarts these
    containers by one C(docker restart), in the order of their start, and strikes them off when they run again.
  - Only a restart that is due now starts one. One that can wait is settled together with it.
  - No restart is needed for a container that was started since the change, for one that does not run, and for a
    migrator, which runs at the application's start and ends. A name that no container of this host has is reported.
    All these are struck off.
  - Without Docker on the host nothing is restarted, everything stays owed, and that is no error.
extends_documentation_fragment:
  - circleci_server.ops.attributes
attributes:
  diff_mode:
    support: none
options:
  restart:
    description: Whether to restart. V(false) only says what is owed.
    type: bool
    default: true
  names:
    description: Settle only these containers, named in any spelling of the operations guide. By default all.
    type: list
    elements: str
  would_owe:
    description:
      - What earlier tasks of this run returned as C(owed). Only read in check mode, where these tasks recorded nothing,
        so that the restarts that would follow are told.
    type: list
    elements: dict
    default: []
  stop_timeout:
    description: Seconds that Docker gives each container to stop before it kills it.
    type: int
    default: 10
  lock_timeout:
    description: Seconds to wait for another run's lock on the host.
    type: int
    default: 600
seealso:
  - module: circleci_server.ops.circleci_customization
"""

EXAMPLES = r"""
- name: Restart what customizations have changed
  circleci_server.ops.circleci_container_restart:

- name: Show what is owed
  circleci_server.ops.circleci_container_restart:
    restart: false
  register: owed
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) done, a sentence each.
  type: list
  elements: str
  returned: always
restarted:
  description: Containers that were (or would be) restarted, by the name that Docker gives them.
  type: list
  elements: str
  returned: always
not_restarted:
  description: Containers that were struck off without a restart, each with the reason.
  type: dict
  returned: always
absent:
  description: Names that were struck off because no container of this host has them.
  type: list
  elements: str
  returned: always
owed:
  description: The entries for containers that stay on the pending record.
  type: list
  elements: dict
  returned: always
seconds:
  description: How long the restarts took.
  type: float
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._container_restart import restart_containers
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_container_restart import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = restart_containers(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
