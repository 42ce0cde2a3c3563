# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""galaxy-importer on the tarball: what Galaxy itself would say of it. Lint and sanity are gates of their own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.gates.build import tarball
from tests.gates.tree import call

__all__ = ["main"]

CONFIGURATION = """\
[galaxy-importer]
CHECK_CHANGELOG = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = False
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = False
"""


def main() -> int:
    """Import the tarball in a folder that goes away (the importer leaves its result where it runs)."""
    with tempfile.TemporaryDirectory(prefix="importer-") as folder:
        configuration = Path(folder) / "galaxy-importer.cfg"
        configuration.write_text(CONFIGURATION)
        argv: list[str | Path] = [sys.executable, "-m", "galaxy_importer.main", tarball()]
        return call(argv, cwd=Path(folder), env={"GALAXY_IMPORTER_CONFIG": str(configuration)})


if __name__ == "__main__":
    sys.exit(main())
