#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module bootstrap_python: documentation and options; the action plugin of this name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap_python
short_description: Give a host without a usable Python an interpreter of its own
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Unpacks a relocatable CPython beside the system's own, so that Ansible can work on hosts whose Python is missing or
    too old (Ubuntu 14.04 and 16.04 have 3.4 and 3.5). The system's Python and packages are left alone.
  - Works over plain commands and a file transfer. The host needs a shell and C(tar), no Python.
  - The archive holds C(bin/python3) or C(bin/python3.N) at its top or one or two directories below, as the builds of
    python-build-standalone do, and as Debian's C(python3.11-minimal), C(libpython3.11-minimal) and
    C(libpython3.11-stdlib) do, unpacked into one directory.
  - The new interpreter is tried on the host before it takes its place. Its directory is replaced in one step, and a
    host that has it already is left alone.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  file:
    description: Archive on the controller, C(.tar), C(.tar.gz) or what else the host's C(tar) reads.
    type: path
  url:
    description: Where the controller downloads the archive from, once for all hosts. Needs O(checksum).
    type: str
  checksum:
    description: C(sha256:) and 64 hexadecimal digits.
    type: str
  dest:
    description: Directory on the host. The interpreter is C(bin/python3) in it.
    type: path
    default: /opt/circleci_server_ops/python
"""

EXAMPLES = r"""
- name: Give the host an interpreter of its own
  circleci_server.ops.bootstrap_python:
    file: files/cpython-3.11-x86_64-linux-gnu.tar.gz
    checksum: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""

RETURN = r"""
interpreter:
  description: What to set as C(ansible_python_interpreter) of the host.
  type: str
  returned: always
  sample: /opt/circleci_server_ops/python/bin/python3
version:
  description: Its version. Empty in check mode where it is not there yet.
  type: str
  returned: always
changes:
  description: What was (or, in check mode, would be) changed.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._spec_bootstrap_python import (
    ARGUMENT_SPEC,
    REQUIREMENTS,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, **REQUIREMENTS)
    module.fail_json(
        msg="bootstrap_python works as a task of a play only: its action plugin needs no Python on the host."
    )


if __name__ == "__main__":
    main()
