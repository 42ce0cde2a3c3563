# Every option of every role, given on the command line: scalars as key=value arrive with their type, lists as JSON.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Generated from the argument specs, so that a new option is tested with its first line.

`-e key=value` gives text: the spec of a role checks it but does not cast it. The casts stand in vars/main.yml, which is
why tasks read only `__role_` variables; here each is evaluated by a real ansible-playbook.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
# What the samples must be once a role has cast them. ansible-core 2.17 writes them as text, 2.19 by their type.
CASTS = {"bool": True, "int": 7, "float": 7.5}
# Options that are cast where they are used, under another name.
DERIVED = {"circleci_server_restart": "__circleci_server_restart_allowed"}


def options(role: str) -> dict[str, dict[str, Any]]:
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = spec["argument_specs"]["main"]["options"]
    return found


def sample(option: dict[str, Any]) -> Any:
    """A value of the option's type, as a person gives it."""
    if "choices" in option:
        return option["choices"][-1]
    return {"bool": "yes", "int": 7, "float": 7.5, "list": [], "dict": {}}.get(option["type"], "text")


def arguments(role: str) -> list[str]:
    flags = []
    for name, option in options(role).items():
        value = sample(option)
        plain = option["type"] not in ("list", "dict")
        flags += ["-e", f"{name}={value}" if plain else json.dumps({name: value})]
    return flags


def play(role: str, directory: Path) -> Path:
    """A playbook that checks the options by the role's spec and evaluates each cast."""
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    files = [
        f"{ROOT}/roles/{name}/{kind}/main.yml" for name in ("circleci_server", role) for kind in ("defaults", "vars")
    ]
    casts = {
        name: f"{{{{ {DERIVED.get(name, '__' + name)} }}}}"
        for name, option in options(role).items()
        if option["type"] in CASTS
    }
    result = directory / "casts.json"
    document = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars_files": files,
            "vars": {"__nomad_client_found": {"reserved_cpu": 0, "datacenter": "", "time_sync_unit": ""}},
            "tasks": [
                {
                    "ansible.builtin.validate_argument_spec": {
                        "argument_spec": spec["argument_specs"]["main"]["options"]
                    }
                },
                {"ansible.builtin.copy": {"dest": str(result), "content": casts or {"none": True}, "mode": "0600"}},
            ],
        }
    ]
    path = directory / "play.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("role", ROLES)
def test_every_option_passes_and_is_cast(role: str, tmp_path: Path) -> None:
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"), ANSIBLE_LOCALHOST_WARNING="0")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local",
         "-e", f"ansible_python_interpreter={sys.executable}", *arguments(role), str(play(role, tmp_path))],
        env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    casts = json.loads((tmp_path / "casts.json").read_text(encoding="utf-8"))
    for name, option in options(role).items():
        if option["type"] in CASTS:
            assert str(casts[name]) == str(CASTS[option["type"]]), (name, casts[name])
