#!/usr/bin/env bash
# Stand-in for install.sh of Replicated's air-gap tarball (facts 4): `install.sh airgap`, run where it was unpacked.
# What it does stands in docker-install.sh, which was unpacked with it, as was images.tar. Arguments are handed on.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ "${1-}" = airgap ] || {
    echo 'Error: this tarball installs without a network only: install.sh airgap' >&2
    exit 1
}
export LAB_UNPACKED=$here
for script in "$here/docker-install.sh" "$here/vendor/docker-install.sh"; do
    [ ! -f "$script" ] || exec bash "$script" "$@"
done
echo "Error: docker-install.sh was not unpacked with $0" >&2
exit 1
