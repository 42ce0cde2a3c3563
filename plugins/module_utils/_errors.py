# The one exception of the host-side library: what went wrong, which option and value, what to do. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["OpsError"]

from typing import Any, Dict, Optional


class OpsError(Exception):
    """An error that a person can act on.

    message: what went wrong and where, without a full stop at its end.
    option:  the option (or variable) that is to blame, if one is.
    value:   its value, shown with repr; never give a secret here.
    remedy:  what to do about it, a sentence.
    facts:   further keys of the module's result.
    """

    def __init__(
        self,
        message: str,
        option: Optional[str] = None,
        value: Any = None,
        remedy: Optional[str] = None,
        facts: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.option = option
        self.value = value
        self.remedy = remedy
        self.facts = dict(facts or {})

    def __str__(self) -> str:
        text = self.message
        if self.option is not None:
            shown = "" if self.value is None else " = {0!r}".format(self.value)
            text = "{0}{1}: {2}".format(self.option, shown, text)
        text = text.rstrip(".") + "."
        if self.remedy:
            text += " " + self.remedy.rstrip(".") + "."
        return text

    def as_result(self) -> Dict[str, Any]:
        """The arguments for a module's fail_json."""
        return dict(self.facts, msg=str(self))
