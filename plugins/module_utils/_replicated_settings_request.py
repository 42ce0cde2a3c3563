# Options of the settings: checks them all and turns them into the value that each item should have. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["SHORTEST_SECRET", "Wanted", "entries_of", "requested"]

import base64
import binascii
import difflib
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Sized, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

SHORTEST_SECRET = 8
FILE_KEYS = ("path", "content", "content_base64", "name")
CONTENT_KEYS = ("path", "content", "content_base64")


class Wanted(NamedTuple):
    """The value that an item should have.

    option:   where it was given, for messages.
    secret:   it was given in a secret option.
    multiple: it was given as a list.
    values:   texts; the names of a file item's files.
    data:     for each file its bytes; None for an item that is no file.
    booleans: every value was given as a boolean.
    named:    for each file whether its name was asked for; one that was not is no difference by itself.
    """

    option: str
    secret: bool
    multiple: bool
    values: Tuple[str, ...]
    data: Optional[Tuple[bytes, ...]] = None
    booleans: bool = False
    named: Tuple[bool, ...] = ()

    @property
    def is_file(self) -> bool:
        return self.data is not None


def requested(options: Mapping[str, Any]) -> Dict[str, Wanted]:
    """Item to wanted value, in the order given. Raises OpsError naming option, value and remedy.

    Nothing was read or sent then. On the controller the files of O(path) have been read before.
    """
    found: Dict[str, Wanted] = {}
    for option in ("settings", "secret_settings"):
        for item, value in (options[option] or {}).items():
            _add(found, item, _plain("{0}.{1}".format(option, item), value, option.startswith("secret")))
    names = (options.get("handover") or {}).get("file_names") or {}
    for option in ("files", "secret_files"):
        for item, value in (options[option] or {}).items():
            wanted = _file("{0}.{1}".format(option, item), str(item), value, option.startswith("secret"))
            if item in names:
                wanted = wanted._replace(
                    values=tuple(str(name) for name, _given in names[item]),
                    named=tuple(bool(given) for _name, given in names[item]),
                )
            _add(found, item, wanted)
    if not options["allow_short_secrets"]:
        for wanted in found.values():
            _refuse_short(wanted)
    return found


def entries_of(value: Any) -> List[Any]:
    """The files of a file item: one, or a list of them."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _add(found: Dict[str, Wanted], item: Any, wanted: Wanted) -> None:
    name = str(item)
    if not name.strip():
        raise OpsError("an item needs a name", option=wanted.option, remedy="Give the item's name as the key")
    if name in found:
        raise OpsError(
            "the same item is given twice, also as {0}".format(found[name].option),
            option=wanted.option,
            remedy="Remove one of the two",
        )
    found[name] = wanted


def _plain(option: str, value: Any, secret: bool) -> Wanted:
    multiple = isinstance(value, (list, tuple))
    parts = list(value) if multiple else [value]
    texts = tuple(_text(option, part, secret) for part in parts)
    booleans = bool(parts) and all(isinstance(part, bool) for part in parts)
    return Wanted(option, secret, multiple, texts, booleans=booleans)


def _text(option: str, value: Any, secret: bool) -> str:
    """Booleans are the texts 0 and 1 (facts 4), whole numbers their digits, texts stay; nothing else is taken."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (str, int)):
        return str(value)
    if value is None:
        raise OpsError(
            "has no value, and an import merges: whether it can take a value away is not known",
            option=option,
            remedy="Leave the item out to keep what is set, or give an empty text to blank it",
        )
    if isinstance(value, Mapping):
        raise OpsError(
            "is a dictionary, and no item takes one",
            option=option,
            remedy="Give a file item in files or secret_files; give another item a text, a number, a boolean or a list",
        )
    raise OpsError(
        "must be a text, a whole number, a boolean or a list of these, not {0}".format(type(value).__name__),
        option=option,
        value=None if secret else value,
        remedy="Put the value in quotes",
    )


def _file(option: str, item: str, value: Any, secret: bool) -> Wanted:
    multiple = isinstance(value, (list, tuple))
    names, data, named = [], [], []
    for entry in entries_of(value):
        _check_entry(option, entry, secret)
        names.append(entry.get("name") or item)
        named.append(bool(entry.get("name")))
        data.append(_content(option, entry))
    return Wanted(option, secret, multiple, tuple(names), tuple(data), named=tuple(named))


def _check_entry(option: str, entry: Any, secret: bool) -> None:
    if not isinstance(entry, Mapping):
        raise OpsError(
            "is a file item, so it must be a dictionary, not {0}".format(type(entry).__name__),
            option=option,
            value=None if secret else entry,
            remedy="Write path: FILE (on the controller) or content: TEXT below it; give a plain value in settings",
        )
    for key in entry:
        if key not in FILE_KEYS:
            near = difflib.get_close_matches(str(key), FILE_KEYS, 1)
            raise OpsError(
                "{0!r} is no key of a file item".format(str(key)),
                option=option,
                remedy="{0}Known are: {1}".format(
                    "Did you mean {0}? ".format(near[0]) if near else "", ", ".join(FILE_KEYS)
                ),
            )
    given = [key for key in CONTENT_KEYS if entry.get(key) is not None]
    if len(given) != 1:
        raise OpsError(
            "needs one of {0}, and has {1}".format(", ".join(CONTENT_KEYS), " and ".join(given) or "none"),
            option=option,
            remedy="Give exactly one of them",
        )
    for key in FILE_KEYS:
        if entry.get(key) is not None and not isinstance(entry[key], str):
            raise OpsError(
                "{0} must be a text, not {1}".format(key, type(entry[key]).__name__),
                option=option,
                remedy="Put it in quotes",
            )


def _content(option: str, entry: Mapping[str, Any]) -> bytes:
    if entry.get("path") is not None:
        raise OpsError(
            "a path is read on the controller, by the action plugin, not on a host",
            option=option,
            value=entry["path"],
            remedy="Call circleci_server.ops.replicated_settings as a task of its own, or give content",
        )
    if entry.get("content") is not None:
        return str(entry["content"]).encode("utf-8")
    try:
        return base64.b64decode("".join(entry["content_base64"].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise OpsError(
            "content_base64 is no base64: {0}".format(error), option=option, remedy="Encode it with b64encode"
        ) from error


def _refuse_short(wanted: Wanted) -> None:
    if not wanted.secret:
        return
    secrets: Sequence[Sized] = wanted.values if wanted.data is None else wanted.data
    for secret in secrets:
        # An empty one, which blanks the item, censors nothing.
        if 0 < len(secret) < SHORTEST_SECRET:
            raise OpsError(
                "a secret of fewer than {0} characters would censor every text that contains it".format(
                    SHORTEST_SECRET
                ),
                option=wanted.option,
                remedy="Take a longer one, give it in {0}, or set allow_short_secrets: true, which turns this call's "
                "result and diff off".format("settings" if wanted.data is None else "files"),
            )
