#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module replicated_install: Replicated by the vendor's script or an air-gap archive, once, at the wanted version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replicated_install
short_description: Install Replicated by the vendor's script, once
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Runs the vendor's script, online or out of an air-gap archive, when Replicated is not installed, when another
    version is asked for, or when an earlier installation did not end. Otherwise it changes nothing.
  - What is installed moves only to a O(version) that is asked for, with which the outcome is compared.
  - The script runs in a job of its own on the host. A run that loses its connection joins it again, and what was begun
    stands in the pending record of the host until it has ended well.
extends_documentation_fragment:
  - circleci_server.ops.attributes
attributes:
  diff_mode:
    support: none
options:
  phase:
    description: V(look) only says what is installed and what V(install) would do, and refuses what cannot work.
    type: str
    choices: [install, look]
    default: install
  version:
    description: The version to move to, such as V(2.38.6). Empty keeps what is installed.
    type: str
    default: ''
  default_version:
    description: The version where nothing is installed and none is asked for.
    type: str
    default: ''
  url:
    description: Where the host downloads the script; C({version}) in it is replaced. Credentials are refused.
    type: str
    default: ''
  checksum:
    description: C(sha256:) and the script's SHA-256. Without it the script is taken as it comes.
    type: str
    default: ''
  airgap_file:
    description:
      - Path of the air-gap archive on the controller; only its name is looked at (a version in it must be the wanted
        one). Send the file with M(circleci_server.ops.host_artifact).
    type: str
    default: ''
  airgap_path:
    description: The air-gap archive on the host. It is unpacked, and its O(airgap_script) is run; no download.
    type: str
    default: ''
  airgap_script:
    description: Name of the script in the archive (facts 4).
    type: str
    default: install.sh
  arguments:
    description: Arguments of the script.
    type: list
    elements: str
    default: []
  airgap_package:
    description: The application's C(.airgap) package on the host; must exist when Replicated is not installed yet.
    type: str
    default: ''
  license_file:
    description:
      - The licence on the controller. Where Replicated is not installed yet it must exist and look like one (not empty,
        no web page, no PEM file); after the first start Replicated must show a licence.
    type: str
    default: ''
  environment:
    description:
      - Environment of the script. The download of the script uses its proxy (C(http_proxy), C(https_proxy)) too.
    type: dict
    default: {}
  units:
    description: Replicated's services; all of them exist after an installation.
    type: list
    elements: str
    default: [replicated-ui, replicated, replicated-operator]
  timeout:
    description: Seconds for the script.
    type: int
    default: 1800
  ready_timeout:
    description: Seconds within which the daemon must answer after the script.
    type: int
    default: 300
  license_timeout:
    description: Seconds within which Replicated must show the licence of O(license_file) after that.
    type: int
    default: 60
  owner:
    description: Who owes the installation, in the pending record.
    type: str
    default: services_host
  lock_timeout:
    description: Seconds to wait for another run that works on the host.
    type: int
    default: 600
  handover:
    description: Between the two sides of this module; leave it out.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Install Replicated
  circleci_server.ops.replicated_install:
    default_version: 2.38.6
    url: https://get.replicated.com/docker?replicated_tag={version}
    arguments: [local-address=10.0.0.10, no-proxy, no-docker]
"""

RETURN = r"""
installed:
  description: Whether Replicated was found.
  type: bool
  returned: when O(phase=look)
unfinished:
  description: Whether an installation was begun and did not end.
  type: bool
  returned: when O(phase=look)
would_run:
  description: Whether V(install) would run the script.
  type: bool
  returned: when O(phase=look)
version:
  description: The installed version; empty when it cannot be told.
  type: str
  returned: success
changes:
  description: What was, or would be, changed, a sentence each.
  type: list
  elements: str
  returned: success
log:
  description: The script's whole output, a file on the host.
  type: str
  returned: when the script ran
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated_install as library
from ansible_collections.circleci_server.ops.plugins.module_utils._detached import Job, attend, begin
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_install import ARGUMENT_SPEC

NAME = "replicated_install"


def _settle(options: Dict[str, Any], check: bool) -> Dict[str, Any]:
    def start(job_id: str) -> Dict[str, Any]:
        found = library.find_installed(options)
        plan = library.make_plan(options, found)
        if options["phase"] == "look":
            return library.looked(options, found, plan)
        if check or not plan.runs:
            return {"changed": plan.runs, "changes": plan.changes, "version": plan.version}

        def work(job: Job) -> Dict[str, Any]:
            return library.install(options, plan, job.phase)

        deadline = options["timeout"] + options["ready_timeout"] + options["license_timeout"]
        return begin(NAME, deadline, work, job_id, options["lock_timeout"])

    def again(_result: Dict[str, Any], job_id: str) -> Dict[str, Any]:
        return start(job_id)

    return attend(NAME, options["handover"], start, again)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = _settle(module.params, module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    if result.get("failed"):
        module.fail_json(**{key: value for key, value in result.items() if key != "failed"})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
