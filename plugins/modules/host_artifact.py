#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_artifact: one program file at the wanted version, tried before it replaces the old one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_artifact
short_description: Install one program file, by file or URL, with checksum and version
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Installs a program from a file on the controller or from a URL. The checksum is verified and the program is run for
    its version before it replaces the installed one, in one step; a running process keeps the old file.
  - What is installed moves only to a O(version) that is asked for.
  - The file of the controller is sent only when it is needed.
  - What the replacement owes (a restart) stands in the pending record of the host before it.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  dest:
    description: Absolute path of the program on the host. A symbolic link is followed. Its directory must exist.
    type: path
    required: true
  file:
    description: The program or its archive on the controller, found as M(ansible.builtin.copy) does it.
    type: str
    default: ""
  url:
    description:
      - Where the host downloads the program or its archive (https, http, file), by way of the proxy in its
        environment. V({version}) in it is replaced by the version to install.
      - Exclusive with O(file). Needs O(checksum) or O(checksum_url). Credentials in it are refused.
    type: str
    default: ""
  checksum:
    description:
      - V(sha256:) and 64 hexadecimal digits, of the file or the download as it is (of the archive, if it is one).
      - Optional with O(file). It is verified whenever the file is there, also when nothing has to be installed.
    type: str
    default: ""
  checksum_url:
    description: URL (https, file) of a list as C(sha256sum) writes it, with V({version}) like O(url).
    type: str
    default: ""
  member:
    description: Path of the program inside a zip archive. Empty for a plain program.
    type: str
    default: ""
  mode:
    description: Mode, octal digits in quotes with a leading zero.
    type: str
    default: "0755"
  user:
    description: Owner. Empty leaves it.
    type: str
    default: root
  group:
    description: Group. Empty leaves it.
    type: str
    default: root
  version:
    description:
      - The version to be at, up or down; whole, or the beginning of one that ends where a part ends (V(0.12) is
        C(0.12.12)). Empty keeps whatever version is installed.
    type: str
    default: ""
  default_version:
    description: The version to install when there is none yet. Empty takes what the source holds.
    type: str
    default: ""
  version_argv:
    description:
      - How the program prints its version, for instance V([nomad, version]). The first word stands for the program
        itself, whatever its path.
      - Empty installs it untried and without knowing its version.
    type: list
    elements: str
    default: []
  version_regex:
    description: Regular expression whose one group is the version in what O(version_argv) prints.
    type: str
    default: v?([0-9]+\.[0-9]+[0-9A-Za-z.+~-]*)
  replace:
    description:
      - V(when_version_differs) replaces a program whose version is not O(version).
      - V(when_content_differs) replaces one whose content is not that of the source, whatever the versions.
      - V(never) installs it only where it is missing.
    type: str
    choices: [when_version_differs, when_content_differs, never]
    default: when_version_differs
  owes:
    description: What is owed when the program is installed or replaced; recorded before.
    type: dict
    suboptions:
      scope:
        description: Kind of the target.
        type: str
        choices: [unit, container]
        default: unit
      target:
        description: The unit or container that must be restarted.
        type: str
        required: true
      reason:
        description: Why, for the person who reads it. Without it C(DEST changed).
        type: str
      when:
        description: V(now), or V(with_next) for what may wait until the target is restarted for another reason.
        type: str
        choices: [now, with_next]
        default: now
  owner:
    description: Who installs the program, usually the role; stands in the pending record.
    type: str
    default: host_artifact
  timeout:
    description: Seconds without an answer after which a download fails.
    type: int
    default: 300
  lock_timeout:
    description: Seconds to wait for another run that works on the host.
    type: int
    default: 600
  handover:
    description: What the two sides of this module (controller and host) tell each other; not for playbooks.
    type: dict
    default: {}
notes:
  - In check mode nothing is downloaded, so a wrong checksum of a URL is found by the real run only.
"""

EXAMPLES = r"""
- name: Install Nomad from a release archive on the controller
  circleci_server.ops.host_artifact:
    dest: /usr/bin/nomad
    file: nomad_0.9.3_linux_amd64.zip
    member: nomad
    checksum: "sha256:{{ nomad_sha256 }}"
    default_version: 0.9.3
    version_argv: [nomad, version]
    owner: nomad_client
    owes: {target: nomad, reason: the program changed}

- name: Move Nomad to another version, downloaded by the host
  circleci_server.ops.host_artifact:
    dest: /usr/bin/nomad
    url: https://releases.hashicorp.com/nomad/{version}/nomad_{version}_linux_amd64.zip
    checksum_url: https://releases.hashicorp.com/nomad/{version}/nomad_{version}_SHA256SUMS
    member: nomad
    version: 0.11.3
    version_argv: [nomad, version]
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed, a sentence each.
  type: list
  elements: str
  returned: success
path:
  description: The path of the program.
  type: str
  returned: success
installed_version:
  description: >-
    The version that is installed now; empty without O(version_argv), C(unknown) in check mode when the source tells it.
  type: str
  returned: success
previous_version:
  description: The version that was installed before; empty when there was none or it is not known.
  type: str
  returned: success
source:
  description: The file or URL that was installed; empty when nothing was.
  type: str
  returned: success
owed:
  description: What the replacement owes, as it stands in the pending record.
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._artifact import install_artifact
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_artifact import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = install_artifact(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
