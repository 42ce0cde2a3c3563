#!/usr/bin/python
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module circleci_customization: overrides of services and of the installation, all in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: circleci_customization
short_description: Set customizations of CircleCI Server's services
version_added: 0.1.0
author:
  - circleci_server.ops contributors (@circleci-server-ops)
description:
  - Sets variables in C(/etc/circleconfig/SERVICE/customizations) and in C(/etc/circle-installation-customizations) on
    the services host, all services in one call. Containers read these files by a shell at their start.
  - Lines are written as C(export KEY='value') with the owner in a comment behind them. Lines and comments of others
    stay in place. A key that a person set is adopted when its value differs, and the diff says so. A line with the
    wanted value is left as a person wrote it, whatever its style, and then stays that person's.
  - A key that is set but not exported (by C(export) or C(set -a)) is written anew, because programs would not see it.
  - Several lines for one key become one when the key is written.
  - Files are read without running them. What C(bash), C(dash) and C(busybox sh) read alike is understood. A carriage
    return before the end of a line is part of the value, as it is for these shells.
  - Every file is read and compared before the first one is written. When one is refused, none is written.
  - What must restart is recorded before the first write. M(circleci_server.ops.replicated_restart) settles it.
extends_documentation_fragment:
  - circleci_server.ops.attributes
options:
  services:
    description:
      - Service to variables to values. A service is named as its container, as its override directory, or in any other
        spelling of the operations guide.
      - The guide lists two directories for the migrator of the federations service. The name of a directory means that
        directory. C(federation-service-migrator) means both, because which one the container reads is not known.
      - Values are strings. A whole number is taken as its digits. Anything else, C(true) included, must be quoted.
      - E(JVM_HEAP_SIZE) must be a number and one of V(k), V(m), V(g). That is an assumption, as the guide does not say
        what it takes. E(CIRCLE_URL) must be C(scheme://host).
    type: dict
    default: {}
  secret_services:
    description:
      - The same for values that no result, diff or log may show. A file that holds one gets O(secret_file_mode).
      - A value of fewer than 8 characters is refused unless O(allow_short_secrets=true).
    type: dict
    default: {}
  installation:
    description: Variables of the file that services of the whole installation read.
    type: dict
    default: {}
  secret_installation:
    description: The same for values that no result, diff or log may show.
    type: dict
    default: {}
  state:
    description:
      - V(present) sets the variables.
      - V(absent) removes the lines of O(owner) for the variables that are named. Their values count for nothing.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - In whose name lines are written. Only lines of this owner are ever removed by O(state=absent) and O(purge).
      - Two owners who want different values for one variable are an error.
    type: str
    default: administrator
  purge:
    description:
      - V(owner) also removes all other lines of O(owner), from every file in O(config_dir) and from
        O(installation_file), so that what this call names is all that the owner sets.
    type: str
    choices: [none, owner]
    default: none
  config_dir:
    description: Directory of the services' override directories.
    type: path
    default: /etc/circleconfig
  installation_file:
    description: File of the whole installation.
    type: path
    default: /etc/circle-installation-customizations
  allow_unknown_services:
    description: Accept a service that the catalogue does not know. Its name is taken for directory and container.
    type: bool
    default: false
  unreadable_lines:
    description:
      - What to do with a line that cannot be read without running it (a command substitution, a conditional, C(. file),
        a reference to a variable) and that may set a variable that this call sets. Other such lines always stay.
      - V(refuse) writes nothing and names the line.
      - V(keep) writes the variable after it, so that it wins. Where nothing can win, after C(exit) or C(readonly), the
        file is refused all the same.
    type: str
    choices: [refuse, keep]
    default: refuse
  allow_short_secrets:
    description: Accept secrets of fewer than 8 characters. The result of such a call has only C(changed), and no diff.
    type: bool
    default: false
  secret_file_mode:
    description:
      - Mode of a file that holds a secret of this call. A stricter mode of an existing file is kept. The default lets
        only root read it, as containers that read these files are expected to run as root.
    type: str
    default: "0600"
  restart_when:
    description:
      - Whether the recorded restart is due V(now), or can wait and is settled V(with_next) restart of the container.
    type: str
    choices: [now, with_next]
    default: now
  lock_timeout:
    description: Seconds to wait for another run's lock on the host.
    type: int
    default: 600
seealso:
  - module: circleci_server.ops.replicated_restart
  - plugin: circleci_server.ops.catalogue
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Set a heap and a banner of the web application, and the address of the installation
  circleci_server.ops.circleci_customization:
    services:
      frontend:
        JVM_HEAP_SIZE: 2g
        CIRCLE__OUTER__LOGIN_BANNER_MESSAGE: "Don't forget: maintenance on Friday"
    installation:
      CIRCLE_URL: https://circleci.example.com

- name: Set a password of the scheduler and nothing else in this owner's name
  circleci_server.ops.circleci_customization:
    secret_services:
      picard-scheduler:
        DOCKER_HTTP_PROXY: "http://user:{{ vault_proxy_password }}@proxy.example.com:3128"
    owner: proxy
    purge: owner

- name: Remove the heap again
  circleci_server.ops.circleci_customization:
    services:
      frontend:
        JVM_HEAP_SIZE:
    state: absent
"""

RETURN = r"""
changes:
  description: What was (or, in check mode, would be) changed, a sentence each. Secrets are masked.
  type: list
  elements: str
  returned: unless O(allow_short_secrets=true)
  sample: ["frontend: JVM_HEAP_SIZE set to '2g' (was '1g', set by hand on line 3 and adopted)"]
changed_services:
  description:
    - Containers that must restart, by their name in C(docker ps). A change of the installation file names every
      container that reads it. The guide does not list these. They are taken to be all containers with an override
      directory, and C(dispatcher), C(legacy-notifier) and C(federations-service).
  type: list
  elements: str
  returned: unless O(allow_short_secrets=true)
files:
  description: Files whose content or mode changed.
  type: list
  elements: str
  returned: unless O(allow_short_secrets=true)
owed:
  description: The entries of the pending record that this call made.
  type: list
  elements: dict
  returned: unless O(allow_short_secrets=true)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.circleci_server.ops.plugins.module_utils._customization import customize
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_circleci_customization import ARGUMENT_SPEC


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = customize(module.params, check=module.check_mode)
    except OpsError as error:
        module.fail_json(**error.as_result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
