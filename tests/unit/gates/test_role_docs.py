# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The gate over a role's options: defaults, argument_specs and README are held against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.role_docs import check_role, plain

SPEC = """\
argument_specs:
  main:
    short_description: Try
    options:
      try_path: {type: path, default: /etc, description: "Where V(it) is. See O(try_list)."}
      try_list:
        type: list
        elements: dict
        default: []
        description: [Items.]
        options: {name: {type: str, required: true, description: Its name.}}
      try_must: {type: str, required: true, description: Given.}
"""
FILES = {
    "README.md": "# try\n\n<!-- options:begin -->\n<!-- options:end -->\n\nMore.\n",
    "defaults/main.yml": "try_path: /etc\ntry_list: []\n",
    "meta/argument_specs.yml": SPEC,
    "meta/main.yml": "dependencies: [{role: circleci_server.ops.circleci_server}]\n",
    "tasks/main.yml": "[]\n",
    "vars/main.yml": "{}\n",
}


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role without a fault, but for the README."""
    folder = tmp_path / "try"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_options_are_written_and_then_current(role: Path) -> None:
    assert check_role(role) == ["roles/try/README.md: the options differ from argument_specs.yml. Run: make docs"]
    assert not check_role(role, write=True)
    text = (role / "README.md").read_text()
    assert (
        "| `try_path` | path | `/etc` |\n| `try_list` | list of dict | `[]` |\n| `try_must` | str | (required) |"
        in text
    )
    assert "- `try_path`: Where `it` is. See `try_list`.\n" in text
    assert "  - `name` (required, str): Its name.\n" in text
    assert text.endswith("<!-- options:end -->\n\nMore.\n")
    assert not check_role(role)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        pytest.param("defaults/main.yml", "try_list: []", "", "main.yml: try_list is missing", id="no default"),
        pytest.param("defaults/main.yml", "/etc", "/opt", "'/opt', argument_specs.yml '/etc'", id="other default"),
        pytest.param("defaults/main.yml", "try_list", "try_else", "try_else is missing (defaults", id="no spec"),
        pytest.param("defaults/main.yml", "try_list", "try_must: 1\ntry_list", "is required", id="needless default"),
        pytest.param("meta/argument_specs.yml", "[Items.]", "[]", "try_list has no description", id="no description"),
        pytest.param("meta/argument_specs.yml", "type: str, required: true, description: Its", "description: Its",
                     "try_list: name has no type", id="no type within"),
        pytest.param("meta/main.yml", "ops.circleci_server", "ops.other", "the dependency", id="no dependency"),
        pytest.param("README.md", "<!-- options:end -->", "", "the lines <!-- options:begin", id="no marks"),
    ],
)  # fmt: skip
def test_a_difference_is_named(role: Path, name: str, old: str, new: str, says: str) -> None:
    check_role(role, write=True)
    path = role / name
    path.write_text(path.read_text().replace(old, new, 1))
    faults = check_role(role)
    assert any(says in fault for fault in faults), faults


def test_a_missing_file_is_named(role: Path) -> None:
    (role / "vars/main.yml").unlink()
    assert check_role(role) == ["roles/try/vars/main.yml is missing"]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("V(none) gives C(a.json)", "`none` gives `a.json`"),
        ("O(some.coll.mod#module:packages)", "`packages`"),
        ("O(docker_source=files)", "`docker_source=files`"),
        ("C(f(x\\)) and B(bold)", "`f(x)` and `bold`"),
        ("L(the guide,https://example.com/a)", "[the guide](https://example.com/a)"),
        ("the API (v2) of JVM(s)", "the API (v2) of JVM(s)"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert plain(markup) == text
