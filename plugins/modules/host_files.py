#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module host_files: all files of a role in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Write all files of a role in one call
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Makes files and directories of a host what the options say, as many as there are, in one module run.
  - First every file is compared and every new content is checked by the program that O(files[].validate) names.
    Only when all of them are fit is the first one written. Each is replaced in one step.
  - A file that means the same already (O(files[].compare)) is left alone, whatever its layout and comments.
  - The first original of a file that a person wrote is kept in C(/var/lib/circleci_server_ops/originals), mode 0600.
  - What a change owes (a restart) stands in the pending record of the host before the file is written.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  files:
    description: The files and directories, in the order in which they are made.
    type: list
    elements: dict
    default: []
    suboptions: &suboptions
      dest:
        description:
          - Absolute path on the host. A symbolic link is followed.
          - Its directory must exist, or stand earlier in the same list with O(files[].state=directory).
        type: str
        required: true
      state:
        description:
          - V(present) is a file with this content, V(directory) a directory.
          - V(absent) removes a file; a directory is refused.
        type: str
        choices: [present, absent, directory]
        default: present
      content:
        description:
          - The content, a text. A dictionary or a list is written as JSON.
          - One of O(files[].content), O(files[].content_base64), O(files[].template) and O(files[].source) is needed
            for O(files[].state=present).
        type: raw
      content_base64:
        description: The content in base64, for what is no text.
        type: str
      template:
        description: A template on the controller, found and rendered as M(ansible.builtin.template) does it.
        type: str
      source:
        description: A file on the controller, found as M(ansible.builtin.copy) does it, sent as it is.
        type: str
      mode:
        description:
          - Three or four octal digits in quotes.
          - Without it a new file gets V("0644"), a directory V("0755"), one of O(secret_files) V("0600"); what is
            there already keeps a mode that allows less.
        type: raw
      user:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      compare:
        description:
          - What counts as a difference. V(text) is every byte.
          - V(json), V(hcl) (version 1, as Nomad reads it) and V(systemd) (a unit file) compare what the files mean.
            A file that cannot be read as such is replaced.
          - V(assignments) compares the values of C(KEY=value) lines, as in C(/etc/default) and C(/etc/sysconfig), which
            a shell and systemd's C(EnvironmentFile) both read.
        type: str
        choices: [text, json, hcl, systemd, assignments]
        default: text
      merge:
        description:
          - Lay the content over what is in the file (O(files[].compare=json) and O(files[].compare=assignments) only).
            Other keys stay, nested objects are merged, our lists and scalars win, our C(null) takes a key away.
          - The content is then a dictionary. With V(assignments) each value is written between double quotes where its
            name stands already, else at the end; comments and other lines stay.
          - A file that cannot be read is refused.
        type: bool
        default: false
      validate:
        description: A program that checks the new content before anything is written, in check mode too.
        type: dict
        suboptions:
          argv:
            description:
              - The program and its arguments. C(%s) is a private copy under the file's own name, C(%d) an empty
                directory for the program's use, C(%%) a percent sign.
              - In check mode a program that is not installed yet is left out, see RV(not_validated).
            type: list
            elements: str
            required: true
          accept:
            description:
              - Regular expression that the program's output must match; any other output is unknown and refused.
              - Without it the exit code 0 accepts.
            type: str
          refuse:
            description: Regular expression; an output that matches refuses the content.
            type: str
          timeout:
            description: Seconds for the program; when they have passed it is killed and the content is refused.
            type: int
            default: 30
          description:
            description: What the check is called in messages; without it the program's name.
            type: str
      owes:
        description: What is owed when the content changes or the file goes; recorded before the write.
        type: dict
        suboptions:
          scope:
            description: Kind of the target.
            type: str
            choices: [unit, container, replicated]
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
  secret_files:
    description:
      - Files whose content is in no result, diff or log; only that it differs is told. The paths are shown.
      - The suboptions are those of O(files).
    type: list
    elements: dict
    default: []
    suboptions: *suboptions
  owner:
    description: Who writes the files, usually the role; stands in the pending record and in the lock.
    type: str
    default: host_files
  lock_timeout:
    description: Seconds to wait for another run that works on the host.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Write the configuration of the engine and of Nomad
  circleci_server.ops.host_files:
    owner: nomad_client
    files:
      - dest: /etc/docker
        state: directory
      - dest: /etc/docker/daemon.json
        content: {userns-remap: default}
        compare: json
        merge: true
        owes: {target: docker}
      - dest: /etc/nomad/config.hcl
        template: config.hcl.j2
        compare: hcl
        validate:
          argv: [/usr/bin/nomad, agent, -config, "%s", -encrypt=bad, -data-dir, "%d"]
          accept: Invalid encryption key
          refuse: Error loading configuration
        owes: {target: nomad, reason: the configuration changed}
    secret_files:
      - dest: /etc/apt/auth.conf.d/proxy.conf
        content: "machine http://proxy.example.com:3128 login ops password {{ proxy_password }}\n"
"""

RETURN = r"""
changes:
  description:
    - "What differs, a sentence each, such as C(/etc/docker/daemon.json: debug: false -> true)."
  type: list
  elements: str
  returned: success
changed_files:
  description: The paths that changed (in check mode, that would).
  type: list
  elements: str
  returned: success
owed:
  description: What these changes owe, as it stands in the pending record.
  type: list
  elements: dict
  returned: success
kept_originals:
  description: Copies of a person's files that were made by this run.
  type: list
  elements: str
  returned: success
not_validated:
  description: In check mode, the files whose program is not installed yet, a sentence each.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._host_files import host_files
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_host_files import ARGUMENT_SPEC


def main() -> None:
    # no_log: the options hold whole files, which do not belong into the host's journal.
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, no_log=True)
    try:
        result = host_files(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
