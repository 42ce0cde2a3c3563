# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): the first start reads /etc/replicated.conf, no later one does.

Of facts 4: the keys, and that the file is read once. Assumed: what becomes of a broken file, a refused licence or an
unknown item (logged, the rest goes on), and when the app is started at once: a licence, all required items, and
BypassPreflightChecks; otherwise a person goes on in the console or with replicatedctl.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from typing import Any

from . import items, licence
from .places import Places
from .state import App, Refused, State, Store

__all__ = ["first_start", "hashed", "install_licence"]

_PARAMS = (
    "BypassPreflightChecks", "DaemonAuthenticationType", "DaemonToken", "ForceUseImportedSettings", "HttpProxy",
    "ImportSettingsFrom", "LicenseBootstrapAirgapPackagePath", "LicenseBootstrapChannelID", "LicenseFileLocation",
    "LogLevel", "ReleaseSequence", "RemoveImportSettingsFrom", "SnapshotsPath", "SnapshotsStore", "TlsBootstrapCert",
    "TlsBootstrapHostname", "TlsBootstrapKey", "TlsBootstrapType",
)  # fmt: skip


def first_start(places: Places, store: Store, log: logging.Logger) -> bool:
    """Read the file if this is the first start. True: the app is to be started now."""
    if store.state.started_before:
        log.info("not the first start: /etc/replicated.conf is not read")
        return False
    with store.change() as state:
        state.started_before = True
        conf = _conf(places, log)
        state.params = {key: conf[key] for key in _PARAMS if key in conf}
        _authentication(state, conf)
        _tls(places, state, conf, log)
        if not _licence(places, state, conf, log):
            return False
        _settings(places, state, conf, log)
        lacking = items.missing(state.settings)
        if lacking or not conf.get("BypassPreflightChecks"):
            log.info("the app is not started by itself; required items without a value: %s", ", ".join(lacking))
            return False
        return True


def _conf(places: Places, log: logging.Logger) -> dict[str, Any]:
    path = places.on_host("/etc/replicated.conf")
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        log.info("no /etc/replicated.conf")
    except (OSError, ValueError) as error:
        log.error("/etc/replicated.conf cannot be read: %s", error)
    else:
        log.info("read /etc/replicated.conf")
        return found
    return {}


def hashed(password: str, salt: str = "") -> dict[str, str]:
    """A password as it is kept."""
    salt = salt or secrets.token_hex(16)
    found = hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()
    return {"type": "password", "salt": salt, "hash": found}


def _authentication(state: State, conf: dict[str, Any]) -> None:
    kind = conf.get("DaemonAuthenticationType", "")
    if kind == "password" and conf.get("DaemonAuthenticationPassword"):
        state.auth = hashed(str(conf["DaemonAuthenticationPassword"]))
    elif kind == "anonymous":
        state.auth = {"type": kind}


def _tls(places: Places, state: State, conf: dict[str, Any], log: logging.Logger) -> None:
    kind = str(conf.get("TlsBootstrapType", "self-signed"))
    state.tls = {"type": kind, "hostname": str(conf.get("TlsBootstrapHostname", ""))}
    if kind in ("server-path", "key-cert"):
        try:
            for key, name in (("cert", "TlsBootstrapCert"), ("key", "TlsBootstrapKey")):
                state.tls[key] = places.on_host(str(conf[name])).read_text()
        except (KeyError, OSError) as error:
            log.error("TlsBootstrapType %s: no usable certificate and key: %s", kind, error)
            state.tls["type"] = "self-signed"


def _licence(places: Places, state: State, conf: dict[str, Any], log: logging.Logger) -> bool:
    location = conf.get("LicenseFileLocation")
    if not location:
        return False
    package = conf.get("LicenseBootstrapAirgapPackagePath", "")
    try:
        text = places.on_host(str(location)).read_text()
        install_licence(places, state, text, str(package))
    except (OSError, ValueError, Refused) as error:
        state.licence_problem = f"{location}: {error}"
        log.error("licence refused: %s", state.licence_problem)
        return False
    log.info("licence activated: %s", location)
    return True


def install_licence(places: Places, state: State, text: str, package: str) -> None:
    """Check a licence and its package; then the app is there, stopped."""
    found = licence.read(text)
    version = ""
    if package:
        version = licence.check_package(places.on_host(package).read_text(), found, places.version)
    elif found.get("airgap") == "yes":
        raise Refused("an airgap license needs an airgap package")
    state.licence, state.licence_problem = found, ""
    if state.app is None:
        sequence = state.params.get("ReleaseSequence") or 1
        state.app = App(secrets.token_hex(16), sequence=int(sequence), version=version or found.get("version", ""))


def _settings(places: Places, state: State, conf: dict[str, Any], log: logging.Logger) -> None:
    location = conf.get("ImportSettingsFrom")
    if not location:
        return
    path = places.on_host(str(location))
    try:
        found = items.decoded(path.read_text())
    except (OSError, ValueError, Refused) as error:
        log.error("settings not imported from %s: %s", location, error)
        return
    for name, entry in found.items():
        fault = items.problem(name, entry)
        if fault:
            log.error("setting not imported: %s", fault)
        elif entry:
            state.settings[name] = entry
    log.info("settings imported from %s", location)
    if conf.get("RemoveImportSettingsFrom"):
        path.unlink()
