#!/bin/sh
# Turns a fresh Debian tree ($1) into the base image of a lab host: users, sudo, sshd, quiet units.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
set -eu
root=$1

# ops: sudo without a password, as the inventory's user; opspw: sudo asks (its password is set when a host starts).
chroot "$root" useradd --uid 1000 --user-group --create-home --shell /bin/bash ops
chroot "$root" useradd --uid 1001 --user-group --create-home --shell /bin/bash opspw
printf 'ops ALL=(ALL) NOPASSWD: ALL\nopspw ALL=(ALL) ALL\n' > "$root/etc/sudoers.d/lab"
chmod 0440 "$root/etc/sudoers.d/lab"

# Host keys are made by the lab, so that they are known before the first connection.
rm -f "$root"/etc/ssh/ssh_host_*
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\nPasswordAuthentication no\n' \
    > "$root/etc/ssh/sshd_config.d/lab.conf"

# A host must come to rest by itself: no timers that start apt, nothing that needs a console or a disk of its own.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    getty.target console-getty.service systemd-logind.service systemd-udevd.service systemd-modules-load.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
rm -f "$root/etc/systemd/system/multi-user.target.wants/nginx.service"
rm -f "$root"/etc/apt/sources.list.d/* "$root/etc/apt/sources.list" "$root/etc/machine-id"
: > "$root/etc/machine-id"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
