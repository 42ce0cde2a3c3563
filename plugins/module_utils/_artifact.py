# Installs one program file on the host: compared by version or content, tried before it replaces anything. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Decision", "Present", "compare", "install_artifact"]

import glob
import grp
import os
import pwd
import re
import stat
import tempfile
from typing import IO, Any, Dict, List, Match, NamedTuple, Optional, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._artifact_source import (
    check_url,
    copy_hashed,
    download,
    member_of,
    parse_checksum,
    published_checksum,
    require_space,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._lock import host_lock
from ansible_collections.circleci_server.ops.plugins.module_utils._pending import (
    PENDING_FILE,
    Entry,
    owe,
    written,
)
from ansible_collections.circleci_server.ops.plugins.module_utils._run import run
from ansible_collections.circleci_server.ops.plugins.module_utils._versions import matches

MODE = re.compile(r"0[0-7]{3,4}")
TRIAL_SECONDS = 30
DEBT = ("scope", "target", "owner", "reason", "when")
UNKNOWN = "unknown"


class Present(NamedTuple):
    """The installed file: version "" when it is not known, sha256 "" when it was not asked for."""

    exists: bool = False
    version: str = ""
    sha256: str = ""
    mode: int = 0
    user: str = ""
    group: str = ""
    trouble: str = ""


class Decision(NamedTuple):
    """What has to happen: install a version ("" is whatever the source holds), or correct mode and ownership."""

    install: bool
    version: str
    attributes: List[str]

    @property
    def changes(self) -> bool:
        return self.install or bool(self.attributes)


def compare(params: Dict[str, Any], present: Present, sha256: str = "") -> Decision:
    """What has to happen, from the options, what is there, and the wanted content's checksum. Pure.

    What is installed moves only to a version that is asked for; default_version counts where nothing is installed.
    """
    if not present.exists:
        return Decision(True, params["version"] or params["default_version"], [])
    replace = params["replace"]
    differs = False
    if replace == "when_version_differs" and params["version"]:
        differs = not matches(present.version, params["version"])
    if replace == "when_content_differs":
        differs = present.sha256 != sha256
    return Decision(differs, params["version"], [] if differs else _attributes(params, present))


def _attributes(params: Dict[str, Any], present: Present) -> List[str]:
    mode = int(params["mode"], 8)
    found = []
    if present.mode != mode:
        found.append("mode {0:04o} becomes {1:04o}".format(present.mode, mode))
    for name, value in (("user", present.user), ("group", present.group)):
        if params[name] and params[name] != value:
            found.append("{0} {1} becomes {2}".format(name, value, params[name]))
    return found


def install_artifact(params: Dict[str, Any], check: bool = False, pending: str = PENDING_FILE) -> Dict[str, Any]:
    """Bring the file to the wanted version or content. Raises OpsError.

    handover, from the action: source (the file's path on the host), sha256 and size of the content (the member's,
    when it was unpacked there). Returns needs_file (True) instead of acting when the file has to be sent first.
    """
    _check_options(params)
    present, decision = _compare_now(params)
    if not decision.changes:
        return _report(params, present, decision, present)
    if decision.install:
        _require_source(params, present, decision)
    if check:
        return _report(params, present, decision, _predicted(params, present, decision))
    directory = _directory(params)
    if decision.install and params["file"] and not _handed(params, "source"):
        require_space(directory, params["handover"].get("size", 0))
        return dict(_report(params, present, Decision(False, "", []), present), needs_file=True)
    with host_lock("host_artifact " + params["dest"], params["lock_timeout"]):
        present, decision = _compare_now(params)
        if decision.install:
            _install(params, decision, directory, pending)
        elif decision.attributes:
            _set_attributes(params, params["dest"])
        return _report(params, present, decision, _look(params))


def _compare_now(params: Dict[str, Any]) -> Tuple[Present, Decision]:
    present = _look(params)
    return present, compare(params, present, _handed(params, "sha256") or parse_checksum(params["checksum"]))


def _handed(params: Dict[str, Any], name: str) -> str:
    return str(params["handover"].get(name, ""))


def _check_options(params: Dict[str, Any]) -> None:
    if params["file"] and params["url"]:
        raise OpsError("file and url are both given", option="url", value=params["url"], remedy="Give one of them")
    if not MODE.fullmatch(params["mode"]):
        raise OpsError("is not an octal mode", option="mode", value=params["mode"], remedy='Write it in quotes: "0755"')
    parse_checksum(params["checksum"])
    if params["version"] and not params["version_argv"] and params["replace"] == "when_version_differs":
        raise OpsError(
            "the installed version cannot be read without version_argv",
            option="version",
            value=params["version"],
            remedy="Say how the program prints its version, for instance version_argv: [nomad, version]",
        )
    _check_regex(params["version_regex"])
    if params["url"]:
        _check_url_options(params)


def _check_regex(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise OpsError(
            "is not a regular expression: {0}".format(error), option="version_regex", value=pattern
        ) from error
    if groups != 1:
        raise OpsError(
            "must have one group, which is the version",
            option="version_regex",
            value=pattern,
            remedy="Put brackets around the version alone",
        )


def _check_url_options(params: Dict[str, Any]) -> None:
    check_url("url", params["url"])
    if not params["checksum"] and not params["checksum_url"]:
        raise OpsError(
            "a download needs a checksum",
            option="url",
            value=params["url"],
            remedy="Give checksum (sha256:...) or checksum_url (a list as sha256sum writes it)",
        )
    if params["checksum_url"]:
        check_url("checksum_url", params["checksum_url"])
        if params["checksum_url"].startswith("http:"):
            raise OpsError(
                "a checksum that came unprotected protects nothing",
                option="checksum_url",
                value=params["checksum_url"],
                remedy="Use https, or give checksum",
            )
    if params["replace"] == "when_content_differs" and (params["member"] or not params["checksum"]):
        raise OpsError(
            "the content cannot be compared before a download without the checksum of the program itself",
            option="replace",
            value=params["replace"],
            remedy="Use when_version_differs, or give a URL of the plain program and its checksum",
        )


def _require_source(params: Dict[str, Any], present: Present, decision: Decision) -> None:
    have = "has version {0}".format(present.version or UNKNOWN) if present.exists else "does not exist"
    if not params["file"] and not params["url"]:
        raise OpsError(
            "{0} {1}, wanted is {2}, and there is nothing to install".format(
                params["dest"], have, decision.version or "any version"
            ),
            option="file",
            value="",
            remedy="Give file (a path on the controller) or url",
        )
    if "{version}" in params["url"] + params["checksum_url"] and not decision.version:
        raise OpsError(
            "has a place for the version, and no version is given",
            option="url",
            value=params["url"],
            remedy="Give version or default_version",
        )


def _directory(params: Dict[str, Any]) -> str:
    directory: str = os.path.dirname(os.path.realpath(params["dest"]))
    if not os.path.isdir(directory):
        raise OpsError(
            "the directory {0} does not exist".format(directory),
            option="dest",
            value=params["dest"],
            remedy="Make it first",
        )
    return directory


def _look(params: Dict[str, Any]) -> Present:
    path = params["dest"]
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return Present()
    if not stat.S_ISREG(status.st_mode):
        raise OpsError("is there and is not a file", option="dest", value=path, remedy="Give the path of a file")
    version, trouble, sha256 = "", "", ""
    if params["version_argv"]:
        try:
            version = _version_of(path, params)
        except OpsError as error:
            trouble = error.message
    if params["replace"] == "when_content_differs":
        with open(path, "rb") as handle:
            sha256 = copy_hashed(handle, None)
    user, group = _names(status.st_uid, status.st_gid)
    return Present(True, version, sha256, stat.S_IMODE(status.st_mode), user, group, trouble)


def _names(uid: int, gid: int) -> Tuple[str, str]:
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    try:
        return user, grp.getgrgid(gid).gr_name
    except KeyError:
        return user, str(gid)


def _version_of(path: str, params: Dict[str, Any]) -> str:
    """Run the program for its version. Raises OpsError when it does not run or does not say one."""
    done = run([path] + params["version_argv"][1:], timeout=TRIAL_SECONDS)
    match: Optional[Match[str]] = re.search(params["version_regex"], done.stdout + "\n" + done.stderr)
    if done.rc != 0 or not match:
        raise OpsError(
            "{0} ended with {1} and said {2!r}".format(
                " ".join(params["version_argv"]), done.rc, (done.stdout + done.stderr).strip()[:200]
            )
        )
    return str(match.group(1))


def _install(params: Dict[str, Any], decision: Decision, directory: str, pending: str) -> None:
    target = os.path.realpath(params["dest"])
    prefix = ".circleci-server-ops-{0}-".format(os.path.basename(target))
    # The lock is ours, so what a killed run left there is nobody's.
    for leftover in glob.glob(os.path.join(glob.escape(directory), glob.escape(prefix) + "*")):
        os.unlink(leftover)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=prefix, dir=directory)
        with os.fdopen(handle, "wb") as stream:
            _fill(params, decision, stream, temporary)
            stream.flush()
            os.fsync(stream.fileno())
        _set_attributes(params, temporary)
        _try(params, decision, temporary)
        debts = [_debt(params)] if params["owes"] else []
        owe(debts, pending)
        os.rename(temporary, target)
        temporary = ""
        if debts:
            written(debts, pending)
    except OSError as error:
        raise OpsError(
            "{0} cannot be written: {1}".format(params["dest"], error.strerror),
            option="dest",
            value=params["dest"],
            remedy="The installed file is as it was; check free space and mount options of its file system",
        ) from error
    finally:
        if temporary:
            os.unlink(temporary)


def _fill(params: Dict[str, Any], decision: Decision, stream: IO[bytes], path: str) -> None:
    """The verified content into the open temporary file."""
    directory = os.path.dirname(path)
    if params["file"]:
        require_space(directory, os.path.getsize(_handed(params, "source")))
        with open(_handed(params, "source"), "rb") as source:
            _require_checksum(params["file"], "file", _handed(params, "sha256"), copy_hashed(source, stream))
        return
    url = params["url"].replace("{version}", decision.version)
    expected = parse_checksum(params["checksum"])
    if not expected:
        sums_url = params["checksum_url"].replace("{version}", decision.version)
        expected = published_checksum(sums_url, url, params["timeout"])
    if not params["member"]:
        _require_checksum(url, "url", expected, download(url, stream, directory, params["timeout"]))
        return
    with tempfile.NamedTemporaryFile(prefix=os.path.basename(path), dir=directory) as archive:
        _require_checksum(url, "url", expected, download(url, archive, directory, params["timeout"]))
        archive.flush()
        member_of(archive.name, params["member"], url, stream, directory)


def _require_checksum(origin: str, option: str, expected: str, found: str) -> None:
    if expected != found:
        raise OpsError(
            "the checksum is sha256:{0}, expected is sha256:{1}; nothing was replaced".format(found, expected),
            option=option,
            value=origin,
            remedy="Get the file anew, or correct checksum when the file is the right one",
        )


def _set_attributes(params: Dict[str, Any], path: str) -> None:
    try:
        uid = pwd.getpwnam(params["user"]).pw_uid if params["user"] else -1
        gid = grp.getgrnam(params["group"]).gr_gid if params["group"] else -1
    except KeyError as error:
        raise OpsError(
            "this host has no such user or group",
            option="user, group",
            value=(params["user"], params["group"]),
            remedy="Make them first, or give others",
        ) from error
    # In this order: a change of ownership takes the set-user-id bit away.
    os.chown(path, uid, gid)
    os.chmod(path, int(params["mode"], 8))


def _try(params: Dict[str, Any], decision: Decision, path: str) -> None:
    """Run the new program before it replaces the old one."""
    origin = params["file"] or params["url"]
    option = "file" if params["file"] else "url"
    if not params["version_argv"]:
        return
    try:
        version = _version_of(path, params)
    except OpsError as error:
        raise OpsError(
            "the program does not run on this host ({0}): {1}; the installed file is as it was".format(
                os.uname().machine, error.message.replace(path, os.path.basename(params["dest"]))
            ),
            option=option,
            value=origin,
            remedy="Give the program that was built for this architecture and system",
        ) from error
    if decision.version and not matches(version, decision.version):
        raise OpsError(
            "holds version {0}, wanted is {1}; the installed file is as it was".format(version, decision.version),
            option=option,
            value=origin,
            remedy="Give the file of the wanted version, or correct the version",
        )


def _debt(params: Dict[str, Any]) -> Entry:
    debt = params["owes"]
    reason = debt.get("reason") or params["dest"] + " changed"
    return Entry(debt.get("scope") or "unit", debt["target"], params["owner"], reason, debt.get("when") or "now")


def _predicted(params: Dict[str, Any], present: Present, decision: Decision) -> Present:
    mode = int(params["mode"], 8)
    after = present._replace(exists=True, mode=mode, user=params["user"], group=params["group"], trouble="")
    if decision.install:
        after = after._replace(version=decision.version or UNKNOWN)
        if params["replace"] == "when_content_differs":
            after = after._replace(sha256=_handed(params, "sha256") or parse_checksum(params["checksum"]))
    return after


def _report(params: Dict[str, Any], before: Present, decision: Decision, after: Present) -> Dict[str, Any]:
    path, changes = params["dest"], []
    if decision.install and before.exists:
        changes.append(
            "{0} moves from version {1} to {2}".format(path, before.version or UNKNOWN, after.version or UNKNOWN)
        )
    elif decision.install:
        changes.append("{0} is installed (version {1})".format(path, after.version or UNKNOWN))
    changes += ["{0}: {1}".format(path, text) for text in decision.attributes]
    result: Dict[str, Any] = {
        "changed": decision.changes,
        "changes": changes,
        "diff": [
            {"before_header": path, "after_header": path, "before": _shown(before), "after": _shown(after)},
        ],
        "path": path,
        "installed_version": after.version,
        "previous_version": before.version,
        "source": (params["file"] or params["url"]) if decision.install else "",
        "owed": [],
    }
    if decision.install and params["owes"]:
        debt = _debt(params)
        result["owed"] = [{name: getattr(debt, name) for name in DEBT}]
    if after.trouble:
        result["warnings"] = ["{0} does not run, so its version is not known: {1}".format(path, after.trouble)]
    return result


def _shown(present: Present) -> str:
    if not present.exists:
        return "absent\n"
    text = "version: {0}\nmode: {1:04o}\nuser: {2}\ngroup: {3}\n".format(
        present.version or UNKNOWN, present.mode, present.user, present.group
    )
    return text + ("sha256: {0}\n".format(present.sha256) if present.sha256 else "")
