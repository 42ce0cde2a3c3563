# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors
"""Stand-in for Replicated (facts 4): the manners of a command line made with Go's cobra, as its public source has them.

An unknown command of the program is an error; an unknown word after a group prints the group's help and exits 0; flags
may stand anywhere; `Error: …` is on stderr, after a wrong flag or argument with the usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .client import Failure

__all__ = ["Command", "Flag", "Values", "execute"]

Values = dict[str, Any]


class _Misuse(Exception):
    """A wrong flag or argument."""


@dataclass(frozen=True)
class Flag:
    """kind: bool, string, or strings (may be repeated)."""

    name: str
    usage: str
    kind: str = "bool"
    short: str = ""
    default: str = ""


@dataclass
class Command:
    """`arguments`: names of its positional arguments. Without `run` it is a group."""

    name: str
    short: str
    run: Callable[[Values], int] | None = None
    flags: Sequence[Flag] = ()
    arguments: Sequence[str] = ()
    children: list[Command] = field(default_factory=list)
    parent: Command | None = None

    def add(self, *children: Command) -> Command:
        """Children, in the order of their names."""
        self.children = sorted([*self.children, *children], key=lambda child: child.name)
        for child in children:
            child.parent = self
        return self

    @property
    def path(self) -> str:
        """The words that lead to it."""
        return f"{self.parent.path} {self.name}" if self.parent else self.name


_HELP = Flag("help", "help for ", short="h")


def execute(root: Command, shared: Sequence[Flag], words: Sequence[str]) -> int:
    """Run the command that the words name. `shared` flags belong to all."""
    command, rest = _find(root, shared, list(words))
    try:
        values, arguments = _parse([*command.flags, *shared, _HELP], rest)
        if values["help"] or (command.run is None and (command.parent or not arguments)):
            print(f"{command.short}\n\n{_usage(command, shared)}", end="")
            return 0
        if command.run is None:
            tell = f"unknown command {arguments[0]!r} for {root.name!r}".replace("'", '"')
            print(f"Error: {tell}\nRun '{root.name} --help' for usage.", file=sys.stderr)
            return 1
        _count(command, arguments)
        values.update(zip(command.arguments, arguments, strict=True))
        return command.run(values)
    except _Misuse as error:
        print(f"Error: {error}\n{_usage(command, shared)}", file=sys.stderr)
    except Failure as error:
        print(f"Error: {error}", file=sys.stderr)
    return 1


def _find(root: Command, shared: Sequence[Flag], words: list[str]) -> tuple[Command, list[str]]:
    """The command, and the words that are left; flags before it are skipped over as cobra does."""
    command, rest, position = root, [], 0
    while position < len(words):
        word = words[position]
        if word == "--":
            break
        if word.startswith("-"):
            rest.append(word)
            flag = next((item for item in [*command.flags, *shared] if f"--{item.name}" == word), None)
            if flag and flag.kind != "bool" and position + 1 < len(words):
                position += 1
                rest.append(words[position])
        elif word == "help" and command is root:
            rest.append("--help")
        else:
            child = next((item for item in command.children if item.name == word), None)
            if child is None:
                break
            command = child
        position += 1
    return command, rest + words[position:]


def _parse(flags: Sequence[Flag], words: list[str]) -> tuple[Values, list[str]]:
    values: Values = {flag.name: {"bool": False, "strings": []}.get(flag.kind, flag.default) for flag in flags}
    arguments: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return values, arguments + words
        if word.startswith("-") and word != "-":
            _take(values, *_flag(flags, word), words)
        else:
            arguments.append(word)
    return values, arguments


def _flag(flags: Sequence[Flag], word: str) -> tuple[Flag, str | None, str]:
    """The flag of a word, the value that is part of the word, and how the flag is called in errors."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        found = next((item for item in flags if item.name == name), None)
        if found is None:
            raise _Misuse(f"unknown flag: --{name}")
        return found, value if equals else None, f"--{name}"
    found = next((item for item in flags if item.short == word[1]), None)
    if found is None:
        raise _Misuse(f"unknown shorthand flag: {word[1]!r} in {word}")
    return found, word[2:].removeprefix("=") or None, f"{word[1]!r} in {word}"


def _take(values: Values, flag: Flag, value: str | None, name: str, words: list[str]) -> None:
    if flag.kind == "bool":
        if value not in (None, "true", "false"):
            raise _Misuse(f'invalid argument "{value}" for "--{flag.name}" flag: strconv.ParseBool: invalid syntax')
        values[flag.name] = value != "false"
        return
    if value is None:
        if not words:
            raise _Misuse(f"flag needs an argument: {name}")
        value = words.pop(0)
    values[flag.name] = [*values[flag.name], value] if flag.kind == "strings" else value


def _count(command: Command, arguments: Sequence[str]) -> None:
    if not command.arguments and arguments:
        raise _Misuse(f'unknown command "{arguments[0]}" for "{command.path}"')
    if len(arguments) != len(command.arguments):
        raise _Misuse(f"accepts {len(command.arguments)} arg(s), received {len(arguments)}")


def _usage(command: Command, shared: Sequence[Flag]) -> str:
    wanted = "".join(f" {name.upper()}" for name in command.arguments)
    lines = ["Usage:"]
    if command.run:
        lines.append(f"  {command.path}{wanted} [flags]")
    if command.children:
        lines += [f"  {command.path} [command]", "", "Available Commands:"]
        width = max(len(child.name) for child in command.children)
        lines += [f"  {child.name:<{width}} {child.short}" for child in command.children]
    own = Flag("help", f"help for {command.name}", short="h")
    lines += ["", "Flags:", *(_line(flag) for flag in sorted([*command.flags, own], key=lambda flag: flag.name))]
    lines += ["", "Global Flags:", *map(_line, shared)]
    if command.children:
        lines += ["", f'Use "{command.path} [command] --help" for more information about a command.']
    return "\n".join(lines) + "\n"


def _line(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    kind = "" if flag.kind == "bool" else " string"
    default = f' (default "{flag.default}")' if flag.default else ""
    return f"  {short}--{flag.name + kind:<22} {flag.usage}{default}"
