# Compares Replicated's settings with the wanted ones and checks these against the settings page. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything here is pure. The forms of an item's value are those of facts 4.

from __future__ import annotations

__all__ = ["HIDDEN", "NOT_KNOWN", "UNSET", "ItemPlan", "Known", "Plan", "compare", "document_of", "same"]

import base64
import binascii
import difflib
import hashlib
import json
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated import FormItem
from ansible_collections.circleci_server.ops.plugins.module_utils._replicated_settings_request import Wanted

HIDDEN = "VALUE HIDDEN"
UNSET = "(unset)"
NOT_KNOWN = "(not known)"
SHOWN_LENGTH = 120
TRUE = frozenset(["1", "true", "yes", "on", "t", "y"])
FALSE = frozenset(["0", "false", "no", "off", "f", "n"])
TITLES = ("heading", "label")
TEXT_TYPES = ("text", "textarea", "password", "select", "select_one")
# Where nothing tells whether an item is hidden, its name decides whether its value is shown.
SECRET_NAME = re.compile(r"(?i)passw|passphrase|secret|token|credential|(?:api|private|access|license)_?key")
FIXED_REASON = (
    "CircleCI does not support changing GitHub's URL or backend after set-up, and doing so corrupts the installation "
    "(guide L183, L1928)"
)


class Known(NamedTuple):
    """What is known of the installation.

    hidden: the export with hidden items; None when there is nothing to ask yet.
    plain:  the export without them.
    form:   the settings page; None when it could not be read.
    """

    hidden: Optional[Mapping[str, Mapping[str, Any]]] = None
    plain: Optional[Mapping[str, Mapping[str, Any]]] = None
    form: Optional[Mapping[str, FormItem]] = None


class ItemPlan(NamedTuple):
    """One item: what is imported, whether that changes it, and how both sides are shown. boolean: see same()."""

    item: str
    entry: Dict[str, Any]
    boolean: bool
    changed: bool
    secret: bool
    before: Any
    after: Any

    @property
    def sentence(self) -> str:
        if self.secret:
            return "{0}: {1} -> {2}".format(self.item, self.before, self.after)
        return "{0}: {1} -> {2}".format(self.item, _short(self.before), _short(self.after))


class Plan(NamedTuple):
    """All items that can be set, in the order given, and what was left out, in words."""

    items: List[ItemPlan]
    warnings: List[str]

    @property
    def changed(self) -> List[ItemPlan]:
        return [one for one in self.items if one.changed]


def compare(
    wanted: Mapping[str, Wanted], known: Known, fixed: Sequence[str] = (), unknown_items: str = "refuse"
) -> Plan:
    """What an import would change. Raises OpsError for values that cannot be imported; nothing was sent then."""
    kept, faults, warnings = _sorted_out(wanted, known, unknown_items)
    plans = []
    for item, one in kept.items():
        fault = _fault(item, one, known)
        plan = _plan(item, one, known)
        if fault is None and item in fixed and plan.changed and known.hidden is not None:
            fault = _fixed_fault(one, plan, known.hidden.get(item, {}))
        if fault is not None:
            faults.append(fault)
        plans.append(plan)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise OpsError(" ".join(str(fault) for fault in faults))
    return Plan(plans, warnings)


def document_of(plans: Sequence[ItemPlan]) -> Dict[str, Dict[str, Any]]:
    """The document of an import."""
    return {plan.item: plan.entry for plan in plans}


def same(one: Mapping[str, Any], other: Mapping[str, Any], boolean: bool) -> bool:
    """Whether two values of an item mean the same; boolean: "1" and "true" do too.

    An empty text and an empty list are what is not set.
    """
    return _meaning(one, boolean) == _meaning(other, boolean)


# Which items, and whether their values fit


def _sorted_out(
    wanted: Mapping[str, Wanted], known: Known, unknown_items: str
) -> Tuple[Dict[str, Wanted], List[OpsError], List[str]]:
    if known.form is None:
        return dict(wanted), [], []
    kept, faults, warnings = {}, [], []
    for item, one in wanted.items():
        if item in known.form:
            kept[item] = one
            continue
        fault = _unknown(item, one, list(known.form))
        if unknown_items == "refuse":
            faults.append(fault)
        else:
            warnings.append("{0} It was left out.".format(fault))
    return kept, faults, warnings


def _unknown(item: str, wanted: Wanted, names: Sequence[str]) -> OpsError:
    near = difflib.get_close_matches(item, names, 3)
    hint = "Did you mean {0}?".format(" or ".join(near)) if near else "No name is near to it"
    return OpsError(
        "the application has no such setting",
        option=wanted.option,
        remedy="{0} `replicatedctl app-config view` on the host lists all".format(
            hint.rstrip(".") + ("" if near else ".")
        ),
    )


def _fault(item: str, wanted: Wanted, known: Known) -> Optional[OpsError]:
    """What is wrong with the value for this item, by its type on the settings page."""
    shape = (known.form or {}).get(item)
    if shape is None:
        return None
    if shape.type in TITLES:
        return OpsError("is a {0} of the settings page and has no value".format(shape.type), wanted.option)
    if wanted.is_file != (shape.type == "file"):
        return _wrong_kind(wanted, shape)
    multiple = _takes_several(shape, (known.hidden or {}).get(item, {}))
    if multiple is not None and multiple != wanted.multiple:
        return OpsError(
            "takes several values" if multiple else "takes one value, not a list",
            option=wanted.option,
            remedy="Write a list" if multiple else "Write the one value without the list's brackets or dash",
        )
    return None if wanted.is_file else _wrong_value(wanted, shape, _is_secret(item, wanted, known))


def _wrong_kind(wanted: Wanted, shape: FormItem) -> OpsError:
    prefix = "secret_" if wanted.secret else ""
    if wanted.is_file:
        return OpsError(
            "is an item of type {0}, not a file".format(shape.type),
            option=wanted.option,
            remedy="Give its value in {0}settings".format(prefix),
        )
    return OpsError(
        "is a file item, and a plain value was given",
        option=wanted.option,
        remedy="Give it in {0}files, with path or content".format(prefix),
    )


def _takes_several(shape: FormItem, present: Mapping[str, Any]) -> Optional[bool]:
    """Where the settings page does not tell, the item's present value does."""
    if shape.multiple is not None:
        return shape.multiple
    if "multi_value" in present or "multi_data" in present:
        return True
    return False if "value" in present or "data" in present else None


def _wrong_value(wanted: Wanted, shape: FormItem, secret: bool) -> Optional[OpsError]:
    for value in wanted.values:
        shown = None if secret else value
        if shape.type == "bool" and value and value.lower() not in TRUE | FALSE:
            return OpsError("must be true or false", wanted.option, shown, "Write true or false without quotes")
        if shape.type in TEXT_TYPES and wanted.booleans:
            return OpsError(
                "is an item of type {0}, and a boolean was given".format(shape.type),
                option=wanted.option,
                remedy='Put the value in quotes; YAML reads yes, no, on and off as booleans, write "yes"',
            )
        if shape.choices and value and value not in shape.choices:
            near = difflib.get_close_matches(value, shape.choices, 1)
            return OpsError(
                "is none of the values that can be chosen: {0}".format(", ".join(shape.choices)),
                option=wanted.option,
                value=shown,
                remedy="Did you mean {0}?".format(near[0]) if near and not secret else "Take one of them",
            )
    return None


def _fixed_fault(wanted: Wanted, plan: ItemPlan, present: Mapping[str, Any]) -> Optional[OpsError]:
    """A value that stands on a living installation must not become another one; where none stands it may be set."""
    if same(present, {}, plan.boolean):
        return None
    return OpsError(
        "is {0} on this installation and must not change: {1}".format(_short(plan.before), FIXED_REASON),
        option=wanted.option,
        value=None if plan.secret else plan.after,
        remedy="Set it to the present value, or leave it out. To move GitHub, ask CircleCI's support",
    )


# The comparison


def _plan(item: str, wanted: Wanted, known: Known) -> ItemPlan:
    present = dict((known.hidden or {}).get(item, {}))
    shape = (known.form or {}).get(item)
    boolean = wanted.booleans or (shape is not None and shape.type == "bool")
    entry = _entry(wanted, present, boolean)
    changed = known.hidden is None or not same(entry, present, boolean)
    secret = _is_secret(item, wanted, known)
    before = NOT_KNOWN if known.hidden is None else _shown(present, secret)
    after = _shown(entry, secret)
    if changed and before == HIDDEN and after == HIDDEN:
        after = HIDDEN + " (changed)"
    return ItemPlan(item, entry, boolean, changed, secret, before, after)


def _entry(wanted: Wanted, present: Mapping[str, Any], boolean: bool) -> Dict[str, Any]:
    """The value in the form of an import. A file keeps its present name unless another one is asked for."""
    if wanted.data is None:
        values = [_boolean_text(value) if boolean else value for value in wanted.values]
        return {"multi_value": values} if wanted.multiple else {"value": values[0]}
    old_names, old_data = _parts(present)
    names, data = [], []
    for index, content in enumerate(wanted.data):
        kept = not wanted.named[index] and index < len(old_data) and old_data[index] == content
        names.append(old_names[index] if kept and index < len(old_names) else wanted.values[index])
        data.append(base64.b64encode(content).decode("ascii"))
    if wanted.multiple:
        return {"multi_value": names, "multi_data": data}
    return {"value": names[0], "data": data[0]}


def _boolean_text(value: str) -> str:
    if value.lower() in TRUE:
        return "1"
    return "0" if value.lower() in FALSE else value


def _meaning(entry: Mapping[str, Any], boolean: bool) -> Tuple[Tuple[str, ...], Tuple[bytes, ...]]:
    values, data = _parts(entry)
    if not any(data) and not any(values):
        return (), ()
    return tuple(_boolean_text(value) if boolean else value for value in values), tuple(data)


def _parts(entry: Mapping[str, Any]) -> Tuple[List[str], List[bytes]]:
    """Values (of files: their names) and contents, of an item with one value or with several."""
    values, data = _listed(entry, "value"), _listed(entry, "data")
    return [_as_text(value) for value in values], [_decoded(_as_text(value)) for value in data]


def _listed(entry: Mapping[str, Any], key: str) -> List[Any]:
    several = entry.get("multi_" + key)
    if isinstance(several, list) and several:
        return several
    return [] if entry.get(key) is None else [entry[key]]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "surrogateescape")


# What is shown


def _is_secret(item: str, wanted: Wanted, known: Known) -> bool:
    """Given as a secret, of type password, hidden, or not shown by an export without --hidden."""
    shape = (known.form or {}).get(item)
    if wanted.secret or (shape is not None and (shape.hidden or shape.type == "password")):
        return True
    if known.plain is not None and not same((known.hidden or {}).get(item, {}), known.plain.get(item, {}), False):
        return True
    if known.plain is not None and item in (known.hidden or {}) and item not in known.plain:
        return True
    return shape is None and SECRET_NAME.search(item) is not None


def _shown(entry: Mapping[str, Any], secret: bool) -> Any:
    values, data = _parts(entry)
    if not any(values) and not any(data):
        return UNSET
    if secret:
        return HIDDEN
    if data:
        values = [_shown_file(name, content) for name, content in zip(values + [""] * len(data), data)]
    return values if "multi_value" in entry or "multi_data" in entry else values[0]


def _shown_file(name: str, content: bytes) -> str:
    return "{0} ({1} bytes, sha256 {2})".format(
        name or "(no name)", len(content), hashlib.sha256(content).hexdigest()[:12]
    )


def _short(value: Any) -> str:
    if value in (UNSET, NOT_KNOWN, HIDDEN):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."
