# The base of every action plugin of this collection: checks options, keeps secrets out of all that is shown. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to write an action plugin on this base.

An action plugin has the name of a module. Its options stand once, in plugins/module_utils/_spec_NAME.py, and both
sides import them from there. ``plugins/action/example.py`` is then no more than this::

    from ansible_collections.circleci_server.ops.plugins.module_utils._spec_example import ARGUMENT_SPEC, REQUIREMENTS
    from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction


    class ActionModule(OpsAction):
        ARGUMENT_SPEC = ARGUMENT_SPEC
        REQUIREMENTS = REQUIREMENTS  # mutually_exclusive and so on; leave it out when there are none

        def act(self, arguments, task_vars):
            token = ask_somebody(arguments["url"])
            self.add_secrets(token)                    # a secret that is in no option
            self.progress("waits for the host")        # one scrubbed line on stderr, at once
            if nothing_fits:
                raise OpsError("nothing fits", option="url", value=arguments["url"], remedy="Set another url")
            result = self.host(arguments, task_vars)   # the module of the same name, on the host
            if result.get("failed"):
                return result                          # what the host says is passed on
            self.warn("something to know")             # shown as a warning, scrubbed
            return dict(result, more="facts")

- ``act`` gets the options as the spec made them (types, defaults, suboptions) and returns a result dictionary.
- An OpsError becomes a failed result with its text and facts; another exception goes on to Ansible, without secrets.
- Every value of a ``no_log`` option (also in suboptions, defaults, fallbacks) is taken out of the result, diff,
  warnings, exception text and progress lines. Ansible itself does not do this for action plugins.
- ``host`` keeps check mode, diff, become and the connection of the task, sends no option that is unset (None: to a
  module it would count as given), and drops ``invocation``.
- ``self.check_mode`` tells whether the task runs in check mode.
"""

from __future__ import annotations

__all__ = ["OpsAction", "collect_secrets", "scrub"]

import json
import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, ClassVar

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.common.validation import check_type_dict
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

# A line of a secret of several lines (a private key) is a secret by itself from this length on.
SECRET_LINE_LENGTH = 16
COMMENT_MARKS = ("#", "//", ";", "-----")


class OpsAction(ActionBase):
    """An action plugin whose secrets stay secret; see the text at the top of this file."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {}
    REQUIREMENTS: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._secrets: set[str] = set()
        self._notes: list[str] = []
        self._hostname = ""

    @property
    def check_mode(self) -> bool:
        """True when the task must not change anything."""
        return bool(self._task.check_mode)

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The work itself, in the class that is made on this one."""
        raise NotImplementedError("an action plugin of this collection defines act()")

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What Ansible calls: check the options, act, scrub whatever comes of it."""
        super().run(None, task_vars)
        del tmp
        with _ScrubbedErrors(self._secrets):
            result = self._checked_act(task_vars or {})
        if self._notes:
            result = dict(result, warnings=[*result.get("warnings", []), *self._notes])
        cleaned: dict[str, Any] = scrub(result, self._secrets)
        return cleaned

    def host(self, arguments: dict[str, Any], task_vars: dict[str, Any], module: str = "") -> dict[str, Any]:
        """Run a module of this collection on the host (by default the one of the task) and return its result."""
        name = module or str(self._task.action).rsplit(".", 1)[-1]
        result: dict[str, Any] = self._execute_module(
            module_name="circleci_server.ops." + name,
            module_args=_given(self.ARGUMENT_SPEC, arguments),
            task_vars=task_vars,
        )
        result.pop("invocation", None)
        return result

    def add_secrets(self, *values: Any) -> None:
        """Take these values out of everything that is shown from now on."""
        for value in values:
            self._secrets.update(_texts(value))

    def progress(self, text: str) -> None:
        """Show one line at once, on stderr: stdout belongs to the callback."""
        line = f"{self._hostname}: {text}" if self._hostname else text
        Display().display(scrub(line, self._secrets), stderr=True)

    def warn(self, text: str) -> None:
        """Add a warning to the result."""
        self._notes.append(text)

    def _checked_act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        self._hostname = str(task_vars.get("inventory_hostname", ""))
        given = _plain(self._task.args)
        self._secrets.update(collect_secrets(self.ARGUMENT_SPEC, given))
        checked = ArgumentSpecValidator(self.ARGUMENT_SPEC, **self.REQUIREMENTS).validate(given)
        arguments = checked.validated_parameters
        self._secrets.update(collect_secrets(self.ARGUMENT_SPEC, arguments))
        if checked.error_messages:
            return {"failed": True, "changed": False, "msg": "; ".join(checked.error_messages)}
        try:
            return self.act(arguments, task_vars)
        except OpsError as error:
            return {"changed": False, **error.as_result(), "failed": True}


class _ScrubbedErrors:
    """Let an exception pass as it is unless a secret would be shown with it; then one without takes its place."""

    def __init__(self, secrets: set[str]) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        shown = "".join(traceback.format_exception(kind, error, trace))
        if scrub(shown, self._secrets) != shown:
            raise AnsibleError(f"{type(error).__name__}: {scrub(str(error), self._secrets)}") from None


def collect_secrets(spec: Mapping[str, Any], values: Mapping[str, Any]) -> set[str]:
    """All that must not be shown: the values of no_log options at any depth, as the texts in which they may appear."""
    found: set[str] = set()
    for name, option in spec.items():
        for key in [name, *option.get("aliases", [])]:
            value = values.get(key)
            if option.get("no_log"):
                found.update(_texts(value))
            elif option.get("options"):
                found.update(_nested_secrets(option["options"], value))
    return found


def scrub(value: Any, secrets: set[str]) -> Any:
    """A copy of a result or a text without the secrets; keys stay."""
    if isinstance(value, Mapping):
        return {key: scrub(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrub(item, secrets) for item in value]
    if value is None or isinstance(value, (str, bytes, bool, int, float)):
        return remove_values(value, secrets)
    # What ansible-core keeps in a result beside plain data (summaries of errors and warnings): only repr shows it all.
    shown = repr(value)
    cleaned = remove_values(shown, secrets)
    return value if cleaned == shown else cleaned


def _given(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Options without those that are unset, also among suboptions; the free keys of a dict option stay."""
    return {
        name: _given_value((spec.get(name) or {}).get("options"), value)
        for name, value in values.items()
        if value is not None
    }


def _given_value(inner: Mapping[str, Any] | None, value: Any) -> Any:
    if inner and isinstance(value, (list, tuple)):
        return [_given_value(inner, item) for item in value]
    return _given(inner, value) if inner and isinstance(value, Mapping) else value


def _nested_secrets(spec: Mapping[str, Any], value: Any) -> set[str]:
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in _nested_secrets(spec, item)}
    if isinstance(value, str) and _has_secrets(spec):
        try:
            value = check_type_dict(value)
        except (TypeError, ValueError):
            return set(_texts(value))
    return collect_secrets(spec, value) if isinstance(value, Mapping) else set()


def _has_secrets(spec: Mapping[str, Any]) -> bool:
    return any(option.get("no_log") or _has_secrets(option.get("options") or {}) for option in spec.values())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield from _forms(to_text(value, errors="surrogate_or_replace", nonstring="simplerepr"))


def _forms(text: str) -> Iterator[str]:
    """A secret as it is and as messages show it: without blanks around it, by repr, as JSON, each long line alone."""
    lines = (line.strip() for line in text.splitlines())
    alone = [line for line in lines if len(line) >= SECRET_LINE_LENGTH and not line.startswith(COMMENT_MARKS)]
    for form in (text, text.strip(), *alone):
        if form.strip():
            yield form
            yield repr(form)[1:-1]
            yield json.dumps(form)[1:-1]
            yield json.dumps(form, ensure_ascii=False)[1:-1]


def _plain(value: Any) -> Any:
    """Options as plain data: ansible-core 2.17 hands a vaulted value on as an object, which str() decrypts."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    return str(value)
