# The firewall rows of an inventory: as a table for people, as JSON, as an nftables ruleset. Pure. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["FORMATS", "render", "rows"]

import ipaddress
import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.circleci_server.ops.plugins.module_utils._catalogue import PORTS
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_plan import GITHUB, Host
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rules import CLIENTS, SERVICES

COLUMNS = ("from", "to", "protocol", "ports", "purpose", "source", "probed")


def rows(hosts: Sequence[Host], github: str) -> list[dict[str, Any]]:
    """Every row of the catalogue's table, with the addresses that this inventory has for the two kinds."""
    addresses = {kind: [host.address for host in hosts if kind in host.kinds] for kind in (SERVICES, CLIENTS)}
    addresses[GITHUB] = [github] if github else []
    return [
        {
            "from": row.from_kind,
            "from_addresses": addresses.get(row.from_kind, []),
            "to": row.to_kind,
            "to_addresses": addresses.get(row.to_kind, []),
            "protocol": row.protocol,
            "first": row.first,
            "last": row.last,
            "ports": _ports(row.first, row.last),
            "purpose": row.purpose,
            "source": row.source,
            "probed": row.probed,
        }
        for row in PORTS
    ]


def render(table: Sequence[dict[str, Any]], form: str) -> str:
    """The rows in one of FORMATS, ending with a new line."""
    return FORMATS[form](table)


def _ports(first: int, last: int) -> str:
    return str(first) if first == last else "{0}-{1}".format(first, last)


def _table(table: Sequence[dict[str, Any]]) -> str:
    blocks = []
    for kind in (SERVICES, CLIENTS):
        for title, key in (("Into", "to"), ("Out of", "from")):
            chosen = [row for row in table if row[key] == kind]
            where = sorted({address for row in chosen for address in row[key + "_addresses"]})
            blocks.append("{0} {1} ({2})\n{3}".format(title, kind, ", ".join(where) or "no host", _lines(chosen)))
    blocks.append(
        "probed: preflight tries it by itself. Not tried are udp (silence proves nothing) and what comes from outside."
    )
    return "\n\n".join(blocks) + "\n"


def _lines(chosen: Sequence[dict[str, Any]]) -> str:
    cells = [list(COLUMNS)] + [[_cell(row[column]) for column in COLUMNS] for row in chosen]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "-"
    return str(value)


def _json(table: Sequence[dict[str, Any]]) -> str:
    return json.dumps(list(table), indent=2) + "\n"


def _nftables(table: Sequence[dict[str, Any]]) -> str:
    lines = [
        "# Inbound rules of each kind of host: load one of the two tables on a host of that kind (nft -f).",
        "# Ports that Docker publishes pass the forward chain: repeat their rows in Docker's own chain DOCKER-USER.",
    ]
    for kind in (SERVICES, CLIENTS):
        lines += [
            "table inet circleci_{0} {{".format(kind),
            "  chain input {",
            "    type filter hook input priority 0; policy drop;",
            "    ct state established,related accept",
            '    iif "lo" accept',
            "    meta l4proto { icmp, ipv6-icmp } accept",
        ]
        lines += [rule for row in table if row["to"] == kind for rule in _rules(row)]
        lines += ["  }", "}"]
    return "\n".join(lines) + "\n"


def _rules(row: dict[str, Any]) -> list[str]:
    tail = '{0} dport {1} accept comment "{2}: {3}"'.format(row["protocol"], row["ports"], row["from"], row["purpose"])
    if row["from"] not in (SERVICES, CLIENTS) or not row["from_addresses"]:
        return ["    " + tail]
    families: dict[str, list[str]] = {"ip": [], "ip6": []}
    names = []
    for address in row["from_addresses"]:
        try:
            families["ip6" if ipaddress.ip_address(address).version == 6 else "ip"].append(address)
        except ValueError:
            names.append(address)
    found = ["    # {0}: a name; put its address into the rule".format(name) for name in names]
    return found + [
        "    {0} saddr {{ {1} }} {2}".format(family, ", ".join(members), tail)
        for family, members in families.items()
        if members
    ]


FORMATS = {"table": _table, "json": _json, "nftables": _nftables}
