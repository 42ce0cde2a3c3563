#!/bin/sh
# Makes unpacked packages ($1) into the root of lab-runtime: users, certificates, PostgreSQL's programs on the PATH.
# The packages' own scripts have not run: what they would have done and is needed stands here.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
set -eu
root=$1

cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
for user in postgres:999 redis:998; do
    name=${user%:*} number=${user#*:}
    echo "$name:x:$number:$number::/var/lib/$name:/bin/sh" >> "$root/etc/passwd"
    echo "$name:x:$number:" >> "$root/etc/group"
    mkdir -p "$root/var/lib/$name"
done
rm -rf "$root/var/run" "$root/var/lock"
ln -s /run "$root/var/run"
ln -s /run/lock "$root/var/lock"
chroot "$root" ldconfig

# Debian puts wrappers in Perl on the PATH.
for program in "$root"/usr/lib/postgresql/15/bin/*; do
    ln -sf "../lib/postgresql/15/bin/${program##*/}" "$root/usr/bin/${program##*/}"
done
(cd "$root/usr/share/ca-certificates" && find . -name '*.crt' | cut -c3-) > "$root/etc/ca-certificates.conf"
chroot "$root" update-ca-certificates > "$root/tmp/log" 2>&1 || { cat "$root/tmp/log"; exit 1; }

rm -rf "$root"/usr/lib/python3*/lib2to3 "$root"/usr/lib/python3*/pydoc_data "$root/tmp/log"
chroot "$root" python3 -m compileall -q -j 2 /usr/lib/python3.11
rm -rf "$root"/var/lib/dpkg "$root"/var/lib/apt "$root"/var/cache/apt "${root:?}"/boot
