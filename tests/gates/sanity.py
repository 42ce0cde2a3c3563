# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""ansible-test sanity, every test that runs without a container, no ignore file.

ansible-test wants the collection at a path ansible_collections/NAMESPACE/NAME, so it gets a copy. It keeps its virtual
environments and its script that installs pip under the home directory: it is given one of its own in our cache, with a
script of ours in place of the one that it would download.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import get_venv_packages

from tests.gates.tree import call, copy_to
from tests.run.places import CACHE, CHECKOUT, fingerprint

__all__ = ["main"]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# Called as get-pip.py is: arguments are the requirements, --no-setuptools, --no-wheel.
GET_PIP = '''\
"""Put pip into a virtual environment that has none, from Python's own ensurepip; then the version that is asked for."""

import os
import subprocess
import sys

import ensurepip

environment = {name: value for name, value in os.environ.items() if name != "GET_PIP"}
ensurepip.bootstrap(verbosity=0)  # changes os.environ
wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
sys.exit(subprocess.run(command + wanted, env=environment).returncode)
'''


def main() -> int:
    """Run the sanity tests on a copy of the checkout."""
    ignored = sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "tests").glob("sanity/ignore-*.txt"))
    if ignored:
        print(f"there is no ignore file here: remove {', '.join(ignored)}", file=sys.stderr)
        return 1
    home = _home()
    with tempfile.TemporaryDirectory(prefix="sanity-") as folder:
        tree = Path(folder) / "ansible_collections/circleci_server/ops"
        copy_to(tree)
        return call(["ansible-test", "sanity", "--python", PYTHON, "--color", "no"], cwd=tree, env={"HOME": str(home)})


def _home() -> Path:
    """A home for ansible-test that keeps its virtual environments from run to run."""
    pip = get_venv_packages(NativePythonConfig(version=PYTHON, path=sys.executable))["pip"]
    home = CACHE / f"sanity-{fingerprint(sys.version, sys.base_prefix, GET_PIP)}"
    script = home / f".ansible/test/cache/get_pip_{pip.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP)
    configuration = home / ".config/pip/pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(_pip_settings())
    return home


def _pip_settings() -> str:
    """What pip is told here by files and variables, as a pip.conf: ansible-test hands on neither."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    listed = subprocess.run([*pip, "config", "list"], check=True, capture_output=True, text=True).stdout
    settings = {"quiet": "1", "progress-bar": "off"}
    for line in listed.splitlines():
        name, _equals, value = line.partition("=")
        settings[name.rpartition(".")[2]] = ast.literal_eval(value)
    cache = subprocess.run([*pip, "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    settings.setdefault("cache-dir", cache)
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in settings.items())])


if __name__ == "__main__":
    sys.exit(main())
