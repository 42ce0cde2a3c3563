# The options of replicated_install, in one place for module, action and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "phase": {"type": "str", "choices": ["install", "look"], "default": "install"},
    "version": {"type": "str", "default": ""},
    "default_version": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "checksum": {"type": "str", "default": ""},
    "airgap_file": {"type": "str", "default": ""},
    "airgap_path": {"type": "str", "default": ""},
    "airgap_script": {"type": "str", "default": "install.sh"},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "airgap_package": {"type": "str", "default": ""},
    "license_file": {"type": "str", "default": ""},
    # The proxy's address may hold a password.
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "units": {"type": "list", "elements": "str", "default": ["replicated-ui", "replicated", "replicated-operator"]},
    "timeout": {"type": "int", "default": 1800},
    "ready_timeout": {"type": "int", "default": 300},
    "license_timeout": {"type": "int", "default": 60},
    "owner": {"type": "str", "default": "services_host"},
    "lock_timeout": {"type": "int", "default": 600},
    # Between the two sides of the module; the action fills it.
    "handover": {"type": "dict", "default": {}},
}
