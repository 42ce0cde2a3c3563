# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""What runs as the application on the lab's services host: the catalogue's containers, under the guide's names.

A definition (/opt/lab/application.json) that the stand-in for Replicated starts and stops: a real Nomad server,
PostgreSQL and two Redis, a small stand-in for each other container.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any

from tests.lab.images import SERVICE_TAG
from tests.lab.places import CHECKOUT
from tests.lab.report import LabError
from tests.lab.runtime_image import RUNTIME_TAG
from tests.lab.topology import Host

__all__ = ["LISTED", "OWN", "conditions", "definition", "definition_file", "image_name", "nomad_server_configuration"]

CATALOGUE = CHECKOUT / "plugins" / "module_utils" / "_catalogue.py"
# A static installation without AWS, S3, LDAP; LAB_WITH=ldap,vm_service adds what these bring.
_ALWAYS = "not_s3"
_MAY_ADD = ("ldap", "vm_service")

# Tags of images as the guide's listing of `docker ps` has them (L2039-2263), by repository.
LISTED = {
    "circleci-api-service": "0.1.6910-8b54ef9",
    "circleci-audit-log-service": "0.1.587-fa47042",
    "circleci-contexts-service": "0.1.6073-5275cd5",
    "circleci-cron-service": "0.1.680-1fcd8d2",
    "circleci-domain-service": "0.1.4040-eb63b67",
    "circleci-exim": "0.2.54-697cd08",
    "circleci-federations-service": "0.1.1134-72edcbc",
    "circleci-frontend": "0.1.203321-501fada",
    "circleci-nomad-metrics": "0.1.90-1448fa7",
    "circleci-output-processing": "0.1.10386-741e1d1",
    "circleci-permissions-service": "0.1.1195-b617002",
    "circleci-picard-dispatcher": "0.1.10401-aa50e85",
    "circleci-postgres-script-enhance": "0.1.9-38edabf",
    "circleci-rabbitmq-delayed": "3.6.6-management-12",
    "circleci-scheduler": "0.1.10388-741e1d1",
    "circleci-server-nomad": "0.5.6-5.1",
    "circleci-server-ready-agent": "0.1.105-0193c73",
    "circleci-server-usage-stats": "0.1.122-70f28aa",
    "circleci-shutdown-hook-poller": "0.1.32-9c553b4",
    "circleci-slanger": "0.4.117-42f7e6c",
    "circleci-test-results": "0.1.1136-b4d94f6",
    "circleci-vault-cci": "0.3.8-e2823f6",
    "circleci-vm-gc": "0.1.1370-ad05648",
    "circleci-vm-scaler": "0.1.1370-ad05648",
    "circleci-vm-service": "0.1.1370-ad05648",
    "circleci-workflows-conductor": "0.1.38931-1a904bc8",
    "mongo": "3.6.6-jessie",
    "redis": "4.0.10",
    "telegraf": "1.6.4",
    "tutum-logrotate": "latest",
}
# Replicated's own containers beside its three services, which the vendor's script brings.
OWN = {
    "replicated-premkit": "registry.replicated.com/library/premkit:1.2.0",
    "replicated-statsd": "registry.replicated.com/library/statsd-graphite:0.3.7",
    "retraced-api": "registry.replicated.com/library/retraced:1.2.2",
    "retraced-cron": "registry.replicated.com/library/retraced:1.2.2",
    "retraced-nsqd": "registry.replicated.com/library/retraced-nsq:v1.0.0-compat-20180619",
    "retraced-postgres": "registry.replicated.com/library/retraced-postgres:10.5-20181009",
    "retraced-processor": "registry.replicated.com/library/retraced:1.2.2",
}
_SERVICES = ("replicated", "replicated-ui", "replicated-operator")
_TAG_UNKNOWN = "0.1.0-lab"

# Ports of a services host that users and clients need and no source gives to a container: 7171; and 3001 is
# vm-service's, which is AWS only. In the lab the frontend has both.
_EXTRA_PORTS = {"frontend": (7171, 3001)}
# Nomad's HTTP API is open to the services host alone (facts, section 3).
_LOCAL_PORTS = ("4646/tcp",)
_IMAGES = ["/opt/lab/images/lab-service.tar", "/opt/lab/images/lab-runtime.tar"]

# Containers that are more than the stand-in lab-service: what differs from it. Data is where facts, section 5, has it;
# where PostgreSQL finds it inside its container is the official image's place.
_RUNTIME: dict[str, dict[str, Any]] = {
    "postgres": {
        "command": ["/usr/local/bin/lab-postgres"],
        "volumes": ["/data/circle/postgres/9.5/data:/var/lib/postgresql/data"],
        "ready": {"port": 8999, "path": "/ready"},  # once SELECT 1 works
    },
    "redis": {"command": ["/usr/local/bin/lab-redis"], "volumes": []},
    "slanger-redis": {"command": ["/usr/local/bin/lab-redis"], "volumes": []},
    "ready-agent": {
        "command": ["/usr/local/bin/lab-ready-agent"],
        "volumes": [],
        "ready": {"port": 8099, "path": "/"},  # Replicated looks to it for a 200 (L1392)
    },
}
_NOMAD = {
    "command": ["/bin/nomad", "agent", "-config", "/etc/nomad-server.hcl"],
    "volumes": [
        "nomad-state:/nomad",
        "/opt/lab/bin/nomad:/bin/nomad:ro",
        "/opt/lab/nomad-server.hcl:/etc/nomad-server.hcl:ro",
    ],
}


@cache
def _catalogue() -> ModuleType:
    # By its path: the lab runs from a checkout, with or without the collection on the import path.
    spec = importlib.util.spec_from_file_location("circleci_lab_catalogue", CATALOGUE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def conditions() -> tuple[str, ...]:
    """What the installation has beyond the plain static one, by the environment."""
    wanted = [word for word in os.environ.get("LAB_WITH", "").split(",") if word]
    unknown = sorted(set(wanted) - set(_MAY_ADD))
    if unknown:
        raise LabError(f"LAB_WITH: {', '.join(unknown)} is not one of {', '.join(_MAY_ADD)}")
    return tuple(wanted)


def definition(host: Host, added: Iterable[str] = ()) -> dict[str, Any]:
    """The definition for a host; `added`: ldap, vm_service."""
    there = ("", _ALWAYS, *added)
    found = [item for item in _catalogue().CONTAINERS if item.condition in there and item.name not in _SERVICES]
    application = [item for item in found if item.name not in OWN]
    names = [item.name for item in application]
    order = _catalogue().startup_order(names)
    by_name = {item.name: _container(item, host, names) for item in found}
    return {
        "images": _IMAGES,
        "tags": {container["image"]: _source(name) for name, container in by_name.items()},
        "containers": [by_name[name] for name in order],
        "replicated": [by_name[name] for name in OWN],
    }


def definition_file(host: Host) -> bytes:
    """The text of /opt/lab/application.json."""
    return (json.dumps(definition(host, conditions()), indent=1) + "\n").encode()


def image_name(host: Host, item: Any) -> str:
    """The image as `docker ps` shows it: out of Replicated's registry on the services host."""
    if item.name in OWN:
        return OWN[item.name]
    repository = item.image or f"circleci-{item.name}"
    return f"{host.address}:9874/{repository}:{LISTED.get(repository, _TAG_UNKNOWN)}"


def _source(name: str) -> str:
    return RUNTIME_TAG if name in _RUNTIME else SERVICE_TAG


def _container(item: Any, host: Host, names: list[str]) -> dict[str, Any]:
    extra = [port for port in _EXTRA_PORTS.get(item.name, ()) if port != 3001 or "vm-service" not in names]
    ports = [*item.ports, *(f"{port}/tcp" for port in extra)]
    made = {
        "name": item.name,
        "random_name": item.random_name,
        "image": image_name(host, item),
        "command": ["/bin/lab-service"],
        "env": _environment(item, ports),
        "ports": [_published(port) for port in ports],
        "volumes": ["/etc/circleconfig:/circleconfig:ro", "/etc:/host/etc:ro"],
        "hostname": item.name,
        "depends_on": [_catalogue().get(name).name for name in item.depends_on],
        "runs_once": item.runs_once,
        "stop_timeout": 10,
    }
    if item.health:
        made["ready"] = {"port": item.health.port, "path": item.health.path}
    if item.name == "nomad":
        made.update(_NOMAD)
        made["env"]["LAB_ADDRESS"] = host.address
    if item.name == "ready-agent":
        made["env"]["LAB_WAIT_FOR"] = _endpoints(names)
    made.update(_RUNTIME.get(item.name, {}))
    return made


def _environment(item: Any, ports: list[str]) -> dict[str, str]:
    directories = item.override_directories
    return {
        "LAB_NAME": item.name,
        "LAB_OVERRIDE_DIR": directories[0] if directories else item.name,
        "LAB_PORTS": " ".join(port.removesuffix("/tcp") for port in ports if port.endswith("/tcp")),
        "LAB_HEALTH_PATH": item.health.path if item.health else "",
        "LAB_RUNS_ONCE": "1" if item.runs_once else "",
    }


def _published(port: str) -> str:
    number = port.split("/")[0]
    return f"{'127.0.0.1:' if port in _LOCAL_PORTS else ''}{number}:{port}"


def _endpoints(names: list[str]) -> str:
    """What ready-agent waits for: the health endpoints that the guide lists (L1402-1411), of this installation."""
    known = _catalogue().health_endpoints()
    return " ".join(f"{name}={health.port}{health.path}" for name, health in known.items() if name in names)


def nomad_server_configuration(host: Host) -> str:
    """Configuration of the Nomad server: clients reach it by the services host's address, not by the container's."""
    return f"""# A real Nomad server, alone; state in the volume nomad-state.
data_dir = "/nomad"
bind_addr = "0.0.0.0"
datacenter = "default"
disable_update_check = true
advertise {{
  http = "{host.address}:4646"
  rpc  = "{host.address}:4647"
  serf = "{host.address}:4648"
}}
server {{
  enabled          = true
  bootstrap_expect = 1
}}
"""
