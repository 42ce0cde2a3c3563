# The shell commands that give a host an interpreter of its own, and how their answers are read. Pure. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

__all__ = ["Installed", "install_script", "interpreter_of", "parse_checksum", "read_answer", "state_script"]

import re
import shlex
from typing import NamedTuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_access import OLDEST

# Tried in the place where the interpreter is: its version, what the modules of Ansible and of this collection import,
# and that its library is beside it. ssl may be missing where nothing is downloaded.
_TRY = """
import os, sys
if sys.version_info[:2] < ({0}, {1}):
    sys.exit("its version is %d.%d; Ansible needs {0}.{1} or later" % sys.version_info[:2])
if not (os.path.realpath(sys.prefix) + "/").startswith(os.path.realpath(sys.argv[1]) + "/"):
    sys.exit("it is not relocatable: it takes its library from " + sys.prefix)
import datetime, fcntl, grp, hashlib, json, platform, pwd, re, select, selectors, shlex, shutil, socket
import struct, subprocess, tempfile, threading, time, traceback, zipfile, zlib
try:
    import ssl
except ImportError:
    ssl = None
sys.stdout.write("PYTHON %d.%d.%d %s\\n" % (tuple(sys.version_info[:3]) + ("ssl" if ssl else "-",)))
""".format(*OLDEST)
MARKER = ".circleci_server_ops_sha256"


class Installed(NamedTuple):
    """What a host has: the checksum of the archive that it came from, and the version of what runs."""

    checksum: str
    version: str
    ssl: bool

    @property
    def works(self) -> bool:
        return bool(self.version)


def interpreter_of(dest: str) -> str:
    """The interpreter of an installation."""
    return dest.rstrip("/") + "/bin/python3"


def parse_checksum(text: str) -> str:
    """The digits of a checksum sha256:...; anything else is refused."""
    method, _colon, digits = text.strip().rpartition(":")
    if method not in ("", "sha256") or not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise OpsError(
            "not a sha256 checksum",
            option="bootstrap_python_checksum",
            value=text,
            remedy="Give sha256: and 64 hexadecimal digits",
        )
    return digits.lower()


def state_script(dest: str) -> str:
    """Says what is there already; changes nothing."""
    return 'echo "MARK $(cat {0} 2>/dev/null)"; {1} -c {2} {3} 2>/dev/null; true'.format(
        shlex.quote("{0}/{1}".format(dest.rstrip("/"), MARKER)),
        shlex.quote(interpreter_of(dest)),
        shlex.quote(_TRY),
        shlex.quote(dest),
    )


def install_script(archive: str, dest: str, checksum: str) -> str:
    """Unpack beside dest, try the interpreter there, then let it take its place."""
    script = _INSTALL.format(
        archive=shlex.quote(archive),
        dest=shlex.quote(dest.rstrip("/")),
        checksum=checksum,
        marker=MARKER,
        program=shlex.quote(_TRY),
    )
    # A shell of its own: Ansible adds to the line that it runs.
    return "/bin/sh -c " + shlex.quote(script)


# What a killed run left is removed when it is an hour old: a younger one may be another run's.
_INSTALL = """set -e
umask 022
dest={dest}
parent=$(dirname "$dest")
mkdir -p "$parent"
find "$parent" -maxdepth 1 -name "$(basename "$dest").new.*" -mmin +60 -exec rm -rf {{}} +
new=$(mktemp -d "$dest.new.XXXXXX")
trap 'rm -rf "$new" "$new.old"' EXIT
chmod 755 "$new"
tar -xf {archive} -C "$new"
for python in "$new"/bin/python3 "$new"/*/bin/python3 "$new"/*/*/bin/python3 \\
    "$new"/bin/python3.[0-9] "$new"/*/bin/python3.[0-9] "$new"/*/*/bin/python3.[0-9] \\
    "$new"/bin/python3.[0-9][0-9] "$new"/*/bin/python3.[0-9][0-9] "$new"/*/*/bin/python3.[0-9][0-9]; do
  if [ -x "$python" ]; then break; fi
done
if [ ! -x "$python" ]; then echo "the archive has no bin/python3" >&2; exit 3; fi
if [ "$python" != "$new/bin/python3" ]; then
  mkdir -p "$new/bin"
  ln -s "../${{python#"$new"/}}" "$new/bin/python3"
fi
"$new/bin/python3" -c {program} "$new"
echo {checksum} > "$new/{marker}"
if [ -e "$dest" ]; then mv "$dest" "$new.old"; fi
mv "$new" "$dest"
rm -rf "$new.old"
trap - EXIT
"$dest/bin/python3" -c {program} "$dest"
echo "MARK {checksum}"
"""


def read_answer(stdout: str) -> Installed:
    """What one of the two scripts printed; the last word on each matter counts."""
    checksum, version, ssl = "", "", False
    for line in stdout.splitlines():
        words = line.split()
        if words[:1] == ["MARK"] and len(words) == 2:
            checksum = words[1]
        elif words[:1] == ["PYTHON"] and len(words) == 3:
            version, ssl = words[1], words[2] == "ssl"
    return Installed(checksum, version, ssl)
