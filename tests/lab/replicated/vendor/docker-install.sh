#!/usr/bin/env bash
# Stand-in for Replicated's installation script (facts 4): leaves on a host what the facts name; the rest is assumed.
# Usage: bash SCRIPT local-address=IP no-proxy no-docker [airgap]
# Of facts 4: the three services, each a container started by its unit, ordered after docker.service and requiring it;
# their parameter files and names; the alias file; that a second run is an upgrade (it writes its files anew, so what a
# person put into them is lost). Of the guide (L2250 - L2259): images, container names, ports. Assumed: the words, what
# an unknown or a missing argument does, that a question that nobody can answer ends the script, the files' modes, and
# that the daemon reads the host's files through its root, mounted at /host.
# The packages host puts the version that was asked for, and its own name, in the place of the two marks below.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
version='<!--# echo var="arg_replicated_tag" default="2.38.6" -->'
server='<!--# echo var="host" default="packages" -->'
here=${LAB_UNPACKED:-$(cd "$(dirname "$0")" && pwd)} # install.sh sets it
case $version in
'<'*) version=$(cat "$here/VERSION" 2> /dev/null || echo 2.38.6) server=packages ;; # not through the packages host
esac
library=/usr/local/lib/lab-replicated
images=(replicated replicated-ui replicated-operator)
address='' proxy=ask docker=install airgap=no

die() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

arguments() {
    local word
    for word in "$@"; do
        case $word in
        local-address=* | local_address=*) address=${word#*=} ;;
        no-proxy | no_proxy) proxy=none ;;
        no-docker | no_docker) docker=none ;;
        airgap) airgap=yes proxy=none docker=none ;;
        *) die "unknown parameter \"$word\"" ;;
        esac
    done
    [[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] || die "no release of Replicated is called \"$version\""
}

# One question to a person. Nobody is there in a run by Ansible.
question() {
    [ -t 0 ] || die "$1: no terminal to ask at"
    read -r -p "$1: " reply
}

check() {
    [ "$(id -u)" = 0 ] || die 'This script must be run as root'
    [ $docker = none ] || die 'this stand-in does not install Docker: no-docker is wanted'
    docker version > /dev/null 2>&1 || die 'Docker is not running'
    [ $proxy = none ] || question 'Does this machine require a proxy to access the Internet? (y/N)'
    if [ -z "$address" ]; then
        question 'Please enter the private address of this machine'
        address=$reply
    fi
}

# The pull: nothing is fetched that is there.
pull() {
    local image
    if ! docker image inspect "quay.io/replicated/replicated:$version" > /dev/null 2>&1; then
        echo "Pulling Replicated $version"
        if [ $airgap = yes ]; then
            docker load --quiet --input "$here/images.tar"
        else
            curl -fsS "http://$server/replicated/images.tar" | docker load --quiet
        fi
        for image in "${images[@]}"; do
            docker tag "quay.io/replicated/$image:current" "quay.io/replicated/$image:$version"
        done
    fi
    for image in "${images[@]}"; do
        docker tag "quay.io/replicated/$image:$version" "quay.io/replicated/$image:current"
    done
}

# replicatedctl, and for this stand-in the Python that it is made of.
programs() {
    local container
    rm -rf "$library.new"
    container=$(docker create "quay.io/replicated/replicated:$version" true)
    docker cp "$container:/opt/lab/replicated" "$library.new" > /dev/null
    docker rm "$container" > /dev/null
    printf '%s\n' "$version" > "$library.new/VERSION"
    python3 -m compileall -q "$library.new/lib"
    rm -rf "$library"
    mv "$library.new" "$library"
    mkdir -p /usr/local/bin
    ln -sfn "$library/bin/replicatedctl" /usr/local/bin/replicatedctl
    echo 'alias replicated="sudo docker exec -it replicated replicated"' > /etc/replicated.alias
}

parameters() {
    defaults=/etc/default
    [ ! -e /etc/redhat-release ] || defaults=/etc/sysconfig
    local token
    token=$(tr -dc 0-9a-f < /dev/urandom | head -c 32 || true)
    mkdir -p "$defaults"
    cat > "$defaults/replicated" << EOT
RELEASE_CHANNEL=stable
PRIVATE_ADDRESS=$address
SKIP_OPERATOR_INSTALL=0
REPLICATED_OPTS=""
EOT
    cat > "$defaults/replicated-operator" << EOT
RELEASE_CHANNEL=stable
DAEMON_ENDPOINT=$address:9879
DAEMON_TOKEN=$token
DAEMON_HOST=$address
PRIVATE_ADDRESS=$address
REPLICATED_OPERATOR_OPTS=""
EOT
}

# unit NAME FILE COMMAND OPTIONS… : `$NAME` in OPTIONS is systemd's, out of FILE; `-e NAME` hands it on without its
# value in the list of processes.
unit() {
    local name=$1 file=$2 command=$3
    shift 3
    cat > "/etc/systemd/system/$name.service" << EOT
# Stand-in for Replicated's unit $name (facts 4: a container, after docker.service and requiring it).
[Unit]
Description=$name (a stand-in)
After=docker.service
Requires=docker.service
StartLimitIntervalSec=0

[Service]
TimeoutStartSec=60
TimeoutStopSec=30
EnvironmentFile=-$defaults/$file
ExecStartPre=-/usr/bin/docker rm -f $name
ExecStart=/usr/bin/docker run --rm --name $name $* quay.io/replicated/$name:current $command
ExecStop=/usr/bin/docker stop -t 10 $name
Restart=always
RestartSec=2

[Install]
WantedBy=docker.service multi-user.target
EOT
}

# shellcheck disable=SC2016 # these are systemd's variables, out of EnvironmentFile
units() {
    local common="-e LAB_REPLICATED_VERSION=$version -e PATH=/opt/lab/replicated/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    common="$common -v /var/run/replicated:/var/run/replicated -v /var/log/replicated:/var/log/replicated"
    unit replicated replicated 'entrypoint.sh -d' "$common" \
        -p 9874-9879:9874-9879 -v /var/lib/replicated:/var/lib/replicated -v /var/run/docker.sock:/var/run/docker.sock \
        --mount type=bind,src=/,dst=/host,bind-nonrecursive \
        -e PRIVATE_ADDRESS -e RELEASE_CHANNEL '$REPLICATED_OPTS'
    unit replicated-ui replicated replicated-ui "$common" -p 8800:8800 '$REPLICATED_UI_OPTS'
    unit replicated-operator replicated-operator replicated-operator "$common" \
        -e DAEMON_ENDPOINT -e DAEMON_TOKEN -e DAEMON_HOST -e PRIVATE_ADDRESS '$REPLICATED_OPERATOR_OPTS'
    systemctl daemon-reload
}

start() {
    local name
    mkdir -p /var/lib/replicated /var/run/replicated /var/log/replicated
    systemctl --quiet enable "${images[@]}"
    for name in replicated-ui replicated replicated-operator; do systemctl restart "$name"; done
    echo "Operator installation successful"
    echo "To continue the installation, visit the following URL in your browser: https://$address:8800"
}

arguments "$@"
check
pull
programs
parameters
units
start
