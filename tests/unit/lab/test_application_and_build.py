# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The application follows the catalogue and the guide's listing; a build's job is the template with what was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import application, roles, topology
from tests.lab.build import DRIVERS, Build, job
from tests.lab.report import LabError, table

HOST = topology.load().in_role("application")
CATALOGUE = application._catalogue()
# Ports of the services host that must answer (facts, section 3), without SSH, the console and Nomad's own.
ANSWERING = {80, 443, 4434, 7171, 8081, 8585, 3001}
# Not of a static installation, or brought by the vendor's script.
ABSENT = {
    "federations-service",
    "vm-gc",
    "vm-scaler",
    "vm-service",
    "replicated",
    "replicated-ui",
    "replicated-operator",
}
RANDOM = {"musing_volhard": "shutdown-hook-poller", "hardcore_cray": "tutum-logrotate"}
# Every combination of what may be added.
ADDED: list[tuple[str, ...]] = [(), ("ldap",), ("vm_service",), ("ldap", "vm_service")]


def definition(*added: str) -> dict[str, Any]:
    return application.definition(HOST, added)


def containers(*added: str) -> dict[str, dict[str, Any]]:
    found = definition(*added)
    return {item["name"]: item for item in [*found["containers"], *found["replicated"]]}


def listing() -> dict[str, tuple[str, set[str]]]:
    """The guide's `docker ps`: name to image and fixed ports."""
    lines = (Path(__file__).parent / "docker-ps.txt").read_text().splitlines()
    found = {}
    for line in (line for line in lines if not line.startswith("#")):
        name, image, *ports = line.split()
        found[RANDOM.get(name, name)] = (image.replace("REGISTRY", f"{HOST.address}:9874"), set(ports))
    return found


def published(item: dict[str, Any]) -> list[str]:
    return [f"{port.split('/')[0].split(':')[-2]}/{port.split('/')[1]}" for port in item["ports"]]


def test_all_that_the_guide_lists_is_there_under_its_name_with_its_image_and_ports() -> None:
    there = containers()
    assert len(listing()) == 43
    assert set(listing()) - set(there) == ABSENT
    for name, (image, ports) in listing().items():
        if name not in ABSENT:
            assert there[name]["image"] == image
            assert set(published(there[name])) >= ports, name


@pytest.mark.parametrize("added", ADDED)
def test_all_of_the_catalogue_that_such_an_installation_has_is_there_and_nothing_else(added: tuple[str, ...]) -> None:
    wanted = {item.name for item in CATALOGUE.CONTAINERS if item.condition in ("", "not_s3", *added)}
    assert set(containers(*added)) == wanted - {"replicated", "replicated-ui", "replicated-operator"}


@pytest.mark.parametrize("added", ADDED)
def test_a_container_comes_after_those_that_it_depends_on(added: tuple[str, ...]) -> None:
    before: set[str] = set()
    for item in definition(*added)["containers"]:
        assert set(item["depends_on"]) <= before, item["name"]
        before.add(item["name"])
    assert containers(*added)["api-service"]["depends_on"] == [
        "postgres", "frontend", "contexts-service-migrator", "contexts-service", "vault-cci",
    ]  # fmt: skip


@pytest.mark.parametrize("added", ADDED)
def test_every_port_is_published_once_and_none_is_missing(added: tuple[str, ...]) -> None:
    ports = [port for item in containers(*added).values() for port in published(item)]
    assert len(ports) == len(set(ports))
    assert {int(port.split("/")[0]) for port in ports} >= ANSWERING
    assert not {8999, 8800, *range(9874, 9880)} & {int(port.split("/")[0]) for port in ports}


def test_nomads_api_is_open_to_the_host_alone() -> None:
    assert containers()["nomad"]["ports"] == ["127.0.0.1:4646:4646/tcp", "4647:4647/tcp", "4648:4648/tcp"]


def test_an_image_is_tagged_once_out_of_what_is_loaded() -> None:
    found = definition()
    assert set(found["tags"]) == {item["image"] for item in containers().values()}
    assert set(found["tags"].values()) == {"lab-service:1", "lab-runtime:1"}
    for item in containers().values():
        runtime = item["command"][0].startswith("/usr/local/bin/")
        assert (found["tags"][item["image"]] == "lab-runtime:1") == runtime, item["name"]


def test_migrators_run_once_and_two_containers_have_random_names() -> None:
    once = {name for name, item in containers().items() if item["runs_once"]}
    assert once == {"mongodb-upgrader", *(name for name in containers() if name.endswith("-migrator"))}
    assert {name for name, item in containers().items() if item["random_name"]} == set(RANDOM.values())


def test_health_endpoints_are_waited_for_and_ready_agent_waits_for_all_of_them() -> None:
    for name, health in CATALOGUE.health_endpoints().items():
        if name in containers():
            assert containers()[name]["ready"] == {"port": health.port, "path": health.path}
    waits = containers("vm_service", "ldap")["ready-agent"]["env"]["LAB_WAIT_FOR"].split()
    assert "frontend=80/health-check" in waits
    assert {"federations-service=8090/status", "vm-service=3001/status"} <= set(waits)
    assert len(waits) == len(CATALOGUE.health_endpoints())
    assert "vm-service" not in containers()["ready-agent"]["env"]["LAB_WAIT_FOR"]


def test_postgres_keeps_its_data_where_the_facts_have_it() -> None:
    assert containers()["postgres"]["volumes"][0].startswith("/data/circle/postgres/9.5/data:")


def test_a_service_finds_its_customizations() -> None:
    environment = containers()["picard-output-processor"]["env"]
    assert (environment["LAB_OVERRIDE_DIR"], environment["LAB_PORTS"]) == ("output-processor", "8585")
    assert "/etc/circleconfig:/circleconfig:ro" in containers()["frontend"]["volumes"]


def test_what_is_added_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_WITH", "ldap,vm_service")
    names = [item["name"] for item in json.loads(application.definition_file(HOST))["containers"]]
    assert {"federations-service", "vm-service"} <= set(names)
    monkeypatch.setenv("LAB_WITH", "ldap,s3")
    with pytest.raises(LabError, match="LAB_WITH: s3 is not one of ldap, vm_service"):
        application.conditions()


def test_the_host_gets_the_definition_and_no_unit_that_starts_it(tmp_path: Path) -> None:
    parts = roles.Parts(nomad=tmp_path, service_image=tmp_path / "s", runtime_image=tmp_path / "r")
    files = roles._of_role("application", roles.Delivery(HOST, parts))
    content = files["/opt/lab/application.json"].content
    assert isinstance(content, bytes)
    assert json.loads(content) == definition()
    assert set(definition()["images"]) <= set(files)
    assert not [path for path in files if "systemd" in path]


def test_nomads_clients_are_told_the_hosts_address() -> None:
    assert f'rpc  = "{HOST.address}:4647"' in application.nomad_server_configuration(HOST)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_job_carries_what_was_asked_for(driver: str) -> None:
    wanted = job(Build(driver, 7, 3, "nomad-client-1"), ["default"], "build-1")["Job"]
    task = wanted["TaskGroups"][0]["Tasks"][0]
    assert (wanted["ID"], wanted["Type"], wanted["Datacenters"]) == ("build-1", "batch", ["default"])
    assert wanted["Constraints"] == [
        {"LTarget": "${node.unique.name}", "Operand": "=", "RTarget": "nomad-client-1"},
    ]
    assert (task["Driver"], task["Env"]) == (driver, {"LAB_SECONDS": "7", "LAB_EXIT": "3"})
    assert "build finished" in task["Config"]["args"][1]


def test_another_driver_is_refused() -> None:
    with pytest.raises(LabError, match="--driver exec: a build runs by docker or raw_exec"):
        job(Build("exec"), ["default"], "build-1")


def test_a_table_is_aligned_without_trailing_blanks() -> None:
    assert table(["a", "bb"], [["xxx", "y"]]) == "a    bb\n---  --\nxxx  y"
