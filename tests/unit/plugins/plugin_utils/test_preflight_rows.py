# Tests of _preflight_rows: the table for people, JSON, and a ruleset that nft itself accepts.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.circleci_server.ops.plugins.module_utils._catalogue import PORTS
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_plan import Host
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rows import FORMATS, render, rows

HOSTS = [
    Host("services", ("services",), "10.0.0.10"),
    Host("client-1", ("nomad_clients",), "10.0.0.21"),
    Host("client-2", ("nomad_clients",), "2001:db8::22"),
    Host("client-3", ("nomad_clients",), "client-3.example.com"),
]


def test_every_row_of_the_catalogue_has_its_addresses() -> None:
    table = rows(HOSTS, "github.example.com")
    assert len(table) == len(PORTS)
    (nomad,) = [row for row in table if row["first"] == 4647]
    assert nomad["from_addresses"] == ["10.0.0.21", "2001:db8::22", "client-3.example.com"]
    assert nomad["to_addresses"] == ["10.0.0.10"]
    assert (nomad["ports"], nomad["protocol"], nomad["probed"]) == ("4647", "tcp", True)
    assert {tuple(row["to_addresses"]) for row in table if row["to"] == "github"} == {("github.example.com",)}
    assert {tuple(row["from_addresses"]) for row in table if row["from"] == "users"} == {()}


def test_without_hosts() -> None:
    assert "Into services (no host)" in render(rows([], ""), "table")


def test_table() -> None:
    text = render(rows(HOSTS, "github.com"), "table")
    assert "Into services (10.0.0.10)\n  from " in text
    assert "Out of nomad_clients (10.0.0.21, 2001:db8::22, client-3.example.com)\n" in text
    assert "64535-65535" in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_json() -> None:
    table = rows(HOSTS, "github.com")
    assert json.loads(render(table, "json")) == table


def test_nftables() -> None:
    text = render(rows(HOSTS, "github.com"), "nftables")
    assert text.count("policy drop;") == 2
    assert '    ip saddr { 10.0.0.21 } tcp dport 4647 accept comment "nomad_clients: Nomad\'s RPC"\n' in text
    assert "    ip6 saddr { 2001:db8::22 } tcp dport 4647 accept" in text
    assert "    # client-3.example.com: a name; put its address into the rule\n" in text
    assert "    tcp dport 64535-65535 accept comment" in text


def test_nft_reads_it(tmp_path: Path) -> None:
    nft = shutil.which("nft", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if nft is None or os.geteuid() != 0:
        pytest.skip("needs nft and root")
    path = tmp_path / "rules.nft"
    path.write_text(render(rows(HOSTS, "github.com"), "nftables"))
    done = subprocess.run(
        [nft, "--check", "--file", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("the machine lets nobody ask nft")
    assert (done.returncode, done.stderr) == (0, "")


def test_formats_are_those_of_the_option() -> None:
    from ansible_collections.circleci_server.ops.plugins.module_utils._spec_preflight_check import ARGUMENT_SPEC

    assert list(FORMATS) == ARGUMENT_SPEC["rows_format"]["choices"]
