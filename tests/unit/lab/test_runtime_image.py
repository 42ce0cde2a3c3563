# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Image archives are what `docker load` expects; Replicated's follows its tree; ready-agent answers as it should."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.lab import places, roles, runtime_image, topology
from tests.lab.docker_archive import Image, Layer, layer_of_files, layer_of_tar, write
from tests.lab.payload import Entry

SCRIPTS = runtime_image._SCRIPTS / "usr" / "local" / "bin"
AGENT = SCRIPTS / "lab-ready-agent"


def base_layer(folder: Path) -> Layer:
    with tarfile.open(folder / "root.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("base"), io.BytesIO())
    layer_of_tar(folder / "root.tar", folder / "layer.gz")
    return Layer((folder / "layer.sha256").read_text(), folder / "layer.gz")


def read(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    return found


def test_an_archive_has_its_images_with_shared_layers_and_right_digests(tmp_path: Path) -> None:
    base, own = base_layer(tmp_path), layer_of_files({"/usr/bin/x": Entry(b"x", 0o755)})
    images = [Image(["a:1", "b:1"], [base, own], ["/usr/bin/x"]), Image(["c:1"], [base])]
    write(tmp_path / "image.tar", images)
    content = read(tmp_path / "image.tar")
    manifest = json.loads(content["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["a:1", "b:1"], ["c:1"]]
    assert manifest[0]["Layers"][:1] == manifest[1]["Layers"]
    assert len([name for name in content if name.endswith("layer.tar")]) == 2
    for entry in manifest:
        configuration = json.loads(content[entry["Config"]])
        assert entry["Config"] == hashlib.sha256(content[entry["Config"]]).hexdigest() + ".json"
        layers = [hashlib.sha256(gzip.decompress(content[name])).hexdigest() for name in entry["Layers"]]
        assert configuration["rootfs"]["diff_ids"] == [f"sha256:{layer}" for layer in layers]
    assert json.loads(content[manifest[0]["Config"]])["config"]["Cmd"] == ["/usr/bin/x"]


def test_the_folders_of_a_layer_are_open_to_all() -> None:
    layer = layer_of_files({"/opt/lab/a/x": Entry(b"x")})
    assert isinstance(layer.content, bytes)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.content))) as tar:
        folders = {member.name: member.mode for member in tar.getmembers() if member.isdir()}
    assert folders == {"opt": 0o755, "opt/lab": 0o755, "opt/lab/a": 0o755}


@pytest.fixture
def replicated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = tmp_path / "replicated"
    (tree / "vendor").mkdir(parents=True)
    (tree / "lib" / "__pycache__").mkdir(parents=True)
    (tree / "lib" / "__pycache__" / "x.pyc").write_text("x")
    for name in ("install.sh", "docker-install.sh"):
        (tree / "vendor" / name).write_text(f"# {name}\n")
    (tmp_path / "base").mkdir()
    (tmp_path / "cache").mkdir()
    layer = base_layer(tmp_path / "base")
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(runtime_image, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(runtime_image, "REPLICATED", tree)
    monkeypatch.setattr(runtime_image, "_base", lambda: layer)
    return tree


def test_the_lowest_layer_is_made_once_by_mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def run(argv: list[str], **_options: object) -> str:
        made.append(argv)
        root = next(Path(word) for word in argv if word.endswith("/root.tar"))
        assert "Package: libllvm14" in (root.parent / "status").read_text()
        with tarfile.open(root, "w") as tar:
            tar.addfile(tarfile.TarInfo("base"), io.BytesIO())
        return ""

    monkeypatch.setattr(places, "CACHE", tmp_path)
    monkeypatch.setattr(runtime_image, "CACHE", tmp_path)
    monkeypatch.setattr(runtime_image, "run", run)
    monkeypatch.setattr(runtime_image.base_image, "sources", lambda suite: [f"deb mirror {suite} main"])
    first = runtime_image.runtime_image()
    runtime_image._base.cache_clear()
    assert runtime_image.runtime_image() == first
    runtime_image._base.cache_clear()
    assert len(made) == 1
    assert f"--extract-hook={runtime_image._CUSTOMIZE}" in made[0]
    assert sorted(path.name for path in tmp_path.glob("lab-runtime-base-*/*")) == ["layer.gz", "layer.sha256", "status"]
    entry = json.loads(read(first)["manifest.json"])[0]
    assert (entry["RepoTags"], len(entry["Layers"])) == (["lab-runtime:1"], 2)


def test_replicateds_image_has_three_names_and_follows_its_tree(replicated: Path) -> None:
    first = runtime_image.replicated_image()
    assert first is not None
    assert first == runtime_image.replicated_image()
    entry = json.loads(read(first)["manifest.json"])[0]
    assert entry["RepoTags"] == [
        "lab-replicated:1",
        "quay.io/replicated/replicated:current",
        "quay.io/replicated/replicated-ui:current",
        "quay.io/replicated/replicated-operator:current",
    ]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(read(first)[entry["Layers"][-1]]))) as tar:
        names = [member.name for member in tar.getmembers() if member.isfile()]
    assert names == ["opt/lab/replicated/vendor/docker-install.sh", "opt/lab/replicated/vendor/install.sh"]
    (replicated / "lib" / "new").write_text("x")
    assert runtime_image.replicated_image() != first


def test_versions_of_an_image_do_not_pile_up(replicated: Path) -> None:
    for number in range(6):
        (replicated / "lib" / "x").write_text(str(number))
        last = runtime_image.replicated_image()
    assert last is not None
    kept = [path for path in last.parents[1].iterdir() if path.name.startswith("lab-replicated-")]
    assert len(kept) == 3
    assert last.parent in kept


def test_an_installation_without_internet_has_all_in_one_tarball(replicated: Path) -> None:
    images = runtime_image.replicated_image()
    assert images is not None
    tarball = runtime_image.airgap(images)
    assert tarball.name == "replicated-2.38.6.tar.gz"
    content = read(tarball)
    assert content["images.tar"] == images.read_bytes()
    assert set(content) == {"images.tar", "install.sh", "docker-install.sh", "VERSION"}
    assert runtime_image.airgap(images) == tarball


def test_the_packages_host_serves_what_the_vendor_does(replicated: Path) -> None:
    images = runtime_image.replicated_image()
    assert images is not None
    plan = topology.load()
    parts = roles.Parts(replicated_image=images, airgap=runtime_image.airgap(images))
    files = roles._of_role("packages", roles.Delivery(plan.in_role("packages"), parts))
    served = {path: entry for path, entry in files.items() if path.startswith("/srv/www/replicated/")}
    assert {path.rsplit("/", 1)[1] for path in served} == {
        "docker", "install.sh", "images.tar", "replicated-2.38.6.tar.gz",
    }  # fmt: skip
    assert served["/srv/www/replicated/docker"].content == b"# docker-install.sh\n"


def test_without_its_tree_there_is_nothing_of_replicated(replicated: Path) -> None:
    (replicated / "vendor" / "install.sh").unlink()
    assert runtime_image.replicated_image() is None
    assert roles._replicated(roles.Parts()) == {}


@pytest.mark.parametrize("script", [SCRIPTS / "lab-postgres", SCRIPTS / "lab-redis", runtime_image._CUSTOMIZE])
def test_a_shell_reads_the_scripts_and_they_say_what_they_are(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True, stdin=subprocess.DEVNULL)
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[1].startswith("# ")


class Service(BaseHTTPRequestHandler):
    healthy = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/status" and self.healthy.is_set() else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[int]:
    Service.healthy.clear()
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/anything")
    return connection.getresponse().status


def test_ready_agent_answers_5xx_until_all_services_are_up_and_says_what_is_left(service: int) -> None:
    port = free_port()
    wanted = f"domain-service={service}/status"
    environment = {**os.environ, "LAB_HOST": "127.0.0.1", "LAB_PORTS": str(port), "LAB_WAIT_FOR": wanted}
    with subprocess.Popen([sys.executable, AGENT], env=environment, stdout=subprocess.PIPE, text=True) as agent:
        try:
            assert agent.stdout is not None
            # It listens before it asks anybody: each line of its log is the event that is waited for.
            assert re.search("waiting for: domain-service$", agent.stdout.readline().strip())
            assert status(port) == 503
            Service.healthy.set()
            assert "all services are ready" in agent.stdout.readline()
            assert status(port) == 200
            Service.healthy.clear()
            assert status(port) == 200
            agent.terminate()
            assert agent.wait(5) == 0
        finally:
            agent.kill()
