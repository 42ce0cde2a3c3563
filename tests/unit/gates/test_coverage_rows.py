# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Tests of the gate that holds docs/coverage.md against the rows of the guide and against the checkout."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
SCRIPT = CHECKOUT / "tests" / "gates" / "coverage_rows.py"

HEAD = "| Row | The guide says | Lines | Status | Where, or why not |\n|---|---|---|---|---|\n"
FACTS = "fact | fact, nothing to do"
VM_ROWS = "".join(f"| {row} | A machine | L705-709, L713 | not done | AWS only |\n" for row in range(125, 144))
GOOD = (
    HEAD
    + "| 1 | Edition | L5-11 | done | `roles/preflight`: says so |\n"
    + f"| 2-15 | Some facts | L118-122 | {FACTS} |\n"
    + "| 16 | A reserve | L162 | part (fleet) | `playbooks/site.yml` adds; planned: nomad_job_info |\n"
    + "| 17-124 | More | L166 | later (proxy) | planned: proxy role in `roles/proxy` |\n"
    + VM_ROWS
    + f"| 144-360 | The rest | L864-866, L2278 | {FACTS} |\n"
)


def load() -> ModuleType:
    """The gate is a script outside every package: it is loaded from its file."""
    spec = importlib.util.spec_from_file_location("coverage_rows", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GATE = load()


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    (tmp_path / "roles" / "preflight").mkdir(parents=True)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "site.yml").write_text("---\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "coverage.md").write_text(GOOD, encoding="utf-8")
    return tmp_path


def faults_after(checkout: Path, old: str, new: str) -> list[str]:
    """What the gate says of the good page with one text replaced."""
    assert old in GOOD
    faults = GATE.check_page(GOOD.replace(old, new), checkout)
    assert isinstance(faults, list)
    return faults


def test_good_page_has_no_faults(checkout: Path) -> None:
    assert GATE.check(checkout) == []


def test_missing_rows_are_named(checkout: Path) -> None:
    faults = faults_after(checkout, "| 17-124 |", "| 18-120 |")
    assert faults == ["docs/coverage.md: missing rows: 17, 121-124; give each a line"]


def test_duplicate_row_is_named_with_its_first_line(checkout: Path) -> None:
    faults = faults_after(checkout, "| 2-15 |", "| 1-15 |")
    assert faults == ["docs/coverage.md:4: duplicate rows: 1; first on line 3"]


def test_unknown_rows_are_named(checkout: Path) -> None:
    faults = faults_after(checkout, "| 144-360 |", "| 144-362 |")
    assert faults == ["docs/coverage.md:26: unknown rows: 361-362; the guide has 1-360"]


@pytest.mark.parametrize("cell", ["sixteen", "16 - 17", "17-16", ""], ids=["word", "spaces", "backwards", "empty"])
def test_row_that_is_no_number_is_refused(checkout: Path, cell: str) -> None:
    faults = faults_after(checkout, "| 16 |", f"| {cell} |")
    assert faults == [
        f'docs/coverage.md:5: row "{cell}" is neither a number nor a range; write 16 or 61-64',
        "docs/coverage.md: missing rows: 16; give each a line",
    ]


def test_vm_service_has_no_ranges(checkout: Path) -> None:
    one = "| 125 | A machine | L705-709, L713 | not done | AWS only |\n"
    two = "| 126 | A machine | L705-709, L713 | not done | AWS only |\n"
    faults = faults_after(checkout, one + two, one.replace("125", "125-126"))
    assert faults == ["docs/coverage.md:7: rows 125-126: give each of 125-143 a line of its own"]


@pytest.mark.parametrize("status", ["finished", "later", "later (someday)", "part", "Done"])
def test_unknown_status_lists_the_known_ones(checkout: Path, status: str) -> None:
    faults = faults_after(checkout, "| later (proxy) |", f"| {status} |")
    assert faults == [
        f'docs/coverage.md:6: row 17-124: unknown status "{status}"; known: done, fact, not done, later (AREA), '
        "part (AREA), AREA one of backup, ca_trust, diagnose, fleet, health, ldap, monitoring, proxy, restart, "
        "settings, tls, user_admin"
    ]


@pytest.mark.parametrize(
    "path",
    ["roles/absent", "plugins/modules/absent.py", "playbooks/absent.yml", "tests/unit/absent.py", "docs/absent.md"],
)
@pytest.mark.parametrize(
    ("old", "place"),
    [("`roles/preflight`", "docs/coverage.md:3: row 1"), ("`playbooks/site.yml`", "docs/coverage.md:5: row 16")],
    ids=["done", "part"],
)
def test_path_that_does_not_exist_is_named(checkout: Path, path: str, old: str, place: str) -> None:
    faults = faults_after(checkout, old, f"`{path}`")
    assert faults == [f"{place}: {path} does not exist in the checkout; correct the path or the status"]


def test_planned_path_need_not_exist(checkout: Path) -> None:
    assert "`roles/proxy`" in GOOD
    assert not (checkout / "roles" / "proxy").exists()
    assert GATE.check_page(GOOD, checkout) == []


def test_done_without_a_path_is_refused(checkout: Path) -> None:
    faults = faults_after(checkout, "`roles/preflight`: says so", "the role preflight")
    assert faults == [
        'docs/coverage.md:3: row 1: status "done" names nothing that does it; name a path such as `roles/preflight`'
    ]


@pytest.mark.parametrize(
    ("old", "status", "place"),
    [
        ("planned: proxy role in `roles/proxy`", "later (proxy)", "docs/coverage.md:6: row 17-124"),
        ("planned: nomad_job_info", "part (fleet)", "docs/coverage.md:5: row 16"),
    ],
    ids=["later", "part"],
)
def test_later_says_what_is_planned(checkout: Path, old: str, status: str, place: str) -> None:
    faults = faults_after(checkout, old, "some day")
    assert faults == [f'{place}: status "{status}" without what is planned; write "planned: NAME"']


@pytest.mark.parametrize("lines", ["162", "L162-", "L1 L2", ""], ids=["no L", "open range", "no comma", "empty"])
def test_lines_of_the_guide_are_readable(checkout: Path, lines: str) -> None:
    faults = faults_after(checkout, "| L162 |", f"| {lines} |")
    assert faults == [
        f'docs/coverage.md:5: row 16: lines of the guide "{lines}" cannot be read; '
        "write L12, L12-14 or both with a comma"
    ]


def test_empty_cell_is_refused(checkout: Path) -> None:
    faults = faults_after(checkout, "| A reserve |", "|  |")
    assert faults == [
        "docs/coverage.md:5: row 16: an empty cell; say what the guide says, and where it is done or why not"
    ]


def test_pipe_in_a_cell_is_refused(checkout: Path) -> None:
    faults = faults_after(checkout, "| A reserve |", "| A | reserve |")
    assert faults == [
        "docs/coverage.md:5: 6 cells, not 5; write a pipe in a cell as a word",
        "docs/coverage.md: missing rows: 16; give each a line",
    ]


def test_missing_page_is_named(tmp_path: Path) -> None:
    assert GATE.check(tmp_path) == [
        f"docs/coverage.md does not exist below {tmp_path}; give the folder of the checkout"
    ]


def test_script_succeeds_on_a_good_page(checkout: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), str(checkout)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "docs/coverage.md: rows 1-360, each once\n", "")


def test_script_fails_and_prints_every_fault(checkout: Path) -> None:
    page = GOOD.replace("| 17-124 |", "| 18-124 |").replace("| done |", "| finished |")
    (checkout / "docs" / "coverage.md").write_text(page, encoding="utf-8")
    done = subprocess.run([sys.executable, str(SCRIPT), str(checkout)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    faults = done.stdout.splitlines()
    assert len(faults) == 2
    assert faults[0] == "docs/coverage.md: missing rows: 17; give each a line"
    assert faults[1].startswith('docs/coverage.md:3: row 1: unknown status "finished"; known: ')


def test_real_page_gives_every_row_once() -> None:
    entries, faults = GATE.parse((CHECKOUT / "docs" / "coverage.md").read_text(encoding="utf-8"))
    assert faults == []
    assert sorted(row for entry in entries for row in entry.rows) == list(range(1, 361))
