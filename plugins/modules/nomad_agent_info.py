#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module nomad_agent_info: reads the Nomad client of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nomad_agent_info
short_description: Read the Nomad client of a host
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Tells the installed version, what the configuration says, whether the servers answer, and which daemon keeps the
    time.
  - With O(ready_timeout) it waits until the node of this host is C(ready) in the cluster, by a blocking query.
  - Needs Nomad's own HTTP port on the host only for O(ready_timeout). No proxy of the environment is used.
extends_documentation_fragment:
  - circleci_server.ops.attributes.info
options:
  binary:
    description: Path of the Nomad binary.
    type: path
    default: /usr/bin/nomad
  config:
    description: Path of the client's configuration. A file that is missing or cannot be read as HCL counts as empty.
    type: path
    default: /etc/nomad/config.hcl
  servers:
    description:
      - The servers that must be reachable from this host, each as C(ADDRESS:PORT).
      - Fails when none of them accepts a connection within O(servers_timeout). In check mode each is tried once, and
        a silent one is a warning.
    type: list
    elements: str
    default: []
  servers_timeout:
    description: Seconds to keep trying the servers.
    type: int
    default: 120
  reserved_cores:
    description: How many cores are kept from builds, for RV(reserved_cpu).
    type: int
    default: 0
  address:
    description: The agent's HTTP address as seen from the host itself.
    type: str
    default: http://127.0.0.1:4646
  ready_timeout:
    description: Seconds to wait until the node is C(ready); V(0) does not wait.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Look at the client
  circleci_server.ops.nomad_agent_info:
    servers: ["10.0.0.10:4647"]
  register: nomad

- name: Wait until it is ready
  circleci_server.ops.nomad_agent_info:
    ready_timeout: 120
"""

RETURN = r"""
installed_version:
  description: The version of the binary, empty when there is none.
  type: str
  returned: always
datacenter:
  description: The datacenter that the configuration names, empty when it names none.
  type: str
  returned: always
reserved_cpu:
  description:
    - The MHz that O(reserved_cores) mean on this host.
    - What is configured stays while it still means that many cores, since the reported clock varies.
  type: int
  returned: always
time_sync_unit:
  description: The unit that keeps this host's time, empty when none is installed.
  type: str
  returned: always
node:
  description: The node in the cluster, with id, name, datacenter, node_class, status, eligibility and drain.
  type: dict
  returned: when O(ready_timeout) is given
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._nomad_agent import look, wait_ready
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_nomad_agent_info import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = look(module.params, check=module.check_mode)
        if module.params["ready_timeout"]:
            result.update(wait_ready(module.params["address"], module.params["ready_timeout"]))
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
