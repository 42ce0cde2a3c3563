#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module preflight_check: the checks before a run changes anything; the action plugin of this name does the judging."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_check
short_description: Check hosts, inventory and network before anything is changed
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Four phases, each a task of its own in this order. The role P(circleci_server.ops.preflight#role) is how they are
    meant to be called, with a linear strategy and on all hosts of the groups C(circleci_services) and
    C(nomad_clients) at once. Hosts of other groups pass without a check.
  - Problems are collected, not raised. V(look) and V(probe) return them, V(gate) fails on all hosts when any host has
    one or has left the play, and says all of them once, with the C(--limit) line that goes on without the hosts at
    fault.
  - The results of V(look) and V(probe) must be registered as C(__preflight_look) and C(__preflight_probe), where the
    later phases find those of the other hosts.
  - Addresses of other hosts are C(circleci_server_address), else C(ansible_host), else the name of the inventory.
  - The first thing done on a host needs no Python there. No file is written on a host. While the ports are tried, a
    process listens on those that nothing listens on yet. It ends at the gate, or after O(listen_seconds).
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  phase:
    description:
      - V(look) reads each host and starts the listener.
      - V(probe) tries the ports from each host to the others, and to GitHub.
      - V(gate) stops the listener and fails everywhere if there was a problem anywhere.
      - V(rows) shows the firewall rows of the inventory on the controller and checks nothing.
    type: str
    choices: [look, probe, gate, rows]
    required: true
  release:
    description: Release line of CircleCI Server.
    type: str
    default: ""
  hostname:
    description: Name under which users reach CircleCI. It must resolve on every host. Empty to leave this out.
    type: str
    default: ""
  github_host:
    description: Host name of GitHub or GitHub Enterprise. Empty to leave this out.
    type: str
    default: ""
  github_check:
    description: Whether a GitHub that cannot be reached is refused, warned of, or not tried.
    type: str
    choices: [refuse, warn, none]
    default: refuse
  vm_provider:
    description: VM provider of the application. Anything but V(none) gives a warning.
    type: str
    default: none
  daily_active_users:
    description: People who use CircleCI in a day, for the vendor's table of sizes.
    type: int
    default: 49
  services_minimum:
    description: Smallest services host, item by item instead of what the table says.
    type: dict
    suboptions:
      cores:
        description: Cores.
        type: float
      memory_gb:
        description: Memory in GB. A twentieth less is accepted, since a kernel keeps some.
        type: float
      disk_gb:
        description: Size of the file system of O(disk_path) in GB. A tenth less is accepted.
        type: float
  client_minimum:
    description: Smallest Nomad client. An item that is not given is not checked.
    type: dict
    suboptions:
      cores:
        description: Cores.
        type: float
      memory_gb:
        description: Memory in GB. A twentieth less is accepted, since a kernel keeps some.
        type: float
      disk_gb:
        description: Size of the file system of O(disk_path) in GB. A tenth less is accepted.
        type: float
  client_maximum:
    description: Largest Nomad client. An item that is not given is not checked.
    type: dict
    suboptions:
      cores:
        description: Cores.
        type: float
      memory_gb:
        description: Memory in GB (of 1024 MB).
        type: float
  disk_path:
    description: Path whose file system the installation grows on.
    type: path
    default: /var/lib
  disk_free_gb:
    description: Free GB that the file systems of O(disk_path) and of C(/) must have.
    type: float
    default: 5
  supported_os:
    description: C(ID) of C(/etc/os-release) to the oldest C(VERSION_ID) that is accepted.
    type: dict
    default: {}
  max_skew:
    description: Seconds that a host's clock may differ from the controller's.
    type: float
    default: 5
  probe_timeout:
    description: Seconds to wait for an answer of a port or of a resolver.
    type: float
    default: 5
  listen_seconds:
    description: Seconds after which the listener ends by itself. Raise it for very many hosts.
    type: int
    default: 120
  versions:
    description: Versions that the inventory asks for, compared with the release's.
    type: list
    elements: dict
    default: []
    suboptions:
      program:
        description: The program.
        type: str
        choices: [docker, nomad, replicated]
        required: true
      option:
        description: Variable that the version comes from.
        type: str
        required: true
      value:
        description: The version. Empty when the release picks it.
        type: str
        default: ""
      check_option:
        description: Variable that O(versions[].check) comes from.
        type: str
        required: true
      check:
        description: Whether a version outside of the release's line is refused or warned of.
        type: str
        choices: [refuse, warn]
        default: refuse
  binary_file:
    description: Nomad binary (or archive) on the controller. It must be there and match O(binary_checksum).
    type: path
    default: ""
  binary_checksum:
    description: Its checksum, C(sha256:) and hexadecimal digits. Empty to leave this out.
    type: str
    default: ""
  extra_only:
    description: Variables that must be given on the command line, not in an inventory.
    type: list
    elements: str
    default: []
  rows_format:
    description: How V(rows) writes the rows.
    type: str
    choices: [table, json, nftables]
    default: table
  rows_file:
    description: File on the controller that V(rows) writes them to. Empty shows them on the terminal (stderr).
    type: path
    default: ""
  work:
    description: Orders of the action plugin for the host. Not for playbooks.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look at every host and listen on its ports
  circleci_server.ops.preflight_check:
    phase: look
    release: "2.19"
    supported_os: {debian: "11", ubuntu: "20.04"}
  register: __preflight_look

- name: Try the ports between the hosts
  circleci_server.ops.preflight_check:
    phase: probe
    github_host: github.example.com
  register: __preflight_probe

- name: Stop everywhere if anything is wrong anywhere
  circleci_server.ops.preflight_check:
    phase: gate

- name: Write the firewall rules of the inventory
  circleci_server.ops.preflight_check:
    phase: rows
    rows_format: nftables
    rows_file: ./circleci.nft
  run_once: true
"""

RETURN = r"""
preflight_errors:
  description: "Problems: check, host, message, and the host without which a run could go on (leave_out)."
  type: list
  elements: dict
  returned: phases look and probe
preflight_warnings:
  description: What is worth knowing but stops nothing.
  type: list
  elements: str
  returned: phases look and probe
preflight_facts:
  description: What was read from the host.
  type: dict
  returned: phase look, where the host could be read
preflight_rows:
  description: The rows of the table of ports with the addresses of this inventory.
  type: list
  elements: dict
  returned: phase rows
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight import preflight
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_preflight_check import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = preflight(module.params["phase"], module.params["work"])
    except OpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
