// Pins what the lab's Nomad is built from (the project's facts: 0.12.12 with these replacements, seen to work).
// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: circleci_server.ops contributors

module circleci-server-ops-lab/nomad

go 1.19

require (
	github.com/hashicorp/nomad v0.12.12
	github.com/hashicorp/nomad/api v0.0.0-20201203164818-6318a8ac7bf8
)

replace (
	github.com/Microsoft/go-winio => github.com/endocrimes/go-winio v0.4.13-0.20190628114223-fb47a8b41948
	github.com/NYTimes/gziphandler => github.com/NYTimes/gziphandler v1.0.0
	github.com/apparentlymart/go-textseg/v12 => github.com/apparentlymart/go-textseg/v12 v12.0.0
	github.com/godbus/dbus => github.com/godbus/dbus v4.1.0+incompatible
	github.com/golang/protobuf => github.com/golang/protobuf v1.3.4
	github.com/kr/pty => github.com/kr/pty v1.1.5
	github.com/shirou/gopsutil => github.com/hashicorp/gopsutil v2.18.13-0.20200531184148-5aca383d4f9d+incompatible
)
