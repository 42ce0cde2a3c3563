#!/bin/sh
# What the lab's build runs, in dash or busybox sh: says where it is, counts the seconds, ends with the wanted code.
# SIGUSR1 ends it early, at the next second: a test need not guess how long a run takes.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
echo "build $NOMAD_JOB_NAME: allocation $NOMAD_ALLOC_ID, process $$, on $(hostname)"
second=0
told=
trap 'told=yes' USR1
while [ -z "$told" ] && [ "$second" -lt "$LAB_SECONDS" ]; do
    sleep 1
    second=$((second + 1))
    echo "step $second of $LAB_SECONDS"
done
echo "build finished"
exit "$LAB_EXIT"
