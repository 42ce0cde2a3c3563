# Options of a customization: checks them all and turns them into the values that each file should have. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["INSTALLATION", "Request", "Wanted", "requested"]

import re
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils import _catalogue as catalogue
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._shell import is_name

# Stands for the installation file where an override directory's name stands for a service's file.
INSTALLATION = "installation"
SHORTEST_SECRET = 8

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@/-]*")
_DIRECTORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MODE = re.compile(r"0?[0-7]{3}")
# The guide does not say what it takes; this is what a JVM's -Xmx takes, in small letters.
_HEAP = re.compile(r"[1-9][0-9]*[kmg]")
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
# Variables that shells compute, make read-only or interpret themselves: a value would not come back, or break the file.
_SHELLS_OWN = frozenset(
    ["_", "UID", "EUID", "PPID", "GROUPS", "RANDOM", "SRANDOM", "SECONDS", "LINENO", "OPTIND", "IFS", "FUNCNAME"]
    + ["SHELLOPTS", "SHLVL", "DIRSTACK", "HISTCMD", "EPOCHSECONDS", "EPOCHREALTIME", "POSIXLY_CORRECT", "BASH"]
    + ["BASHPID", "BASHOPTS"]
)


class Wanted(NamedTuple):
    """A value that a key should have; secret: it is shown nowhere. option: where it was given, for messages."""

    value: str
    secret: bool
    option: str


class Request(NamedTuple):
    """The checked options.

    files:  override directory, or INSTALLATION, to key to value (state=absent: the values count for nothing).
    state, owner, purge: as in the options. keep: unreadable_lines is "keep".
    """

    files: Dict[str, Dict[str, Wanted]]
    state: str
    owner: str
    purge: bool
    keep: bool
    secret_mode: int


def requested(options: Mapping[str, Any]) -> Request:
    """Check every option. Raises OpsError naming option, value and remedy; nothing was read or written then."""
    owner = options["owner"]
    if not _OWNER.fullmatch(owner):
        raise OpsError(
            "an owner is a letter or digit, then letters, digits and any of _ . @ / -", option="owner", value=owner
        )
    mode = options["secret_file_mode"]
    if not _MODE.fullmatch(mode):
        raise OpsError("is not a file mode", option="secret_file_mode", value=mode, remedy='Write it like "0600"')
    absent = options["state"] == "absent"
    files: Dict[str, Dict[str, Wanted]] = {}
    for option in ("services", "secret_services"):
        for service, settings in _mapping(option, options[option] or {}).items():
            place = "{0}.{1}".format(option, service)
            checked = _settings(place, settings, option.startswith("secret"), absent, options["allow_short_secrets"])
            for directory in _directories(option, str(service), options["allow_unknown_services"]):
                _merge(files.setdefault(directory, {}), checked, absent)
    for option in ("installation", "secret_installation"):
        checked = _settings(
            option, options[option] or {}, option.startswith("secret"), absent, options["allow_short_secrets"]
        )
        if checked:
            _merge(files.setdefault(INSTALLATION, {}), checked, absent)
    return Request(
        files, options["state"], owner, options["purge"] == "owner", options["unreadable_lines"] == "keep", int(mode, 8)
    )


def _mapping(option: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise OpsError(
            "must be a dictionary, not {0}".format(type(value).__name__),
            option=option,
            remedy="Write KEY: value pairs below it, or {} for none",
        )
    return value


def _settings(place: str, settings: Any, secret: bool, absent: bool, allow_short: bool) -> Dict[str, Wanted]:
    checked = {}
    for key, value in _mapping(place, settings).items():
        where = "{0}.{1}".format(place, key)
        _check_key(where, key)
        text = "" if absent else _text(where, value, secret)
        if not absent:
            _check_value(where, str(key), text, secret, allow_short)
        checked[str(key)] = Wanted(text, secret, where)
    return checked


def _check_key(where: str, key: Any) -> None:
    if not isinstance(key, str) or not is_name(key):
        raise OpsError(
            "is no name that a shell takes for a variable",
            option=where,
            value=key,
            remedy="Use letters, digits and underscores, not beginning with a digit",
        )
    if key in _SHELLS_OWN or key.startswith("BASH_"):
        raise OpsError(
            "is a variable of the shell itself, a value would not arrive", option=where, remedy="Use another name"
        )


def _text(where: str, value: Any, secret: bool) -> str:
    """The value as text: strings as they are, whole numbers in digits, nothing else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise OpsError(
        "must be a string, not {0}".format(type(value).__name__),
        option=where,
        value=None if secret else value,
        remedy='Put the value between quotes, for example "true": what a service takes for true is not YAML\'s choice',
    )


def _check_value(where: str, key: str, text: str, secret: bool, allow_short: bool) -> None:
    shown = None if secret else text
    if "\0" in text:
        raise OpsError("has a NUL character, which no shell can give back", option=where, remedy="Remove it")
    if key == "JVM_HEAP_SIZE" and not _HEAP.fullmatch(text):
        raise OpsError(
            "is not a heap size of the form N[kmg], a number and one of k, m, g",
            option=where,
            value=shown,
            remedy="Write for example 2g or 1536m",
        )
    if key == "CIRCLE_URL" and not _URL.fullmatch(text):
        raise OpsError(
            "is not of the form scheme://host (http or https, no path)",
            option=where,
            value=shown,
            remedy="Write for example https://circleci.example.com",
        )
    if secret and len(text) < SHORTEST_SECRET and not allow_short:
        raise OpsError(
            "a secret of fewer than {0} characters would censor every text that contains it".format(SHORTEST_SECRET),
            option=where,
            remedy="Take a longer one, or set allow_short_secrets: true, which turns this call's result and diff off",
        )


def _directories(option: str, service: str, allow_unknown: bool) -> Tuple[str, ...]:
    directories = catalogue.directories_of(service)
    if directories:
        return directories
    if allow_unknown:
        if not _DIRECTORY.fullmatch(service):
            raise OpsError("is no name for a directory", option=option, value=service, remedy="Name one directory")
        return (service,)
    known = catalogue.resolve(service)
    if known is not None:
        raise OpsError(
            "the service {0} has no override directory".format(known.name),
            option=option,
            value=service,
            remedy="Set the value in installation, for all services, or set allow_unknown_services: true",
        )
    near = catalogue.near(service)
    hint = "Did you mean {0}? ".format(" or ".join(near)) if near else ""
    raise OpsError(
        "is no service with customizations",
        option=option,
        value=service,
        remedy="{0}Known are: {1}".format(hint, ", ".join(catalogue.override_directories())),
    )


def _merge(into: Dict[str, Wanted], more: Dict[str, Wanted], absent: bool) -> None:
    for key, wanted in more.items():
        other = into.get(key)
        if other is not None and not absent and (other.value != wanted.value or other.secret != wanted.secret):
            raise OpsError(
                "the same key of the same file is given twice, also as {0}".format(other.option),
                option=wanted.option,
                remedy="Remove one of the two",
            )
        into[key] = wanted
