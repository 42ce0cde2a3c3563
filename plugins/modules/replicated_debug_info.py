#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module replicated_debug_info: what the guide's chapter on debugging Replicated asks for, in a folder, no secrets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replicated_debug_info
short_description: Gather what is needed to debug Replicated, without secrets
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Runs the reading parts of the guide's five steps (L1978-2267) on a services host, versions, services, applications,
    logs and containers, and writes what they print to a folder of the controller, a file a step, mode 0600.
  - Restarts nothing (step 2 of the guide); C(restart.yml) with scope C(daemon) does.
  - Secrets are taken out on the host, before anything leaves it. These are the values of hidden settings and
    O(secrets), private keys, credentials in URLs, and values whose names say that they are secret (C(...token=),
    C("password":)). Read the folder before you send it to somebody all the same.
extends_documentation_fragment:
  - circleci_server.ops.attributes.info
options:
  dest:
    description: Folder on the controller, made with mode 0700. Its files are replaced.
    type: path
    required: true
  log_directory:
    description: Replicated's logs on the host, a file or a directory (guide L2029 does not say which).
    type: path
    default: /var/log/replicated
  log_lines:
    description: So many lines from the end of each log.
    type: int
    default: 2000
  secrets:
    description: Further values that must not be shown; of fewer than 6 characters they are passed over.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for each command.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Gather what support asks for
  circleci_server.ops.replicated_debug_info:
    dest: "{{ playbook_dir }}/debug/{{ inventory_hostname }}"
"""

RETURN = r"""
files:
  description: The files that were written, on the controller.
  type: list
  elements: str
  returned: success
notes:
  description: What a person should know, such as that Replicated asks for a login.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_debug import gather
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_debug_info import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **gather(module.params))
    except OpsError as error:
        module.fail_json(**error.as_result())


if __name__ == "__main__":
    main()
