#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module circleci_health_info: how every service of a services host is, and what the probable cause is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: circleci_health_info
short_description: See how every service of a services host is, and what the probable cause is
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Asks everything at the same time and takes about as long as the slowest answer - the documented health endpoints
    (guide L1400-1412), the ready agent, Nomad's leader, the ports of the data stores, the console's port, Replicated,
    and the disks. One C(docker container ls --all) with C(docker container inspect) tells of the others.
  - Containers are held against the guide's table and listing - what is missing, unexpected, restarting, ended or was
    killed for memory. A migrator that ended with 0 is healthy, and one that is gone is normal (guide L2366).
  - Names the probable causes - the failing services none of whose start-up dependencies fails. The guide prints
    start-up dependencies only, so failing data stores are named beside them.
  - Fails for a wrong option only. What is sick is a result, which role C(health) turns
    into a verdict.
  - Requests go to this host alone, by no proxy. The certificate of a redirect to https is not verified, since nothing
    leaves the host.
extends_documentation_fragment:
  - circleci_server.ops.attributes.info
options:
  services:
    description:
      - Only these services, in any spelling of the guide, V(docker) (the engine), V(application) (what Replicated says
        of it), V(disk) (all disks) or V(disk PATH). Empty means all.
    type: list
    elements: str
    default: []
  skip:
    description:
      - Services that are left out, written like O(services). For instance data stores that run elsewhere (guide L2374).
    type: list
    elements: str
    default: []
  expected:
    description:
      - Names or images of containers that are not CircleCI's and no surprise; C(*) and C(?) stand for anything. Others
        that the guide does not know are C(unexpected), with the severity C(minor).
    type: list
    elements: str
    default: []
  ldap:
    description:
      - Whether LDAP is in use, so that C(federations-service) counts. Without it, it counts when one of its containers
        is there.
    type: bool
  vm_service:
    description: Whether VM service is in use. Without it, it counts when one of its containers is there.
    type: bool
  s3:
    description:
      - Whether builds are stored on S3, so that C(fileserved) is not needed (guide L2401). Without it a C(fileserved)
        that is not there is C(unknown).
    type: bool
  fail_severity:
    description:
      - From which severity on something sick is listed in RV(sick). A severity that the guide does not tell counts as
        V(some_jobs).
    type: str
    choices: [none, minor, some_jobs, data_loss]
    default: some_jobs
  disks:
    description: Absolute paths whose file systems are looked at, where they exist; each file system once.
    type: list
    elements: str
    default: [/, /var/lib/docker, /data]
  disk_percent:
    description: Percent of a file system's space in use from which on it is failing.
    type: float
    default: 90
  inode_percent:
    description: Percent of a file system's inodes in use from which on it is failing.
    type: float
    default: 90
  ready_agent_path:
    description:
      - Path of the ready agent on its port 8099, which no public source names. A status that is neither 200 nor 5XX
        makes it C(unknown).
    type: str
    default: /
  timeout:
    description: Seconds for one whole look; what has no answer by then has none.
    type: float
    default: 10
  request_timeout:
    description: Seconds for one endpoint, redirects included, and for Replicated's answer.
    type: float
    default: 5
  wait:
    description:
      - Seconds to look again until nothing of O(fail_severity) is sick; V(0) looks once. Check mode looks once.
      - While it waits, what is still sick is shown on standard error.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Look at everything
  circleci_server.ops.circleci_health_info:
  register: health

- name: Show it
  circleci_server.ops.print_table:
    columns: "{{ health.table.columns }}"
    rows: "{{ health.table.rows }}"
    notes: "{{ health.table.notes }}"

- name: Wait until frontend and what it needs are healthy
  circleci_server.ops.circleci_health_info:
    services: [frontend, postgres]
    wait: 120
"""

RETURN = r"""
services:
  description:
    - The verdict on each service, in the order of the catalogue, with C(name), C(status) (healthy, failing, missing,
      unexpected, unknown, not_used, absent), C(detail), C(latency_ms), C(severity) (minor, some_jobs, data_loss,
      unknown), C(direct_dependents), C(dependents) (the indirect ones too), C(endpoint), C(source).
  type: list
  elements: dict
  returned: success
healthy:
  description: Whether nothing at all is failing, missing or unexpected.
  type: bool
  returned: success
worst:
  description: The loudest severity of what is sick, C(none) when nothing is.
  type: str
  returned: success
sick:
  description: What is failing, missing or unexpected with O(fail_severity) or worse, the loudest first.
  type: list
  elements: str
  returned: success
causes:
  description:
    - The probable causes, engine and Replicated first, with C(name), C(severity), C(advice) (a command on the host) and
      C(explains), a list of C(name), C(path) (from it to the cause) and C(source) (the guide's lines of that path).
  type: list
  elements: dict
  returned: success
data_stores_failing:
  description: The data stores that fail, whether or not a dependency leads to them.
  type: list
  elements: str
  returned: success
containers:
  description: Names of the containers that are C(missing), C(unexpected), C(restarting), C(out_of_memory), C(exited).
  type: dict
  returned: success
summary:
  description: All of it in one line.
  type: str
  returned: success
failure:
  description: What a gate says when something is in RV(sick), empty otherwise.
  type: str
  returned: success
table:
  description: C(columns), C(rows) and C(notes) for M(circleci_server.ops.print_table).
  type: dict
  returned: success
installed:
  description: Whether Docker is installed on the host.
  type: bool
  returned: success
seconds:
  description: What the last look took.
  type: float
  returned: success
slowest:
  description: C(name) and C(latency_ms) of the slowest answer of the last look.
  type: dict
  returned: success
sweeps:
  description: How many looks there were.
  type: int
  returned: success
waited:
  description: Seconds that were waited before the last look.
  type: float
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._health import health
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_health_info import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = health(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
