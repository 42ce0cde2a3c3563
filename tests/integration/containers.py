# What the tests read of the application's containers on the services host.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

from tests.integration.hosts import Host

# The port on which the lab's stand-in shows its environment, NUL between entries (tests/lab/images/lab-service).
DEBUG = "http://127.0.0.1:8999/environment"


def environment_of(services: Host, container: str) -> dict[str, str]:
    """The environment that a container's service runs with, byte for byte."""
    text = services.run(f"docker exec {container} /bin/busybox wget -qO- {DEBUG}")
    return dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)


def started_at(services: Host, container: str) -> str:
    """When a container was started last."""
    return services.run(f"docker inspect -f '{{{{.State.StartedAt}}}}' {container}").strip()
