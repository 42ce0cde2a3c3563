# Tests of redaction: no form of a known secret stays, what only looks like one goes too, plain text stays.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._redact import HIDDEN, redact, secret_values

CANARY = 'canary"\\ 7/ä&'


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(CANARY, id="as it is"),
        pytest.param(json.dumps(CANARY), id="json"),
        pytest.param(quote(CANARY, safe=""), id="url"),
        pytest.param(base64.b64encode(CANARY.encode()).decode(), id="base64"),
    ],
)
def test_a_known_secret_goes_in_every_form(form: str) -> None:
    text = redact(f"before {form} after", [CANARY])
    assert HIDDEN in text
    assert form.strip('"') not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        pytest.param("DAEMON_TOKEN=abc123", "abc123", id="assignment"),
        pytest.param('{"github_password": "hunter2"}', "hunter2", id="json"),
        pytest.param("secret_passphrase: hunter2", "hunter2", id="yaml"),
        pytest.param("run --api-token hunter2 --fast", "hunter2", id="argument"),
        pytest.param("proxy http://me:hunter2@proxy:3128/", "hunter2", id="url"),
        pytest.param(
            "-----BEGIN RSA PRIVATE KEY-----\nMIIhunter2\n-----END RSA PRIVATE KEY-----", "MIIhunter2", id="key"
        ),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIhunter2 cut off", "MIIhunter2", id="key without an end"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, gone: str) -> None:
    after = redact(text, [])
    assert gone not in after
    assert HIDDEN in after


def test_plain_text_and_short_values_stay() -> None:
    text = "State: started, version 2.38.6, listening on http://10.0.0.1:8800/ with 1 app"
    assert redact(text, ["1", "app", "True"]) == text


def test_every_line_of_a_secret_file_goes() -> None:
    key = "first line of it\nsecond line of it\n"
    assert redact("log: second line of it", [key]) == "log: " + HIDDEN


def test_the_hidden_values_are_those_that_the_plain_export_lacks() -> None:
    data = base64.b64encode(b"inside the file").decode()
    shown = {"hostname": {"value": "ci"}, "password": {}, "key": {}}
    hidden = {
        "hostname": {"value": "ci"},
        "password": {"value": "hunter2"},
        "key": {"value": "key.pem", "data": data},
        "several": {"multi_value": ["one", "two"]},
    }
    assert secret_values(shown, hidden) == sorted(["hunter2", "key.pem", data, "inside the file", "one", "two"])


@given(secret=st.text(min_size=6, max_size=30).filter(lambda text: len(text.strip()) >= 6), around=st.text(max_size=20))
def test_no_known_secret_is_left(secret: str, around: str) -> None:
    assert secret not in redact(around + secret + around, [secret]).replace(HIDDEN, "\0")
