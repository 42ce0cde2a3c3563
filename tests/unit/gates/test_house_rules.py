# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The house rules find what they forbid, and only that."""

from __future__ import annotations

import pytest

from tests.gates.house_rules import check_python, check_text

FORBIDDEN = [
    pytest.param("plugins/action/a.py", "x = y  # no" + "qa: E501", "repair the code", id="ruff silenced"),
    pytest.param("tests/lab/a.py", "x = y  # type: ign" + "ore[arg]", "right type", id="mypy silenced"),
    pytest.param("plugins/modules/a.py", "except:", "name the exceptions", id="bare except"),
    pytest.param("plugins/modules/a.py", "    except Exception as error:", "name the exceptions", id="blanket except"),
    pytest.param("roles/a/tasks/run.yml", "  ignore_err" + "ors: true", "let it fail", id="errors ignored"),
    pytest.param("playbooks/a.yml", "  failed_wh" + "en: false", "which results are good", id="never failed"),
    pytest.param("roles/a/tasks/run.yml", "  changed_wh" + "en: false", "say why", id="never changed, no reason"),
    pytest.param("docs/a.md", "x" * 121, "121 characters, at most 120", id="long line"),
    pytest.param("docs/a.md", "a ", "blanks at the end", id="trailing blank"),
]


@pytest.mark.parametrize(("name", "text", "says"), FORBIDDEN)
def test_what_is_forbidden_is_found(name: str, text: str, says: str) -> None:
    (fault,) = check_text(name, "first\n" + text)
    assert fault.startswith(f"{name}:2: ")
    assert says in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("plugins/modules/a.py", "except (ValueError, OSError):", id="named exceptions"),
        pytest.param("plugins/modules/a.py", "except ExceptionGroupOfOurs:", id="a longer name"),
        pytest.param("tests/lab/a.py", "except Exception:", id="not what users run"),
        pytest.param("roles/a/tasks/run.yml", "  # it reads only\n  changed_wh" + "en: false", id="a reason"),
        pytest.param("LICENSES/x.txt", "x" * 300, id="a licence's text"),
    ],
)
def test_what_is_allowed_passes(name: str, text: str) -> None:
    assert not list(check_text(name, text))


def test_a_long_function_is_named() -> None:
    text = "def long():\n" + "    pass\n" * 60
    assert list(check_python("tests/a.py", text)) == ["tests/a.py:1: long has 61 lines, at most 60"]


def test_a_library_file_is_private_and_lists_its_names() -> None:
    assert [fault.partition(": ")[2] for fault in check_python("plugins/module_utils/open.py", "x = 1\n")] == [
        "the library is private: its name starts with an underscore",
        "__all__ is missing",
    ]


def test_a_module_s_documentation_is_not_counted() -> None:
    documentation = 'DOCUMENTATION = r"""\n' + "x\n" * 400 + '"""\n'
    assert not list(check_python("plugins/modules/a.py", documentation + "x = 1\n" * 100))
    (fault,) = check_python("plugins/modules/a.py", documentation + "x = 1\n" * 160)
    assert fault.startswith("plugins/modules/a.py: 160 lines without documentation, fewer than 150 wanted")
