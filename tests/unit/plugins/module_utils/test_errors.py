# Tests of _errors: a message names option, value and remedy.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError


def test_message_names_option_value_and_remedy() -> None:
    error = OpsError("is no port", option="port", value="x", remedy="Give a number")
    assert str(error) == "port = 'x': is no port. Give a number."


def test_message_without_option_ends_with_one_full_stop() -> None:
    assert str(OpsError("the disk is full.")) == "the disk is full."


def test_option_without_value_hides_the_value() -> None:
    assert str(OpsError("is too short", option="token")) == "token: is too short."


def test_result_carries_facts() -> None:
    assert OpsError("no", facts={"owed": [1]}).as_result() == {"owed": [1], "msg": "no."}
