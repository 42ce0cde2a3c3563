# What differs between the versions of ansible-core that this collection runs on. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["RENDER_ERRORS", "render_template", "trust_as_template"]

from collections.abc import Callable, Sequence
from typing import Any

import ansible.template
from ansible.errors import AnsibleError
from jinja2.exceptions import TemplateError

# As ansible.builtin.template has it.
LAYOUT = {"trim_blocks": True, "lstrip_blocks": False}


# What render_template() raises. From 2.19 on all is an AnsibleError; before, what a filter raises comes as it is.
RENDER_ERRORS = (AnsibleError, TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _unchanged(text: Any) -> Any:
    return text


# From 2.19 on, text is a template only if it was marked as trusted; without the mark `{{ }}` would reach a host as it
# is, in silence. Before 2.19 there is no such function and every text is a template.
trust_as_template: Callable[[Any], Any] = getattr(ansible.template, "trust_as_template", _unchanged)


def render_template(templar: Any, text: str, variables: Any, search_path: Sequence[str]) -> Any:
    """The text of a template file, rendered as ansible.builtin.template does it; its last newline stays.

    templar: the action's own; variables: the task's; search_path: directories for include and import.
    Raises one of RENDER_ERRORS; AnsibleUndefinedVariable where a variable is missing.
    The result of 2.19 need not be text: a file of nothing but `{{ a_list }}` gives the list.
    """
    if trust_as_template is _unchanged:
        # Before 2.19: this environment gives text also where native types are switched on.
        renderer = templar.copy_with_new_env(
            environment_class=ansible.template.AnsibleEnvironment,
            searchpath=list(search_path),
            available_variables=variables,
        )
        return renderer.do_template(text, preserve_trailing_newlines=True, escape_backslashes=False, overrides=LAYOUT)
    renderer = templar.copy_with_new_env(searchpath=list(search_path), available_variables=variables)
    return renderer.template(trust_as_template(text), escape_backslashes=False, overrides=LAYOUT)
