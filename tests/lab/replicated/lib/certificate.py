# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4, TlsBootstrapType self-signed): makes the console's own certificate with openssl."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

__all__ = ["self_signed"]


def self_signed(hostname: str) -> dict[str, str]:
    """A key and a certificate for this name, as PEM."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = Path(folder, "cert"), Path(folder, "key")
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        argv += ["-days", "3650", "-subj", f"/CN={hostname[:60]}", "-addext", f"subjectAltName=DNS:{hostname}"]
        argv += ["-keyout", str(key), "-out", str(cert)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=30)
        return {"cert": cert.read_text(), "key": key.read_text()}
