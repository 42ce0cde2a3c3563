#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module replicated_settings: the application's settings in Replicated, all in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: replicated_settings
short_description: Set the application's settings in Replicated
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Compares all settings of the call with C(replicatedctl app-config export --hidden), imports those that differ in one
    import, exports again, and fails for an item that did not take its value. Items that are not named stay as they are.
  - Everything is checked before anything is sent - names and types against C(replicatedctl app-config view), files
    against the controller. Where the settings page has another form than expected, names and types are not checked and
    a warning says so.
  - Imported settings take effect at C(replicatedctl app apply-config), which restarts the application. This module
    starts none - it records that one is owed before it imports. M(circleci_server.ops.replicated_restart) settles it.
    When nothing of an import took, nothing is owed for it.
  - Values reach C(replicatedctl) by its standard input, never in its arguments.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  settings:
    description:
      - Item to value. A boolean is sent as V("1") or V("0"), a whole number as its digits, a text as it is, a list as
        the values of a multiple item. Booleans are compared by meaning.
      - An empty text stands for an item that is not set. Null is refused, because an import merges and whether it can
        take a value away is not known.
      - The value of an item of type C(password), or of one that C(replicatedctl) hides, is not shown here either. Give
        it in O(secret_settings) all the same, so that Ansible keeps it out of its own output.
    type: dict
    default: {}
  secret_settings:
    description:
      - The same for values that no result, diff or log may show.
      - A value of fewer than 8 characters is refused unless O(allow_short_secrets=true).
    type: dict
    default: {}
  files:
    description:
      - File item to a dictionary with one of C(path) (a file on the controller, found as M(ansible.builtin.copy) does
        it), C(content) (a text) and C(content_base64); for a multiple item a list of such.
      - C(name) is the file's name in Replicated. Without it that is the last part of C(path), or the item's name, and
        a file with the same content and another name is left alone.
    type: dict
    default: {}
  secret_files:
    description:
      - The same for contents that no result, diff or log may show. Paths and names are shown in messages.
    type: dict
    default: {}
  allow_short_secrets:
    description:
      - Accept secrets of fewer than 8 characters. The result of such a call has only C(changed), and no diff.
    type: bool
    default: false
  fixed_items:
    description:
      - Items that keep the value that they have on a living installation; another one is refused. They may be set where
        no value stands yet.
      - The guide says that GitHub's URL and backend must never change after set-up (L183, L1928).
    type: list
    elements: str
    default: [ghe_type, ghe_domain]
  hostname_items:
    description: Items whose values are host names. One that the host itself cannot resolve gives a warning.
    type: list
    elements: str
    default: [hostname, ghe_domain]
  unknown_items:
    description:
      - What to do with an item that the settings page does not list. V(refuse) fails and names the near ones, V(warn)
        leaves it out and warns.
    type: str
    choices: [refuse, warn]
    default: refuse
  bootstrap_file:
    description:
      - Write the settings to this file of the host, mode 0600, instead of importing them, and owe nothing.
      - For C(ImportSettingsFrom) in C(/etc/replicated.conf), which Replicated reads at its first start only. Names and
        types of items cannot be checked then.
      - The file holds the items of this call and no others.
    type: path
  owner:
    description: Who sets them, usually the role; stands in the pending record and in the lock.
    type: str
    default: replicated_settings
  when:
    description:
      - Whether the recorded restart is due V(now), or can wait and is settled V(with_next) restart of the application.
    type: str
    choices: [now, with_next]
    default: now
  ready_timeout:
    description:
      - Seconds to wait for Replicated's daemon, which may say that it is not ready for a minute after its start.
      - In check mode at most 20 of them are waited, then a warning says that what is set now is not known.
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
  - In check mode on a host where Replicated is not installed, or does not answer, every item counts as a change. A
    warning says so.
"""

EXAMPLES = r"""
- name: Set the host name, the GitHub application and the web application's certificate
  circleci_server.ops.replicated_settings:
    settings:
      hostname: circleci.example.com
      ghe_type: github_type_public
      ghe_client_id: 0f3c9a
      cloudwatch_enabled: false
    secret_settings:
      ghe_client_secret: "{{ vault_github_client_secret }}"
      secret_passphrase: "{{ vault_circleci_passphrase }}"
    files:
      ssl_cert:
        path: circleci.example.com.pem
    secret_files:
      ssl_private_key:
        content: "{{ vault_circleci_private_key }}"
        name: circleci.example.com.key

- name: Write what Replicated imports at its first start
  circleci_server.ops.replicated_settings:
    bootstrap_file: /etc/replicated-settings.json
    settings:
      hostname: circleci.example.com
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed, a sentence each. Secrets are V(VALUE HIDDEN).
  type: list
  elements: str
  returned: unless O(allow_short_secrets=true)
  sample: ['hostname: (unset) -> "circleci.example.com"', "ghe_client_secret: VALUE HIDDEN -> VALUE HIDDEN (changed)"]
changed_items:
  description: Items that changed.
  type: list
  elements: str
  returned: unless O(allow_short_secrets=true)
unchanged:
  description: How many items of the call had their value already.
  type: int
  returned: unless O(allow_short_secrets=true)
before:
  description: >-
    Item to its value before, as a text or a list; V((unset)), V((not known)) and V(VALUE HIDDEN) stand for such values,
    name, size and checksum for a file.
  type: dict
  returned: unless O(allow_short_secrets=true)
after:
  description: The same after the import; V(VALUE HIDDEN (changed)) stands for a secret that changed.
  type: dict
  returned: unless O(allow_short_secrets=true)
owed:
  description: What these changes owe, as it stands in the pending record.
  type: list
  elements: dict
  returned: unless O(allow_short_secrets=true)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings import settle_settings
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_replicated_settings import ARGUMENT_SPEC


def main() -> None:
    # no_log: the options hold whole files, and passwords that were not given as secrets; the journal gets none of it.
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True, no_log=True)
    try:
        result = settle_settings(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
