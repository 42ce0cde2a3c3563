# Installs Replicated by the vendor's script, online or out of an air-gap archive, once, at the wanted version. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Facts 4: the script is run with arguments such as local-address=IP; run again, it upgrades and rewrites its files. The
# air-gap way is an archive with install.sh in it, run as `install.sh airgap`. Nothing else is known of either.

from __future__ import annotations

__all__ = ["SCRIPT_DIRECTORY", "Installed", "Plan", "find_installed", "install", "looked", "make_plan"]

import hashlib
import os
import re
import shutil
import tarfile
import time
import urllib.request
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils import _replicated as replicated
from ansible_collections.circleci_server.ops.plugins.module_utils._artifact_source import check_url, parse_checksum
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._files import write_atomic
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    STATE_DIRECTORY,
    Entry,
    owe,
    read_pending,
    settle,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import find_program, run
from ansible_collections.circleci_server.ops.plugins.module_utils._systemd import read_units

SCRIPT_DIRECTORY = STATE_DIRECTORY + "/installer"
SCOPE, TARGET = "replicated", "installer"
VERSION = re.compile(r"\d+\.\d+\.\d+")
DOWNLOAD_TIMEOUT = 60
SCRIPT_LIMIT = 4 * 1024 * 1024
SHOWN_LINES = 15
# The daemon gives no event to wait for.
LOOK_SECONDS = 0.5


class Installed(NamedTuple):
    """What is there: programs and units, the version ("": cannot be told), an installation that did not end."""

    present: bool
    version: str
    unfinished: bool


class Plan(NamedTuple):
    """Whether the script is run, for which version, and why, in words."""

    runs: bool
    version: str
    changes: List[str]


def find_installed(options: Mapping[str, Any], pending_file: str = PENDING_FILE) -> Installed:
    """Look at the host; the version is what `replicatedctl version` prints."""
    unfinished = any(entry.scope == SCOPE and entry.target == TARGET for entry in read_pending(pending_file))
    if find_program("replicatedctl") is None or not _units_exist(options["units"]):
        return Installed(False, "", unfinished)
    return Installed(True, replicated.version(), unfinished)


def _units_exist(names: List[str]) -> bool:
    if find_program("systemctl") is None:
        return all(os.path.exists("/etc/init/{0}.conf".format(name)) for name in names)  # upstart
    return all(unit.exists for unit in read_units(names).values())


def make_plan(options: Mapping[str, Any], found: Installed) -> Plan:
    """What is installed moves only to a version that is asked for; what did not end is done again.

    Raises OpsError for an air-gap archive whose name says another version, and where no version can be told.
    """
    version = str(options["version"] or found.version or options["default_version"])
    _refuse_other_archive(options, version)
    if not found.present:
        return Plan(True, version, ["Replicated: absent -> {0}".format(version or "the script's own version")])
    if found.unfinished:
        return Plan(True, version, ["Replicated: an installation that did not end is run again"])
    if options["version"] and not found.version:
        raise OpsError(
            "the installed version of Replicated cannot be told: replicatedctl version prints none",
            option="version",
            value=options["version"],
            remedy="See `systemctl status replicated`, or leave the version empty to keep what is installed",
        )
    if options["version"] and options["version"] != found.version:
        return Plan(True, version, ["Replicated: {0} -> {1}".format(found.version, version)])
    return Plan(False, found.version, [])


def _refuse_other_archive(options: Mapping[str, Any], version: str) -> None:
    path = options["airgap_path"] or options["airgap_file"]
    named = VERSION.search(os.path.basename(path)) if path else None
    if named and version and named.group() != version:
        raise OpsError(
            "the archive's name says version {0}, but {1} is to be installed".format(named.group(), version),
            option="airgap_file",
            value=path,
            remedy="Give the archive of that version, or ask for the archive's version",
        )


def looked(options: Mapping[str, Any], found: Installed, plan: Plan) -> Dict[str, Any]:
    """The result of a look. Raises OpsError when something is missing that the first start needs."""
    package = options["airgap_package"]
    if not found.present and package and not os.path.isfile(package):
        raise OpsError(
            "there is no such file on the host",
            option="airgap_package",
            value=package,
            remedy="Put the application's .airgap package there before the first start",
        )
    return {
        "changed": False,
        "installed": found.present,
        "unfinished": found.unfinished,
        "version": found.version,
        "would_run": plan.runs,
        "changes": plan.changes,
    }


def install(
    options: Mapping[str, Any], plan: Plan, phase: Callable[[str], None], pending_file: str = PENDING_FILE
) -> Dict[str, Any]:
    """Run the script and see that its outcome is the wanted version. Returns changed, changes, version, log.

    That it was begun stands in the pending record until its end, so that a run that dies in it is done again.
    """
    debt = Entry(SCOPE, TARGET, options["owner"], "the installer of Replicated was started and did not end")
    script = _script(options, plan.version, phase)
    owe([debt], pending_file)
    phase("the vendor's script installs Replicated {0}".format(plan.version))
    log = _run_script(script, options)
    phase("waiting for Replicated's daemon")
    version = _verify(options, plan.version)
    if options["license_file"]:
        phase("waiting for the licence to be activated")
        _wait_for_license(options["license_timeout"])
    settle([debt], pending_file)
    return {"changed": True, "changes": plan.changes, "version": version, "log": log}


def _script(options: Mapping[str, Any], version: str, phase: Callable[[str], None]) -> str:
    os.makedirs(SCRIPT_DIRECTORY, mode=0o700, exist_ok=True)
    if options["airgap_path"]:
        phase("unpacking {0}".format(options["airgap_path"]))
        return _unpack(options["airgap_path"], options["airgap_script"])
    phase("downloading the vendor's script")
    path = os.path.join(SCRIPT_DIRECTORY, "install-online.sh")
    write_atomic(path, _download(options["url"].format(version=version), options), 0o700)
    return path


def _download(url: str, options: Mapping[str, Any]) -> bytes:
    check_url("url", url)
    # Outward: by the proxy that the installer itself is given, else by the host's own.
    named = {key.lower(): str(value) for key, value in options["environment"].items()}
    proxies = {kind: named[kind + "_proxy"] for kind in ("http", "https") if named.get(kind + "_proxy")}
    handlers = [urllib.request.ProxyHandler(proxies)] if proxies else []
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=DOWNLOAD_TIMEOUT) as answer:
            content: bytes = answer.read(SCRIPT_LIMIT)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise OpsError(
            "the vendor's script cannot be downloaded: {0}".format(reason),
            option="url",
            value=url,
            remedy="Give a mirror, a proxy, or the air-gap archive",
        ) from error
    return _checked(content, url, options["checksum"])


def _checked(content: bytes, url: str, checksum: str) -> bytes:
    wanted, got = parse_checksum(checksum), hashlib.sha256(content).hexdigest()
    if wanted and wanted != got:
        raise OpsError(
            "the script at {0} has sha256:{1}".format(url, got),
            option="checksum",
            value=checksum,
            remedy="Read what changed in the script, then set its new checksum",
        )
    if not content.startswith(b"#!"):
        raise OpsError(
            "what stands there is no script (it does not begin with #!)",
            option="url",
            value=url,
            remedy="Open the URL on the host: a proxy's login page, or an error page of a mirror, looks like this",
        )
    return content


def _unpack(path: str, script: str) -> str:
    target = os.path.join(SCRIPT_DIRECTORY, "airgap")
    shutil.rmtree(target, ignore_errors=True)
    try:
        with tarfile.open(path) as archive:
            members = [member for member in archive.getmembers() if _is_inside(member)]
            archive.extractall(target, members)
    except (OSError, tarfile.TarError) as error:
        raise OpsError(
            "cannot be unpacked: {0}".format(error),
            option="airgap_path",
            value=path,
            remedy="Give Replicated's whole air-gap archive (.tar.gz), and room beside it",
        ) from error
    found = _find(target, script)
    if found is None:
        raise OpsError(
            "has no {0} in it".format(script),
            option="airgap_path",
            value=path,
            remedy="Give Replicated's own air-gap archive, not the application's .airgap package",
        )
    return found


def _is_inside(member: tarfile.TarInfo) -> bool:
    name = os.path.normpath(member.name)
    return (member.isfile() or member.isdir()) and not name.startswith(("/", ".."))


def _find(folder: str, name: str) -> Optional[str]:
    for place, _folders, files in os.walk(folder):
        if name in files:
            return os.path.join(place, name)
    return None


def _run_script(script: str, options: Mapping[str, Any]) -> str:
    """Run it in its own folder by bash, which its documentation names; its output goes to a file of root's."""
    environment = {key: str(value) for key, value in options["environment"].items()}
    argv = ["bash", script] + list(options["arguments"])
    done = run(argv, timeout=options["timeout"], env=environment, cwd=os.path.dirname(script))
    log = os.path.join(SCRIPT_DIRECTORY, "install.log")
    text = done.stdout + done.stderr
    write_atomic(log, text.encode("utf-8", "surrogateescape"), 0o600)
    if done.rc != 0:
        last = "\n".join(text.strip().splitlines()[-SHOWN_LINES:])
        raise OpsError(
            "the vendor's script ended with {0}: {1}".format(done.rc, last or "it printed nothing"),
            remedy="Its whole output is in {0}; run again when the cause is gone, the script may be repeated".format(
                log
            ),
        )
    return log


def _verify(options: Mapping[str, Any], version: str) -> str:
    if not find_installed(options).present:
        raise OpsError(
            "the vendor's script ended well, but replicatedctl or one of the units {0} is missing".format(
                ", ".join(options["units"])
            ),
            option="units",
            remedy="Read {0}/install.log".format(SCRIPT_DIRECTORY),
        )
    replicated.wait_until_ready(options["ready_timeout"])
    got = replicated.version()
    if version and got and got != version:
        raise OpsError(
            "Replicated {0} was asked for, and {1} is what the script installed".format(version, got),
            option="version",
            value=version,
            remedy="An archive or mirror of another version; give the right one and run again",
        )
    return got


def _wait_for_license(timeout: float) -> None:
    """Until `license inspect` shows one: the daemon activates it by itself at its first start (facts 4)."""
    deadline = time.monotonic() + timeout
    while True:
        done = replicated.call("license", "inspect")
        if done.rc == 0:
            return
        if time.monotonic() >= deadline:
            raise OpsError(
                "Replicated shows no licence {0:g} s after its first start: {1}".format(timeout, done.stderr.strip()),
                option="license_file",
                remedy="See `docker logs replicated` for why. The file is read at the first start only (facts 4): "
                "activate the right licence on the console (port 8800) or by `replicatedctl license-load`",
            )
        time.sleep(LOOK_SECONDS)
