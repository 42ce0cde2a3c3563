#!/bin/sh
# Stand-in for the entrypoint of Replicated's container, under its name in the guide's `docker ps` (L2252).
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
exec /opt/lab/replicated/bin/replicatedd
