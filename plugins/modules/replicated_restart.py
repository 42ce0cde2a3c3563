#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module replicated_restart: the one restart of the services host; this is its side on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replicated_restart
short_description: Restart what the services host owes, once, and wait until it is healthy
version_added: 0.2.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Reads the pending record of the host and restarts what is due now, and nothing else; or one O(scope) that is asked
    for, owed or not. One stop of the application serves all that needs one.
  - An entry that may wait for the next restart (C(with_next)) starts none by itself. It is listed in RV(owed), and
    struck off with the next restart of its scope. A debt is struck off only after the step that settles it was seen to
    work. One that was made again meanwhile stays.
  - Waits until the application is up (C(State) is C(started), C(IsTransitioning) is false, no C(Error)) for O(looks)
    looks in a row, the health endpoints of the operations guide that this installation publishes answer 200, and so do
    O(health_checks). The web application is asked five times a second meanwhile, which gives RV(downtime_seconds).
  - The restart runs on the host in a process of its own. A lost connection, or a killed C(ansible-playbook), does not
    stop it; the next run joins it. If that process itself is killed, the next run goes on from the state that it
    finds. It starts the application again that a dead restart has stopped.
  - An application that a person has stopped stays stopped with O(scope=auto) and O(scope=docker). What it reads at its
    next start is struck off. Imported settings stay owed, since whether a start applies them is not documented.
  - Where nothing is due it returns at once and starts nothing.
  - Stopping the application stops the Nomad server. Builds go on on the clients meanwhile; RV(builds) lists those that
    ran.
  - Fails with what stands in the way, each with its remedy - a transition without end and the containers that are not
    up with their last lines, an error in the application's status, a daemon that is dead or in a crash loop, one that
    is not ready, a missing C(replicatedctl), an engine that does not answer. No program gets a terminal or an input.
extends_documentation_fragment:
  - circleci_server.ops.attributes
attributes:
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - With O(scope=auto) a second run changes nothing. Any other scope restarts each time.
options:
  scope:
    description:
      - V(auto) does what the pending record asks for now. Each of the others is done whether it is owed or not.
      - V(daemon) restarts O(replicated_units), one after another in their order (that of the guide's chapter on
        debugging the Management Console). The application is not touched.
      - V(app) stops and starts the application.
      - V(apply_config) applies imported settings (C(replicatedctl app apply-config)), which restarts the application.
      - V(docker) stops the application and O(replicated_units), restarts the engine, starts the services in their
        order and the application. Owed settings are applied with that start.
      - V(containers) restarts the containers that the record names by C(docker restart), and no other. Any start of
        the application settles them too.
      - With V(auto), services are restarted before the application, and settings that are owed are applied with any
        restart of the application.
    type: str
    choices: [auto, daemon, app, apply_config, docker, containers]
    default: auto
  restart:
    description: V(false) restarts nothing and returns what is owed.
    type: bool
    default: true
  would_owe:
    description:
      - What earlier tasks of this run returned as C(owed). Only read in check mode, where these tasks recorded nothing,
        so that the restarts that would follow are told.
    type: list
    elements: dict
    default: []
  when_builds:
    description:
      - What to do while builds (batch jobs that run or are about to) exist and Nomad's server would be stopped.
      - V(proceed) reports them and goes on. V(wait) waits until none runs, by blocking queries, before anything is
        stopped; new builds are not held back meanwhile. V(refuse) fails and names them.
      - When Nomad does not say which builds run, that is a warning with V(proceed) and an error with the others.
    type: str
    choices: [proceed, wait, refuse]
    default: proceed
  builds_timeout:
    description: Seconds to wait for builds to end with O(when_builds=wait); nothing was stopped when they have passed.
    type: int
    default: 3600
  nomad_url:
    description: Nomad's HTTP API as seen from the host. No proxy of the environment is used.
    type: str
    default: http://127.0.0.1:4646
  timeout:
    description: Seconds for the whole restart, without waiting for the host's lock and for builds.
    type: int
    default: 1800
  stop_timeout:
    description: Seconds that Docker gives each owed container to stop before it kills it.
    type: int
    default: 10
  transition_timeout:
    description:
      - Seconds within which the application must begin its transition after C(app apply-config). How soon Replicated
        begins is not documented.
      - When a running application does not, and its containers are older than the owed settings, the task fails and the
        settings stay owed. When a stopped application does not, it is started.
    type: int
    default: 30
  looks:
    description: How many looks in a row must find the wanted state; a status may flap.
    type: int
    default: 3
  look_interval:
    description: Seconds between two looks.
    type: float
    default: 0.25
  health_checks:
    description:
      - Where the web application must answer 200 on the host itself. Redirects are followed to the same host, also to
        https.
      - After a restart that does not stop the application only those are waited for that answered before. An empty
        list waits for none and measures no downtime.
    type: list
    elements: dict
    default: [{port: 80, path: /health-check, tls: false}]
    suboptions:
      port:
        description: TCP port.
        type: int
        required: true
      path:
        description: Path of the request.
        type: str
        default: /health-check
      tls:
        description: Whether to speak TLS. The certificate is not verified, since the request does not leave the host.
        type: bool
        default: false
  dependents:
    description:
      - Wait also for the health endpoints that the guide names of containers that run on this host, or ran before the
        restart, and publish them.
    type: bool
    default: true
  replicated_units:
    description: Replicated's services, in the order of their restart. Those that this host does not have are left out.
    type: list
    elements: str
    default: [replicated-ui, replicated, replicated-operator]
  service_manager:
    description: V(auto) takes systemd where it is the host's first process, else C(service) (upstart, SysV).
    type: str
    choices: [auto, systemd, service]
    default: auto
  lock_timeout:
    description: Seconds to wait for another run that works on the host.
    type: int
    default: 600
  handover:
    description: Between the two sides of the module; leave it out.
    type: dict
    default: {}
seealso:
  - module: circleci_server.ops.circleci_customization
"""

EXAMPLES = r"""
- name: Restart what changed, once
  circleci_server.ops.replicated_restart:
    would_owe: "{{ written.owed | default([]) }}"

- name: Say what is owed
  circleci_server.ops.replicated_restart:
    restart: false
  register: owed

- name: Restart the application when no build runs
  circleci_server.ops.replicated_restart:
    scope: app
    when_builds: wait
    builds_timeout: 7200
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) done, a sentence each.
  type: list
  elements: str
  returned: always
summary:
  description: The same for people, with RV(notes) and what is still owed.
  type: list
  elements: str
  returned: always
steps:
  description: What was done - C(daemon), C(app_stop), C(docker), C(app_start), C(apply_config), C(containers).
  type: list
  elements: str
  returned: always
scopes:
  description: The scopes that these steps made good.
  type: list
  elements: str
  returned: always
reasons:
  description: Why each was done.
  type: list
  elements: str
  returned: always
settled:
  description: Entries of the pending record that were struck off.
  type: list
  elements: dict
  returned: always
owed:
  description: Entries that stay - C(scope), C(target), C(owner), C(reason), C(when), C(since).
  type: list
  elements: dict
  returned: always
notes:
  description: What else to know, a sentence each.
  type: list
  elements: str
  returned: always
restarted:
  description: Containers that were restarted by C(docker restart).
  type: list
  elements: str
  returned: always
not_restarted:
  description: Owed containers that were struck off without a restart, each with the reason.
  type: dict
  returned: always
builds:
  description: The builds that ran when the restart began - C(job), C(allocation), C(node), C(since).
  type: list
  elements: dict
  returned: always
seconds:
  description: How long the restart took, without waiting for the host's lock.
  type: float
  returned: always
downtime_seconds:
  description: Seconds from the first moment that the web application did not answer 200 to its last return.
  type: float
  returned: always
joined:
  description: Whether the restart was begun by an earlier call.
  type: bool
  returned: always
phase:
  description: What was waited for.
  type: str
  returned: when the deadline passed, or the application reports an error
status:
  description: The application's last status - C(state), C(desired), C(error), C(transitioning), C(sequence).
  type: dict
  returned: when the deadline passed, or the application reports an error
not_up:
  description: Containers of the guide that should run and do not, with their state.
  type: dict
  returned: when the deadline passed, or the application reports an error
logs:
  description: The last lines of these containers.
  type: dict
  returned: when the deadline passed, or the application reports an error
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_restart import restart
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_restart import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = restart(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
