# The table of docs/architecture.md (file, scope, when) says what the roles really record as owed.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


def table() -> str:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return text.split("| file | scope | when |", 1)[1].split("\n\n", 1)[0]


def debts(role: str) -> Iterator[tuple[str, str]]:
    """Each file of a role's vars that owes something: its path and the unit that must restart."""
    variables = yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text(encoding="utf-8"))
    for value in variables.values():
        for row in value if isinstance(value, list) else []:
            if isinstance(row, dict) and "owes" in row:
                yield resolved(row["dest"], variables), target(row["owes"], variables)


def resolved(text: str, variables: dict[str, Any]) -> str:
    return re.sub(r"{{ (\w+) }}", lambda match: str(variables[match.group(1)]), text)


def target(owes: Any, variables: dict[str, Any]) -> str:
    """The unit of an owes entry, written out or combined from a shared dictionary."""
    if isinstance(owes, dict):
        return str(owes["target"])
    shared = re.search(r"{{ (\w+) \| combine", owes)
    assert shared, owes
    return str(variables[shared.group(1)]["target"])


def test_every_debt_of_a_role_is_in_the_table() -> None:
    found = {debt for role in ("docker", "nomad_client") for debt in debts(role)}
    assert found == {
        ("/etc/docker/daemon.json", "docker"),
        ("/etc/nomad/config.hcl", "nomad"),
        ("/etc/systemd/system/nomad.service", "nomad"),
    }
    rows = table().splitlines()
    for path, unit in found:
        name = path if path in table() else path.rsplit("/", 1)[1]
        assert [row for row in rows if f"`{name}`" in row and f"unit `{unit}`" in row], (path, unit)


def test_the_services_host_waits_and_a_client_does_not() -> None:
    rows = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in table().splitlines() if row.count("|") == 5}
    assert rows["`/etc/docker/daemon.json` on a client"] == "now"
    assert rows["`/etc/docker/daemon.json` on the services host"] == "with_next"
    text = (ROOT / "roles" / "docker" / "vars" / "main.yml").read_text(encoding="utf-8")
    assert "'now' if __circleci_server_is_client else 'with_next'" in text
