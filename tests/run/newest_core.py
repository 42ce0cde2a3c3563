# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""For make matrix: site.yml by the newest ansible-core, from a Debian 13 controller that is itself a host of the lab.

The lab's network leads nowhere, so the controller gets its libraries and the checkout over SSH. molecule stays here, as
it needs the engine: what runs there is its heart, site.yml, a second time without a change, and check mode after it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab import access
from tests.lab.places import STATE, cached, digest
from tests.lab.report import LabError, step
from tests.lab.shell import attempt, run
from tests.lab.topology import Host
from tests.run.extra_hosts import extra_hosts
from tests.run.places import CHECKOUT

__all__ = ["main"]

PYTHON = "3.13"  # Debian 13's
LIBRARIES = "/opt/controller"
PLACE = "/home/ops/checkout"
FROM_THE_LAB = ("id_ed25519", "known_hosts", "nomad")
DEPRECATION = "[DEPRECATION WARNING]"


def main() -> int:
    """0: converged, and neither a second run nor check mode changes anything; 1: not so; 2: it could not be tried."""
    try:
        with extra_hosts("lab_extra", ["controller"], {"lab_suite": "trixie"}) as extra:
            host = extra.plan.host("controller")
            with step("libraries and checkout on the controller"):
                _unpack(host, _pack(["-C", str(_libraries()), "."]), LIBRARIES)
                _unpack(host, _pack(["-C", str(CHECKOUT), *_files()]), PLACE)
            print(_there(host, ["--version"]).splitlines()[0], flush=True)
            return _converge(host)
    except LabError as error:
        print(f"matrix: {error}", file=sys.stderr)
        return 2


def _requirements() -> list[str]:
    """requirements.txt without its bound on ansible-core."""
    lines = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith(("#", "ansible-core"))]
    return ["ansible-core", *named]


def _libraries() -> Path:
    """Wheels for the controller's Python, unpacked; kept in the lab's cache."""

    def build(folder: Path) -> None:
        binary = ["--only-binary=:all:", "--python-version", PYTHON, "--implementation", "cp"]
        for platform in ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64"):
            binary += ["--platform", platform]
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run([*pip, "--target", str(folder), *binary, *_requirements()], timeout=600)

    return cached(f"newest-core-{digest(PYTHON, *_requirements())}", build)[0]


def _files() -> list[str]:
    """What git knows or would add, and what of the lab a controller needs."""
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=CHECKOUT).splitlines()
    return [
        *(name for name in listed if (CHECKOUT / name).exists()),
        *(f"{STATE.relative_to(CHECKOUT)}/{name}" for name in FROM_THE_LAB),
    ]


def _pack(arguments: Sequence[str]) -> bytes:
    return subprocess.run(["tar", "--dereference", "-c", *arguments], capture_output=True, check=True).stdout


def _unpack(host: Host, content: bytes, folder: str) -> None:
    script = f"sudo -n mkdir -p {folder} && sudo -n tar -x -C {folder} && sudo -n chown -R ops: {folder}"
    run([*access.ssh(host), script], stdin=content, timeout=300)


def _there(host: Host, arguments: Sequence[str]) -> str:
    """ansible-playbook on the controller, as its unprivileged user; what it said."""
    collection = f"{PLACE}/.collections/ansible_collections/circleci_server"
    line = (
        f"mkdir -p {collection} && ln -sfn {PLACE} {collection}/ops && cd {PLACE} && "
        f"PYTHONPATH={LIBRARIES} ANSIBLE_NOCOLOR=1 python3 -m ansible playbook {' '.join(arguments)}"
    )
    done = attempt([*access.ssh(host), line], timeout=900)
    if done.returncode != 0:
        raise LabError(f"ansible-playbook {' '.join(arguments)} failed on the controller:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _converge(host: Host) -> int:
    good = True
    for name, arguments in {"first run": [], "second run": [], "check mode": ["--check"]}.items():
        with step(f"site.yml, {name}") as current:
            said = _there(host, ["playbooks/site.yml", *arguments])
            changed = re.findall(r"(?m)^(\S+) .* changed=[1-9]", said)
            current.note = f"changed on {', '.join(changed)}" if changed else "nothing changed"
        good = good and (name == "first run" or not changed)
        for line in sorted({line for line in said.splitlines() if DEPRECATION in line}):
            print(f"  {line}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
