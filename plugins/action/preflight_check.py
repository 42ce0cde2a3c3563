# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action preflight_check: judges what its module reads on the hosts, and what stands in the inventory."""

from __future__ import annotations

import hashlib
import shlex
import time
import uuid
from collections.abc import Sequence
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.release import __version__
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._preflight_listener import release_code
from ansible_collections.circleci_server.ops.plugins.module_utils._spec_preflight_check import ARGUMENT_SPEC
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_access as access
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_inventory as inventory
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_plan as plan
from ansible_collections.circleci_server.ops.plugins.plugin_utils import _preflight_rules as rules
from ansible_collections.circleci_server.ops.plugins.plugin_utils._action import OpsAction
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_report import Invocation, lost, report
from ansible_collections.circleci_server.ops.plugins.plugin_utils._preflight_rows import render, rows

ADVERTISE = "nomad_client_advertise_address"
# From ansible-core 2.19 on, the lines of a failed task's message stay lines on the terminal.
MESSAGES_KEEP_LINES = tuple(int(part) for part in __version__.split(".")[:2]) >= (2, 19)
# What a task of ours returns when the host is of neither kind.
NOTHING: dict[str, Any] = {"changed": False, "preflight_errors": [], "preflight_warnings": []}


class ActionModule(OpsAction):
    """Four phases; see the module's documentation."""

    ARGUMENT_SPEC = ARGUMENT_SPEC

    def act(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.vars = task_vars
        self.options = arguments
        self.name = str(task_vars["inventory_hostname"])
        self.kinds = [
            kind for kind, group in inventory.GROUPS.items() if self.name in task_vars["groups"].get(group, [])
        ]
        if arguments["phase"] == "rows":
            return self._rows()
        if arguments["phase"] == "gate":
            return self._gate()
        if not self.kinds:
            return dict(NOTHING)
        return self._look() if arguments["phase"] == "look" else self._probe()

    # look

    def _look(self) -> dict[str, Any]:
        errors, warnings = self._judge_inventory()
        python, problems, skew = self._reach()
        if python is None or problems:
            return self._found(errors + problems, warnings)
        errors += rules.clock(self.name, skew[0], skew[1], self.options["max_skew"])
        started, token = time.time(), uuid.uuid4().hex
        result = self._on_host(
            {
                "names": [self.options["hostname"]] if self.options["hostname"] else [],
                "disk_path": self.options["disk_path"],
                "timeout": self.options["probe_timeout"],
                "token": token,
                "seconds": self.options["listen_seconds"],
                "ports": plan.listen_ports(self.kinds),
            }
        )
        if result.get("failed"):
            return result
        listener = dict(result["listener"], token=token, until=started + self.options["listen_seconds"])
        errors += self._judge_facts(result["facts"])
        facts = dict(result["facts"], clock_skew=round(skew[0], 3), clock_uncertainty=round(skew[1], 3))
        return dict(
            self._found(errors, warnings),
            preflight_facts=facts,
            preflight_listener=listener,
            preflight_interpreter=python.path,
        )

    def _reach(self) -> tuple[access.Python | None, list[rules.Finding], tuple[float, float]]:
        """Log in, become root, find the interpreter, compare the clocks; all of it without Python there."""
        configured = self._configured_interpreter()
        candidates = C.config.get_config_value("INTERPRETER_PYTHON_FALLBACK", variables=self.vars)
        script = access.look_script(configured, [str(candidate) for candidate in candidates])
        problems: list[rules.Finding] = []
        before = time.time()
        try:
            answer = self._low_level_execute_command(script)
            said = "{0}\n{1}".format(answer["stdout"], answer["stderr"])
        except AnsibleError as error:
            answer = {"stdout": ""}
            said = str(error)
        after = time.time()
        found = access.parse(answer["stdout"], configured)
        if found.uid != 0:
            problems.append(access.become_finding(self.name, self._become_method(), self._user(), said))
            # A login that does not work either is an unreachable host, and raises.
            found = access.parse(self._low_level_execute_command(script, sudoable=False)["stdout"], configured)
            if found.uid == 0 and not self._become_method():
                problems = []
        python, too_old = access.python_finding(self.name, configured, found)
        if python is None:
            return None, problems + too_old, (0.0, 0.0)
        if problems:
            return python, problems, (0.0, 0.0)
        return python, [], self._skew(python, before, after)

    def _skew(self, python: access.Python, before: float, after: float) -> tuple[float, float]:
        """How far the host's clock is ahead, and how exactly that is known: the half of the round trip."""
        shown = python.time
        if (after - before) / 2 > self.options["max_skew"] / 2:
            # The first command had to log in; a second one does not.
            before = time.time()
            answer = self._low_level_execute_command(
                "{0} -c 'import time; print(time.time())'".format(shlex.quote(python.path)), sudoable=False
            )
            after = time.time()
            shown = float(answer["stdout"].split()[-1])
        return shown - (before + after) / 2, (after - before) / 2

    def _configured_interpreter(self) -> str:
        """The interpreter that the inventory or the configuration sets, "" where Ansible is to find one."""
        variables = dict(self.vars)
        if "ansible_python_interpreter" in variables:
            variables["ansible_python_interpreter"] = self._templar.template(variables["ansible_python_interpreter"])
        value = str(C.config.get_config_value("INTERPRETER_PYTHON", variables=variables) or "auto")
        return "" if value.startswith("auto") else value

    def _become_method(self) -> str:
        become = self._connection.become
        return str(become.name) if become is not None else ""

    def _user(self) -> str:
        return str(self.vars.get("ansible_user") or self._play_context.remote_user or "the login")

    # judging

    def _judge_inventory(self) -> tuple[list[rules.Finding], list[str]]:
        """What needs no look at the host."""
        errors = rules.release(self.name, self.options["release"])
        errors += rules.extra_only(self.name, self.options["extra_only"], self.vars, load_extra_vars(self._loader))
        warnings = rules.vm_provider(self.name, self.options["vm_provider"])
        for version in self.options["versions"]:
            found = self._judge_version(version)
            (errors if version["check"] == "refuse" else warnings).extend(found)
        if rules.CLIENTS in self.kinds:
            advertised = inventory.values(self.vars, rules.CLIENTS, ADVERTISE)
            errors += rules.duplicates(ADVERTISE, advertised, self.name)
            errors += self._judge_binary()
        return errors, [self._warning(finding) for finding in warnings]

    def _judge_version(self, version: dict[str, Any]) -> list[rules.Finding]:
        kinds = [rules.CLIENTS] if version["program"] == "nomad" else self.kinds
        return [
            finding
            for kind in kinds
            if kind in self.kinds
            for finding in rules.version_line(
                self.name,
                kind,
                version["program"],
                version["option"],
                version["value"],
                version["check_option"],
                self.options["release"],
            )
        ]

    def _judge_binary(self) -> list[rules.Finding]:
        """The binary on the controller, read once for all clients that have the same one."""
        path, checksum = self.options["binary_file"], self.options["binary_checksum"]
        if not path:
            return []
        for name in self.vars["ansible_play_hosts_all"]:
            if name == self.name:
                break
            other = self.vars["hostvars"][name]
            same = (
                other.get("nomad_client_binary_file") == path
                and (other.get("nomad_client_binary_checksum") or "") == checksum
            )
            if same and name in self.vars["groups"].get(inventory.GROUPS[rules.CLIENTS], []):
                return []
        try:
            return rules.binary(self.name, path, checksum, _sha256(self._find_needle("files", path)))
        except (AnsibleError, OSError) as error:
            return rules.binary(self.name, path, checksum, "", str(error))

    def _judge_facts(self, facts: dict[str, Any]) -> list[rules.Finding]:
        errors = rules.architecture(self.name, facts)
        errors += rules.operating_system(self.name, facts, self.options["supported_os"])
        errors += rules.names(self.name, facts, {self.options["hostname"]: "circleci_server_hostname"})
        errors += rules.disk_free(self.name, facts, self.options["disk_free_gb"])
        if rules.SERVICES in self.kinds:
            least = rules.services_minimum(self.options["daily_active_users"], self.options["services_minimum"] or {})
            errors += rules.size(self.name, facts, "preflight_services_minimum", least)
        if rules.CLIENTS in self.kinds:
            errors += rules.size(self.name, facts, "preflight_client_minimum", self.options["client_minimum"] or {})
            errors += rules.size(
                self.name, facts, "preflight_client_maximum", self.options["client_maximum"] or {}, True
            )
        return errors

    # probe

    def _probe(self) -> dict[str, Any]:
        hosts = {host.name: host for host in inventory.hosts(self.vars)}
        source = hosts[self.name]
        if not source.looked:
            return dict(NOTHING)
        github = self.options["github_host"] if self.options["github_check"] != "none" else ""
        targets = plan.targets(source, list(hosts.values()), github)
        order = {
            "targets": [[target.address, target.port] for target in targets],
            "timeout": self.options["probe_timeout"],
        }
        result = self._on_host(order)
        if result.get("failed"):
            return result
        now = time.time()
        tried = list(zip(targets, result["outcomes"], strict=True))
        verdicts = [
            plan.judge_host(source, target, hosts[target.host], outcome, now)
            for target, outcome in tried
            if target.host
        ]
        verdicts.append(
            plan.judge_github(source, [pair for pair in tried if not pair[0].host], self.options["github_check"])
        )
        return self._found(
            [verdict.error for verdict in verdicts if verdict.error],
            [verdict.warning for verdict in verdicts if verdict.warning],
        )

    # gate

    def _gate(self) -> dict[str, Any]:
        self._release()
        checked, dead = inventory.divided(self.vars)
        errors, warnings = inventory.collected(self.vars, checked)
        errors = [lost(name) for name in dead] + errors
        first = checked[0] if checked else self.name
        if self.name != first:
            if not errors:
                return {"changed": False}
            raise OpsError("preflight stopped all hosts; the message of {0} says why".format(first))
        for text in warnings:
            self.warn(text)
        if not errors:
            return {"changed": False}
        services = self.vars["groups"].get(inventory.GROUPS[rules.SERVICES], [])
        text = report(errors, list(self.vars["ansible_play_hosts_all"]), services, _invocation())
        if not MESSAGES_KEEP_LINES:
            Display().display(text, stderr=True)
        return {"changed": False, "failed": True, "msg": text}

    def _release(self) -> None:
        """Close the listener's ports on this host, before any role starts a service there."""
        look = self.vars["hostvars"][self.name].get(inventory.LOOK) or {}
        listener = look.get("preflight_listener") or {}
        if not listener.get("ports"):
            return
        code = shlex.quote(release_code(str(listener["token"])))
        answer = self._low_level_execute_command("{0} -c {1}".format(shlex.quote(look["preflight_interpreter"]), code))
        if answer["rc"] != 0:
            self.warn(
                "{0}: preflight's listener could not be stopped and ends by itself after preflight_listen_seconds: "
                "{1}".format(self.name, answer["stderr"].strip())
            )

    # rows

    def _rows(self) -> dict[str, Any]:
        table = rows(inventory.hosts(self.vars), self.options["github_host"])
        text = render(table, self.options["rows_format"])
        result = {"changed": False, "preflight_rows": table}
        path = self.options["rows_file"]
        if not path:
            Display().display(text, stderr=True)
            return result
        before = _read(path)
        if before == text:
            return result
        if not self.check_mode:
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
        diff = [{"before": before, "after": text, "before_header": path, "after_header": path}]
        return dict(result, changed=True, diff=diff)

    # common

    def _on_host(self, work: dict[str, Any]) -> dict[str, Any]:
        return self.host({"phase": self.options["phase"], "work": work}, self.vars)

    def _found(self, errors: Sequence[rules.Finding], warnings: Sequence[str]) -> dict[str, Any]:
        return dict(NOTHING, preflight_errors=rules.as_dicts(errors), preflight_warnings=list(warnings))

    @staticmethod
    def _warning(finding: rules.Finding) -> str:
        return "{0}: {1}".format(finding.host, finding.message)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1024 * 1024), b""):
            digest.update(block)
    return digest.hexdigest()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""


def _invocation() -> Invocation:
    arguments = context.CLIARGS
    return Invocation(
        tuple(arguments.get("inventory") or ()), tuple(arguments.get("args") or ()), arguments.get("subset") or ""
    )
