# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The gate over docs/health.md: its table is what the pure function gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates import health_docs
from tests.gates.health_docs import filled, main, verdicts


def test_the_verdicts() -> None:
    text = verdicts()
    assert "| `postgres` and `frontend` | `postgres`, explains the other; data stores: postgres | data_loss |" in text
    assert "| `mongo` and `postgres` | `mongo`; `postgres`; data stores: postgres, mongo | data_loss |" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows[0].startswith("| `docker` and all that need it | `docker`, explains all ")
    assert all(len(line) <= 120 for line in text.splitlines())


def test_the_page_is_written_and_then_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_docs, "PAGE", str(tmp_path / "health.md"))
    page = tmp_path / "health.md"
    assert main([]) == 1
    page.write_text("Before\n<!-- verdicts:begin -->\n<!-- verdicts:end -->\nAfter\n")
    assert main([]) == 1
    assert main(["--write"]) == 0
    assert main([]) == 0
    assert page.read_text().startswith("Before\n")
    assert page.read_text().endswith("\nAfter\n")
    assert filled(page.read_text()) == page.read_text()


def test_marks_that_are_missing() -> None:
    with pytest.raises(ValueError, match="are missing"):
        filled("no marks")
