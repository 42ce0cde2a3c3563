# Gets an artifact: by URL, out of a zip archive, as bytes with a checksum; never more than the disk holds. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["check_url", "copy_hashed", "download", "member_of", "parse_checksum", "published_checksum", "require_space"]

import hashlib
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from typing import IO, Any, List, Match, Optional

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

CHECKSUM = re.compile(r"sha256:(?P<hex>[0-9a-fA-F]{64})")
SCHEMES = ("https", "http", "file")
CHUNK = 1024 * 1024
# What a file system should have left beside the artifact.
MARGIN = 16 * 1024 * 1024
SUMS_LIMIT = 1024 * 1024
SHOWN_MEMBERS = 10


def parse_checksum(checksum: str) -> str:
    """The hexadecimal digits of "sha256:..."; an empty checksum stays empty. Raises OpsError."""
    match: Optional[Match[str]] = CHECKSUM.fullmatch(checksum)
    if checksum and not match:
        raise OpsError(
            "is not a SHA-256 checksum",
            option="checksum",
            value=checksum,
            remedy="Write sha256: and the 64 hexadecimal digits (sha256sum FILE shows them)",
        )
    return match.group("hex").lower() if match else ""


def check_url(option: str, url: str) -> None:
    """Refuse what cannot be downloaded, and a URL that carries a password into logs."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise OpsError("is no URL to download from", option=option, value=url, remedy="Use https, http or file")
    if "@" in parts.netloc:
        raise OpsError(
            "credentials in a URL end up in logs",
            option=option,
            remedy="Use a mirror without credentials, or the option file",
        )


def copy_hashed(source: IO[bytes], target: Optional[IO[bytes]]) -> str:
    """Copy a stream (target None: only read it) and return its SHA-256."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: source.read(CHUNK), b""):
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest()


def require_space(directory: str, size: int) -> None:
    """Raises OpsError when the directory's file system cannot take that many bytes more."""
    free = shutil.disk_usage(directory).free
    if free < size + MARGIN:
        raise OpsError(
            "{0} has {1} MB free, {2} MB are needed".format(directory, free // CHUNK, (size + MARGIN) // CHUNK),
            remedy="Free space on its file system and run again; nothing was replaced",
        )


def download(url: str, target: IO[bytes], directory: str, timeout: int) -> str:
    """Download into an open file and return the SHA-256. Outward traffic: the environment's proxy is used."""
    try:
        with urllib.request.build_opener().open(url, timeout=timeout) as answer:
            require_space(directory, int(answer.headers.get("Content-Length") or 0))
            return copy_hashed(answer, target)
    except (OSError, ValueError) as error:
        raise _download_error("url", url, error) from error


def published_checksum(sums_url: str, url: str, timeout: int) -> str:
    """The checksum of a URL's file from a list as sha256sum writes it."""
    try:
        with urllib.request.build_opener().open(sums_url, timeout=timeout) as answer:
            text: str = answer.read(SUMS_LIMIT).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise _download_error("checksum_url", sums_url, error) from error
    name = os.path.basename(urllib.parse.urlsplit(url).path)
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == name and CHECKSUM.fullmatch("sha256:" + words[0]):
            return words[0].lower()
    raise OpsError(
        "has no SHA-256 checksum of {0}".format(name),
        option="checksum_url",
        value=sums_url,
        remedy="Give the file's checksum with checksum",
    )


def member_of(archive: Any, member: str, origin: str, target: Optional[IO[bytes]], directory: str = "") -> str:
    """Unpack one member of a zip archive (a path or an open file) and return its SHA-256."""
    try:
        with zipfile.ZipFile(archive) as opened:
            if member not in opened.namelist():
                raise _no_member(member, origin, opened.namelist())
            if directory:
                require_space(directory, opened.getinfo(member).file_size)
            with opened.open(member) as source:
                return copy_hashed(source, target)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise OpsError(
            "{0} is not a zip archive that can be read: {1}".format(origin, error),
            option="member",
            value=member,
            remedy="Leave member out for a plain binary, or give a whole archive",
        ) from error


def _no_member(member: str, origin: str, names: List[str]) -> OpsError:
    shown = ", ".join(names[:SHOWN_MEMBERS]) or "nothing"
    return OpsError(
        "is not in {0}, which holds {1}".format(origin, shown),
        option="member",
        value=member,
        remedy="Give the path inside the archive",
    )


def _download_error(option: str, url: str, error: Exception) -> OpsError:
    reason = getattr(error, "reason", None) or error
    if isinstance(error, urllib.error.HTTPError):
        reason = "HTTP {0} {1}".format(error.code, error.reason)
    return OpsError(
        "the download failed: {0}".format(reason),
        option=option,
        value=url,
        remedy="Check the URL, the host's way out (proxy, name service, certificates) and its free space",
    )
