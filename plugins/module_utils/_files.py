# Reads and replaces files of the host: atomically, with mode and owner, never through a half-written state. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["FileState", "read_file", "read_state", "stricter_mode", "write_atomic"]

import grp
import os
import pwd
import stat
import tempfile
from typing import NamedTuple, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError


class FileState(NamedTuple):
    """A file as it is: its bytes (None: it does not exist), permission bits, owner and group names."""

    content: Optional[bytes]
    mode: int
    owner: str
    group: str

    @property
    def exists(self) -> bool:
        return self.content is not None


def read_file(path: str) -> Optional[bytes]:
    """The bytes of a file, None when there is none. Raises OpsError for a directory or an unreadable file."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OpsError("{0} cannot be read: {1}".format(path, error.strerror)) from error


def read_state(path: str) -> FileState:
    """Content, mode and ownership of a file in one look."""
    content = read_file(path)
    if content is None:
        return FileState(None, 0, "", "")
    status = os.stat(path)
    return FileState(content, stat.S_IMODE(status.st_mode), _user_name(status.st_uid), _group_name(status.st_gid))


def stricter_mode(wanted: int, present: int) -> int:
    """The mode that allows no more than either of the two."""
    return wanted & present


def write_atomic(
    path: str,
    content: bytes,
    mode: int,
    owner: Optional[str] = None,
    group: Optional[str] = None,
) -> None:
    """Replace a file in one step: a reader sees the old file or the new one, nothing between.

    The directory must exist. Without owner and group an existing file's own are kept.
    Raises OpsError (a full disk, a read-only file system, an unknown user); the old file is then untouched.
    """
    target = os.path.realpath(path)
    uid, gid = _ownership(target, owner, group)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".circleci-server-ops-", dir=os.path.dirname(target))
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chown(temporary, uid, gid)
        os.chmod(temporary, mode)
        os.rename(temporary, target)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise OpsError(
            "{0} cannot be written: {1}".format(path, error.strerror),
            remedy="The file is as it was; check free space and mount options of its file system",
        ) from error


def _ownership(path: str, owner: Optional[str], group: Optional[str]) -> tuple[int, int]:
    try:
        status = os.stat(path)
        uid, gid = status.st_uid, status.st_gid
    except FileNotFoundError:
        uid, gid = os.geteuid(), os.getegid()
    try:
        return (
            pwd.getpwnam(owner).pw_uid if owner else uid,
            grp.getgrnam(group).gr_gid if group else gid,
        )
    except KeyError as error:
        raise OpsError("{0} has no such user or group: {1}".format(path, error)) from error


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
