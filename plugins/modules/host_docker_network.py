#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_docker_network: a Docker network exists on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_docker_network
short_description: Ensure a Docker network on a host
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Creates the network when it is missing. Uses the C(docker) program of the host, no Python SDK.
  - A network that exists with another driver or other options is refused, since running builds may be connected to it.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  name:
    description: Name of the network.
    type: str
    required: true
  driver:
    description: Network driver.
    type: str
    default: bridge
  driver_options:
    description: Options of the driver, compared one by one. Options that are not named here are left alone.
    type: dict
    default: {}
  lock_timeout:
    description: Seconds to wait for another run's lock on the host.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Create the network of privileged builds
  circleci_server.ops.host_docker_network:
    name: ci-privileged
    driver_options:
      com.docker.network.bridge.name: ci-privileged
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._docker_network import ensure_network
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_docker_network import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure_network(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
