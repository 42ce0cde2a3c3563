#!/usr/bin/env bash
# Stand-in for CircleCI's script that sets up a Nomad client: leaves on a host what the project's facts (section 7) say.
# The formatting, comments and order of its files are deliberately not the role's. It has no KillMode, as the fact says.
# Usage: vendor-client.sh PRIVATE_IP SERVICES_IP URL_OF_NOMAD
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
private_ip=$1 services_ip=$2 url=$3

mkdir -p /etc/docker /etc/nomad /opt/nomad /etc/circleci
cat > /etc/docker/daemon.json <<'EOT'
{   "log-driver" : "json-file",
    "userns-remap":"default"
}
EOT
apt-get -q update
apt-get -qy install --no-install-recommends docker.io
apt-mark hold docker.io

docker network inspect ci-privileged > /dev/null 2>&1 ||
    docker network create --driver=bridge --opt com.docker.network.bridge.name=ci-privileged ci-privileged

curl -fsS -o /usr/bin/nomad "$url"
chmod 0755 /usr/bin/nomad
cat > /etc/nomad/config.hcl <<EOT
log_level = "DEBUG"
# written by the installation script
data_dir="/opt/nomad"
datacenter  =  "default"

advertise {
    http = "$private_ip"
    rpc = "$private_ip"
    serf = "$private_ip"
}

client {
    enabled = true
    // the services machine
    servers = [ "$services_ip:4647" ]
    node_class = "linux-64bit"
    options = { "driver.raw_exec.enable" = "1" }
}
EOT
printf '%s\n' "$private_ip" > /etc/circleci/public-ipv4

cat > /etc/systemd/system/nomad.service <<'EOT'
[Unit]
Description="nomad"
[Service]
Restart=always
RestartSec=30
TimeoutStartSec=1m
ExecStart=/usr/bin/nomad agent -config /etc/nomad/config.hcl
[Install]
WantedBy=multi-user.target
EOT
systemctl daemon-reload
systemctl enable --now nomad.service
