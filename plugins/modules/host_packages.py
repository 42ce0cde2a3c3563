#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_packages: packages, their versions and holds in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_packages
short_description: Bring packages, their versions and holds to the wanted state in one call
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Compares all packages at once and changes what differs in one transaction of the package manager.
  - Uses C(apt-get), C(apt-cache), C(apt-mark) and C(dpkg-query) on the Debian family, C(dnf) or C(yum) with C(rpm) and
    the versionlock plugin on the RHEL family. No Python library of the package manager is needed, so that it works
    under an interpreter of its own.
  - An installed package moves only to a O(packages[].version) that is asked for. Nothing is removed that is not named.
  - While another program works on the packages the task waits, and says for whom on standard error.
  - Configuration files that a person changed are kept. Nothing is restarted but what the packages restart themselves.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  packages:
    description: The packages, each named once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the package, without version and architecture.
        type: str
        required: true
      state:
        description:
          - V(absent) removes the package, its configuration stays.
          - Packages that need it are not removed with it, the task fails and names them.
        type: str
        choices: [present, absent]
        default: present
      version:
        description:
          - The version to be at, up or down. A whole version, or the beginning of one that ends where a part ends
            (V(18.09.9) is C(5:18.09.9~3-0~debian-buster)); an epoch counts only when it is given.
          - Empty keeps whatever version is installed.
        type: str
        default: ""
      default_version:
        description:
          - The version to install when none is installed yet; written like O(packages[].version), which wins.
          - Empty takes the newest that the repositories give.
        type: str
        default: ""
      hold:
        description:
          - Hold the package at its version (C(apt-mark hold), C(dnf versionlock)), or release it. Without it the hold
            stays as it is.
          - A held package that has to move is released for that time.
        type: bool
      file:
        description:
          - A package file on the controller, found as M(ansible.builtin.copy) does it. It is sent and installed only
            when the package has to be installed or moved; dependencies come from the other files and the repositories.
        type: str
        default: ""
  update_lists:
    description:
      - Read the repositories' lists anew before an installation. V(auto) does it when a package comes from a
        repository. Nothing is read when nothing is installed.
    type: str
    choices: [auto, always, never]
    default: auto
  recommends:
    description: Install recommended packages (weak dependencies) too.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another program, or another run, that works on the packages.
    type: int
    default: 600
  timeout:
    description: Seconds for one call of the package manager; when they have passed it is killed.
    type: int
    default: 1800
  handover:
    description: What the two sides of this module (controller and host) tell each other; not for playbooks.
    type: dict
    default: {}
notes:
  - In check mode the lists of the repositories stay as they are. A package that they do not have yet is reported as
    one that would be installed, with a warning that its version is not known.
"""

EXAMPLES = r"""
- name: Install the engine at the release's version, keep it where it is installed, and hold it
  circleci_server.ops.host_packages:
    packages:
      - name: docker-ce
        default_version: 18.09.9
        hold: true
      - name: containerd.io
        hold: true

- name: Install the engine from files on a host without a repository
  circleci_server.ops.host_packages:
    packages:
      - name: docker-ce
        version: 18.09.9
        hold: true
        file: docker-ce_18.09.9_amd64.deb
      - name: docker-ce-cli
        file: docker-ce-cli_18.09.9_amd64.deb
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed, a sentence each.
  type: list
  elements: str
  returned: success
packages:
  description: >-
    For each package its C(version) (empty - not installed; C(unknown) - in check mode, not known before the
    repositories have been read), its C(previous_version) and its C(hold).
  type: dict
  returned: success
  sample: {docker-ce: {hold: true, previous_version: "", version: "5:18.09.9~3-0~debian-buster"}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._packages import settle_packages
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_packages import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = settle_packages(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
