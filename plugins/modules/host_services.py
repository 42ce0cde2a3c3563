#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_services: systemd units are enabled and started, and the restarts that they owe are settled."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_services
short_description: Enable and start systemd units, and settle the restarts that they owe
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Brings all units of the call to the wanted state, and restarts those of O(settle) for which the pending record of
    the host names a restart that is due.
  - A debt is struck off without a restart when the unit does not run, or when its process was started after the write
    that caused the debt. When that cannot be known the unit is restarted.
  - systemd reads its unit files again (C(daemon-reload)) when it says that those of a named unit changed, before
    anything is started.
  - After a start or restart the unit must be active; otherwise the task fails with the last lines of its journal, and
    what is owed stays recorded.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  units:
    description: The units, each named once, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit; C(.service) may be left out.
        type: str
        required: true
      enabled:
        description: Start the unit at boot, or do not. Without it that stays as it is.
        type: bool
      state:
        description:
          - V(unmanaged) leaves the unit as it is.
          - A unit whose start conditions are not met (a time daemon in a container) is no error; it is listed in
            RV(skipped_start).
        type: str
        choices: [started, stopped, unmanaged]
        default: started
  settle:
    description:
      - Units that are restarted, in this order, when the pending record says that a restart is due now. What may wait
        for the next restart of the unit is settled with it and starts none by itself.
    type: list
    elements: str
    default: []
  restart:
    description: V(false) restarts nothing; what is owed stays recorded and is returned as RV(owed).
    type: bool
    default: true
  daemon_reload:
    description: Let systemd read its unit files again in any case.
    type: bool
    default: false
  refuse_with_containers:
    description:
      - Units that are neither stopped nor restarted while containers run (C(docker ps)); the task fails and names the
        containers. In check mode that is a warning.
    type: list
    elements: str
    default: []
  would_owe:
    description:
      - What earlier tasks of this run returned as C(owed). Only read in check mode, where these tasks recorded nothing,
        so that the restarts that would follow are told.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds for one start, stop or restart.
    type: int
    default: 300
  lock_timeout:
    description: Seconds to wait for another run that works on the host.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Run the engine, and restart it if its configuration changed
  circleci_server.ops.host_services:
    units:
      - name: docker
        enabled: true
    settle: [docker]
    refuse_with_containers: [docker]
    would_owe: "{{ docker_files.owed }}"
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed, a sentence each.
  type: list
  elements: str
  returned: success
units:
  description: For each unit its C(load_state), C(file_state), C(active_state) and C(sub_state).
  type: dict
  returned: success
restarted:
  description: Units that were restarted.
  type: list
  elements: str
  returned: success
started:
  description: Units that were started.
  type: list
  elements: str
  returned: success
stopped:
  description: Units that were stopped.
  type: list
  elements: str
  returned: success
skipped_start:
  description: Units that should run and do not because a condition of theirs is not met on this host.
  type: list
  elements: str
  returned: success
owed:
  description: What stays owed of the units of O(settle) - C(scope), C(target), C(owner), C(reason), C(when), C(since).
  type: list
  elements: dict
  returned: success
settled:
  description: What was owed and is settled now.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._services import settle_services
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_services import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = settle_services(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
