# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""The application's containers follow the catalogue; a build's job is the template with what was asked for."""

from __future__ import annotations

import pytest

from tests.lab import application, topology
from tests.lab.build import DRIVERS, Build, job
from tests.lab.report import LabError, table

# Ports of the services host that must answer (facts, section 3), without SSH, the console and Nomad's own.
ANSWERING = {80, 443, 4434, 7171, 8081, 8585, 3001}


def test_every_port_is_published_once_and_none_is_missing() -> None:
    ports = [port for service in application.services() for port in service.ports]
    assert len(ports) == len(set(ports))
    assert set(ports) >= ANSWERING
    assert not {4646, 4647, 4648} & set(ports)


def test_a_line_has_name_directory_ports_and_health_path() -> None:
    lines = application.container_list().splitlines()
    assert "picard-output-processor|output-processor|8585|" in lines
    assert "picard-scheduler|schedulerer||" in lines
    assert "workflows-conductor|workflows-conductor|9998 9999|/healthcheck" in lines


@pytest.mark.parametrize("name", ["vm-service", "nomad", "domain-service-migrator", "mongo"])
def test_what_is_not_part_of_the_lab(name: str) -> None:
    assert name not in [service.name for service in application.services()]


def test_nomads_clients_are_told_the_hosts_address() -> None:
    host = topology.load().in_role("application")
    assert f'rpc  = "{host.address}:4647"' in application.nomad_server_configuration(host)


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
