# The options of replicated_settings, in one place for module, action plugin and tests. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["ARGUMENT_SPEC"]

from typing import Any, Dict

ARGUMENT_SPEC: Dict[str, Any] = {
    "settings": {"type": "dict", "default": {}},
    "secret_settings": {"type": "dict", "default": {}, "no_log": True},
    "files": {"type": "dict", "default": {}},
    "secret_files": {"type": "dict", "default": {}, "no_log": True},
    "allow_short_secrets": {"type": "bool", "default": False, "no_log": False},
    "fixed_items": {"type": "list", "elements": "str", "default": ["ghe_type", "ghe_domain"]},
    "hostname_items": {"type": "list", "elements": "str", "default": ["hostname", "ghe_domain"]},
    "unknown_items": {"type": "str", "choices": ["refuse", "warn"], "default": "refuse"},
    "bootstrap_file": {"type": "path"},
    "owner": {"type": "str", "default": "replicated_settings"},
    "when": {"type": "str", "choices": ["now", "with_next"], "default": "now"},
    "ready_timeout": {"type": "int", "default": 300},
    "lock_timeout": {"type": "int", "default": 600},
    # Between the two sides of the module; the action fills it.
    "handover": {"type": "dict", "default": {}},
}
