# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What the machine must grant, and the flags that a host gets on cgroup v1 and v2."""

from __future__ import annotations

from tests.lab import hosts, machine, topology

FULL = "Name:\tx\nCapEff:\t000001ffffffffff\n"
WITHOUT_SYS_RESOURCE = "Name:\tx\nCapEff:\t000001fffeffffff\n"
DOCKER_DEFAULT = "Name:\tx\nCapEff:\t00000000a80425fb\n"
V1 = """tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
proc /proc proc rw 0 0
"""
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nproc /proc proc rw 0 0\n"


def test_cap_sys_resource_is_not_needed() -> None:
    assert machine.missing_capabilities(FULL) == []
    assert machine.missing_capabilities(WITHOUT_SYS_RESOURCE) == []


def test_a_plain_container_lacks_these() -> None:
    assert machine.missing_capabilities(DOCKER_DEFAULT) == [
        "CAP_DAC_READ_SEARCH",
        "CAP_NET_ADMIN",
        "CAP_SYS_PTRACE",
        "CAP_SYS_ADMIN",
        "CAP_SYS_NICE",
    ]


def test_hierarchies_of_cgroup_v1_are_found_and_v2_has_none() -> None:
    assert machine.cgroup_hierarchies(V1) == ["cpu,cpuacct", "memory", "unified"]
    assert machine.cgroup_hierarchies(V2) == []


def test_on_v1_a_host_mounts_each_hierarchy_into_a_folder_of_its_own() -> None:
    assert hosts.cgroup_flags(["cpu,cpuacct", "memory"]) == [
        "--tmpfs",
        "/sys/fs/cgroup",
        "--volume",
        "/sys/fs/cgroup/cpu,cpuacct:/sys/fs/cgroup/cpu,cpuacct:rw",
        "--volume",
        "/sys/fs/cgroup/memory:/sys/fs/cgroup/memory:rw",
    ]


def test_on_v2_a_host_gets_the_one_hierarchy() -> None:
    assert hosts.cgroup_flags([]) == ["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]


def test_a_host_is_never_privileged_and_knows_the_others() -> None:
    plan = topology.load()
    flags = hosts.host_flags(plan.host("services"), plan, [])
    assert "--privileged" not in flags
    assert "SYS_RESOURCE" not in flags
    for other in plan.hosts:
        assert f"{other.name}:{other.address}" in flags
    assert flags[flags.index("--ip") + 1] == plan.host("services").address
