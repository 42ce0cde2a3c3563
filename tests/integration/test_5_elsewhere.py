# The tarball as a stranger uses it: no checkout, no root, no terminal, a key in an agent, a sudo password in a vault.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.containers import environment_of
from tests.integration.hosts import Host
from tests.integration.playbook import DEPRECATION, ROOT
from tests.lab.access import KEY, KNOWN_HOSTS, PASSWORD

CANARY = "canary-5f1c'e\"8$x"
USER = "nobody"
BECOME_USER = ("setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups", "--no-new-privs")


@dataclass(frozen=True)
class Controller:
    """An unprivileged user with a home, a virtual environment and the installed tarball."""

    home: Path
    agent: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": f"{self.home}/venv/bin:/usr/bin:/bin",
            "SSH_AUTH_SOCK": self.agent,
            "ANSIBLE_COLLECTIONS_PATH": str(self.home / "collections"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.home / "vault-password"),
            "ANSIBLE_NOCOLOR": "1",
        }
        return subprocess.run(
            [*BECOME_USER, *command],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            timeout=900,
            check=False,
        )


@pytest.fixture
def controller(lab: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    assert os.geteuid() == 0, "this test becomes another user, so it starts as root"
    home = Path(
        shutil.copytree(ROOT / "inventories" / "lab", f"/var/tmp/circleci-server-ops-{os.getpid()}/inventory")
    ).parent
    _installation(home)
    _inventory(home)
    subprocess.run(["chown", "-R", f"{USER}:nogroup", str(home)], check=True)
    agent = _agent(home)
    yield Controller(home, f"{home}/agent.sock")
    agent.terminate()
    agent.wait()
    shutil.rmtree(home)


def _agent(home: Path) -> subprocess.Popen[bytes]:
    """An ssh-agent of that user, who alone may talk to it, with the lab's key from standard input."""
    socket = home / "agent.sock"
    process = subprocess.Popen([*BECOME_USER, "ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # printed once the socket listens
    variables = {"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": str(socket)}
    subprocess.run([*BECOME_USER, "ssh-add", "-q", "-"], check=True, env=variables, input=KEY.read_bytes())
    return process


def _installation(home: Path) -> None:
    """The tarball in a fresh virtual environment with requirements.txt alone."""
    subprocess.run([sys.executable, "-m", "tests.gates.build"], cwd=ROOT, check=True)
    python = home / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(ROOT / "requirements.txt")], check=True)
    tarball = next((ROOT / "dist").glob("circleci_server-ops-*.tar.gz"))
    galaxy = [str(home / "venv" / "bin" / "ansible-galaxy"), "collection", "install", "--offline"]
    paths = dict(os.environ, HOME=str(home), ANSIBLE_COLLECTIONS_PATH=str(home / "collections"))
    subprocess.run([*galaxy, "-p", str(home / "collections"), str(tarball)], check=True, capture_output=True, env=paths)


def _inventory(home: Path) -> None:
    """The lab's inventory: no key file (the agent has it), a sudo password and a secret override in a vault."""
    path = home / "inventory" / "hosts.yml"
    inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
    variables = inventory["all"]["vars"]
    del variables["ansible_ssh_private_key_file"]
    variables["ansible_user"] = "opspw"
    variables["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={home}/known_hosts"
    variables["nomad_client_binary_file"] = ""
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    (home / "known_hosts").write_bytes(KNOWN_HOSTS.read_bytes())
    (home / "vault-password").write_text("correct horse\n", encoding="utf-8")
    secret = {
        "ansible_become_password": PASSWORD.read_text(encoding="utf-8").strip(),
        "customization_secret_services": {"workflows-conductor": {"LAB_CANARY": CANARY}},
    }
    vault = home / "inventory" / "group_vars" / "all" / "vault.yml"
    vault.parent.mkdir()
    (home / "inventory" / "group_vars" / "all.yml").rename(vault.parent / "lab.yml")
    vault.write_text(yaml.safe_dump(secret), encoding="utf-8")
    command = [str(home / "venv/bin/ansible-vault"), "encrypt", "--vault-password-file", str(home / "vault-password")]
    subprocess.run([*command, str(vault)], check=True, capture_output=True)


def test_a_strangers_run_of_the_tarball(controller: Controller, lab: dict[str, Host]) -> None:
    # The binary is on the hosts already, and a stranger has no checkout to take it from.
    run = ("ansible-playbook", "-i", "inventory", "circleci_server.ops.site", "-e", "nomad_client_binary_file=")
    done = controller.run(*run, "-vvv")
    assert done.returncode == 0, done.stdout[-20000:]
    assert environment_of(lab["services"], "workflows-conductor")["LAB_CANARY"] == CANARY
    assert "canary-5f1c" not in done.stdout
    assert PASSWORD.read_text(encoding="utf-8").strip() not in done.stdout
    assert DEPRECATION not in done.stdout
    again = controller.run(*run)
    assert set(re.findall(r"changed=(\d+)", again.stdout)) == {"0"}, again.stdout[-5000:]
