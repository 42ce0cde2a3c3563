# Tests of _shell: what it reads and writes is what bash, dash and busybox sh read, byte for byte.
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: circleci_server.ops contributors

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError
from ansible_collections.circleci_server.ops.plugins.module_utils._shell import (
    Line,
    Opaque,
    is_name,
    line_for,
    owner_of,
    parse,
    quote,
    without,
)

SHELLS = {"bash": "bash", "dash": "dash", "busybox": "busybox sh"}
PRESENT = {name: command for name, command in SHELLS.items() if shutil.which(name)}
KEYS = ("A", "B", "C")
# A batch costs three shells and one `env` for each file and shell; a failure names the one file, so none is shrunk.
QUICK = settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _pairs(output: bytes) -> dict[bytes, bytes]:
    found = (pair.partition(b"=") for pair in output.split(b"\0") if b"=" in pair)
    return {name: value for name, _equals, value in found}


def environments(texts: list[str]) -> dict[str, list[dict[bytes, bytes]]]:
    """What each shell of this machine exports after reading each text, one process of it for each text."""
    result = {}
    with tempfile.TemporaryDirectory() as directory:
        for index, text in enumerate(texts):
            Path(directory, str(index)).write_bytes(_encoded(text))
        inner = '. "$0" </dev/null >/dev/null 2>&1; exec /usr/bin/env -0'
        loop = "cd {0} && for f in $(seq 0 {1}); do /usr/bin/env -i PATH={2} {3} -c '{4}' ./$f > $f.{5}; done"
        running = []
        for shell, command in PRESENT.items():
            script = loop.format(directory, len(texts) - 1, "/usr/bin:/bin", command, inner, shell)
            running.append(subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL))
        for process in running:
            process.wait(timeout=120)
        for shell in PRESENT:
            outputs = [Path(directory, "{}.{}".format(index, shell)).read_bytes() for index in range(len(texts))]
            result[shell] = [_pairs(output) for output in outputs]
    return result


class Reading(NamedTuple):
    """What the reader says of a text: exported values, and the statements it did not read."""

    exported: dict[str, str]
    opaque: list[Opaque]

    def sure(self, key: str) -> bool:
        return not any(opaque.touches(key) for opaque in self.opaque)


def reading(text: str) -> Reading:
    values: dict[str, str] = {}
    exported: set[str] = set()
    opaque = []
    all_export = False
    for line in parse(text):
        for statement in line.statements:
            all_export = all_export if statement.all_export is None else statement.all_export
            exported.update(statement.exports)
            opaque.extend([statement.opaque] if statement.opaque else [])
            for assignment in statement.assignments:
                values[assignment.name] = "" if assignment.value is None else assignment.value
                if statement.exporting or all_export:
                    exported.add(assignment.name)
    return Reading({key: value for key, value in values.items() if key in exported}, opaque)


def one(text: str) -> Line:
    (line,) = parse(text)
    return line


def test_all_three_shells_are_here() -> None:
    assert set(PRESENT) == set(SHELLS), (
        "install bash, dash and busybox, or the properties below say less than they should"
    )


# What we write

names = st.from_regex(r"K[A-Za-z0-9_]{0,12}", fullmatch=True)
any_bytes = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
nasty = st.text("'\"\\$`!#~ \n\r\t;&|(){}[]*?=\x01\x7fé", max_size=20)


@QUICK
@given(st.dictionaries(names, st.one_of(any_bytes, any_text, nasty), min_size=60, max_size=60))
def test_shells_give_back_what_is_written(values: dict[str, str]) -> None:
    text = "".join(line_for(name, value, "owner") for name, value in values.items())
    for shell, found in environments([text]).items():
        for name, value in values.items():
            assert found[0].get(name.encode()) == _encoded(value), shell
    assert reading(text) == Reading(values, [])


@settings(max_examples=80, deadline=None)
@given(names, st.one_of(any_bytes, any_text, nasty))
def test_the_reader_gives_back_what_is_written(name: str, value: str) -> None:
    line = one(line_for(name, value, "some-owner"))
    assert [(found.name, found.value) for found in line.statements[0].assignments] == [(name, value)]
    assert line.statements[0].exporting
    assert owner_of(line) == "some-owner"


def test_a_nul_cannot_be_written() -> None:
    with pytest.raises(OpsError, match=r"NUL character cannot be put into a shell file\. Remove the character"):
        quote("a\0b")


# What a person may have written: words of every kind of quotes, in every kind of statement

bare = st.text("abxyz019_-+./:,=@%^é!*?[]{}", min_size=1, max_size=6)
single = st.text('ab "\\$`#;&|\n\t\r~*é', max_size=6).map("'{}'".format)
double = st.lists(
    st.sampled_from(
        ["a", " ", "'", "#", ";", "\n", "\t", "\\\\", '\\"', "\\$", "\\`", "\\a", "\\\n", "$ ", "$%", "!", "é"]
    ),
    max_size=6,
).map(lambda pieces: '"' + "".join(pieces) + '"')
escaped = st.sampled_from(list("\\$`\"'#;&|<>() \t~*abé")).map("\\{}".format)
pieces = st.one_of(bare, single, double, escaped, st.just("\\\n"), st.just("$"))
values = st.lists(pieces, max_size=4).map("".join)
assignments = st.tuples(st.sampled_from(KEYS), values).map("=".join)
quoted_assignments = st.tuples(st.sampled_from(KEYS), st.text("ab $\\", max_size=4)).map(
    lambda pair: "'{}={}'".format(*pair)
)
blanks = st.sampled_from([" ", "  ", "\t", " \\\n ", "\\\n "])
exports = st.tuples(
    st.sampled_from(["export", "export --", "exp\\\nort"]),
    st.lists(st.one_of(assignments, quoted_assignments, st.sampled_from(KEYS)), min_size=1, max_size=3),
    blanks,
).map(lambda parts: parts[0] + " " + parts[2].join(parts[1]))
plain = st.lists(assignments, min_size=1, max_size=2).map(" ".join)
others = st.sampled_from(
    ["B=$A", 'export C="${A:-x}"', "A=$(echo 1)", "[ -n x ] && export B=2", "if true; then C=3; fi", "echo 'A=1'"]
    + [
        "unset B",
        "set -a",
        "set +a",
        "{ A=5; }",
        "case x in x) B=1;; esac",
        "for C in 1; do :; done",
        "C=~/x",
        "export A+=1",
    ]
)
statements = st.one_of(exports, plain, exports, plain, others)
ends = st.sampled_from(["\n", "\n", "  # it's a comment\n", ";\n", "\r\n", "\n\n \t\n", "\n# A=9\n", "; "])
files = st.lists(st.tuples(statements, ends).map("".join), min_size=1, max_size=5).map("".join)
# Anything at all from characters that mean something to a shell (no parentheses and braces: no recursion, no loops).
soup = st.lists(
    st.sampled_from(
        [
            "export ",
            "export ",
            "A=",
            "B=",
            "A",
            "x",
            "1",
            " ",
            "\n",
            ";",
            "'",
            '"',
            "\\",
            "$",
            "#",
            "&",
            "|",
            "~",
            "*",
            "\r",
        ]
        + ["\t", "`", "\\\n", "=", ":", "[", "!", "%", "set -a;", "&&", "||", "''", "\nexport B=y\n", "é"]
    ),
    max_size=14,
).map("".join)


def check_against_shells(texts: list[str]) -> None:
    readable = []
    for text in texts:
        try:
            assert "".join(text[line.start : line.end] for line in parse(text)) == text
        except OpsError:
            continue
        readable.append(text)
    if not readable:
        return
    for shell, found in environments(readable).items():
        for text, environment in zip(readable, found, strict=True):
            said = reading(text)
            for key in KEYS:
                if said.sure(key):
                    value = said.exported.get(key)
                    wanted = None if value is None else _encoded(value)
                    assert environment.get(key.encode()) == wanted, (shell, text, key)


@QUICK
@given(st.lists(files, min_size=30, max_size=30))
def test_the_reader_reads_what_shells_read(texts: list[str]) -> None:
    check_against_shells(texts)


@QUICK
@given(st.lists(soup, min_size=30, max_size=30))
def test_the_reader_claims_nothing_that_shells_do_not_do(texts: list[str]) -> None:
    check_against_shells([text + "\nexport A B\n" for text in texts])


@pytest.mark.full
@settings(QUICK, max_examples=60)
@given(st.lists(st.one_of(files, soup), min_size=100, max_size=100))
def test_the_reader_against_shells_at_length(texts: list[str]) -> None:
    check_against_shells(texts)


STYLES = {
    "double quotes": ('export A="x y"\n', "x y"),
    "single quotes": ("export A='x $y'\n", "x $y"),
    "no quotes": ("export A=x\n", "x"),
    "no end of line": ("export A=x", "x"),
    "several kinds at once": ("export A=a'b c'\"d e\"\\ f\n", "ab cd e f"),
    "a comment": ("export A=1 # comment\n", "1"),
    "no comment": ("export A=1#2\n", "1#2"),
    "two in one": ("export B=2 A=1\n", "1"),
    "two commands": ("export B=2; export A=1\n", "1"),
    "continued": ("export \\\n  A=1\\\n2\n", "12"),
    "several lines in quotes": ("export A='x\ny'\n", "x\ny"),
    "carriage returns": ("export A='x'\r\n", "x\r"),
    "the last one wins": ("export A=1\nexport A=2\n", "2"),
    "exported later": ("A=1\nexport A\n", "1"),
    "all exported": ("set -a\nA=1\nset +a\n", "1"),
    "all exported by name": ("set -o allexport\nA=1\n", "1"),
    "empty": ("export A=\n", ""),
    "a dollar sign": ('export A="a$ $%"$\n', "a$ $%$"),
    "backslashes in double quotes": ('export A="\\a\\$\\"\\\\"\n', '\\a$"\\'),
    "a pattern": ("export A=*.x,10.?.[1]\n", "*.x,10.?.[1]"),
    "name in quotes": ("export 'A'=1\n", "1"),
    "a tilde inside": ("export A=a~b\n", "a~b"),
    "braces that nothing expands": ("export A={}\n", "{}"),
}


@pytest.mark.parametrize("case", STYLES)
def test_styles(case: str) -> None:
    text, value = STYLES[case]
    assert reading(text).exported["A"] == value
    assert reading(text).opaque == []
    for found in environments([text]).values():
        assert found[0][b"A"] == _encoded(value)


def test_not_exported() -> None:
    assert reading("A=1\n").exported == {}


UNREADABLE = {
    "command substitution": ("export A=$(date)\n", "a command substitution", {"A"}),
    "backquotes": ('export A="`date`"\n', "a command substitution", {"A"}),
    "bare backquotes": ("A=`echo \\` `\n", "a command substitution", {"A"}),
    "substitution with case": ("A=$(case x in a) echo 1;; (b|c) echo;; esac)\n", "a command substitution", {"A"}),
    "variable": ("export A=$B\n", "a reference to the variable B", {"A"}),
    "own key": ('A="$A -x"\n', "a reference to the variable A", {"A"}),
    "braced": ('export A="${B:-"x}"}"\n', "a reference to a variable", {"A"}),
    "braced and quoted": ("export A=${B:-'}'}\n", "a reference to a variable", {"A"}),
    "nested": ("export A=${B:-${C:=x}$(:)}\n", "a reference to a variable", {"A", "C"}),
    "parameter": ("export A=$1\n", "a reference to a shell parameter", {"A"}),
    "arithmetic": ("export A=$((B=1))\n", "an arithmetic expression", {"A", "B"}),
    "old arithmetic": ("export A=$[1]\n", "$[…], which shells read differently", {"A"}),
    "dollar single": ("export A=$'a'\n", "$'…', which shells read differently", {"A"}),
    "dollar double": ('export A=$"a"\n', '$"…", which shells read differently', {"A"}),
    "home": ("export A=~/x\n", "a home directory (~)", {"A"}),
    "braces": ("export A={a,b}\n", "braces, which shells read differently after export", {"A"}),
    "append": ("A+=x\n", "an assignment that cannot be read", {"A"}),
    "array": ("A=(1 2)\n", "commands or an array between parentheses", {"A"}),
    "empty array": ("A=()\n", "commands or an array between parentheses", {"A"}),
    "element": ("A[0]=x\n", "the command A[0]", {"A", "x"}),
    "prefix": ("A=1 foo B\n", "the command foo", {"A", "foo", "B"}),
    "conditional": ("if [ -f A ]; then B=1; elif :; then :; else C=1; fi\n", "a conditional or another", {"B", "C"}),
    "list": ("[ -n x ] && A=1 || B=2\n", "a list or a pipe of commands", {"A", "B"}),
    "background": ("A=1 &\n", "a list or a pipe of commands", {"A"}),
    "loop": ("for A in B C; do D=1; done\n", "a conditional or another", {"A", "D"}),
    "short loop": ("for A do B=1; done\n", "a conditional or another", {"A", "B"}),
    "while": ("while false\ndo A=1\ndone < x\n", "a conditional or another", {"A"}),
    "case": ("case $A in\n a | b ) B=1 ;;\n (c) C=1\nesac\n", "a conditional or another", {"B", "C"}),
    "test": ("[[ A < B && ( C ) || D ]] && E=1\n", "a conditional or another", {"E"}),
    "function": ("f()\n{\n  A=1 # it's\n}\n", "a function", {"A"}),
    "function, bash": ("function f () { A=1; }\n", "a conditional or another", {"A"}),
    "arithmetic command": ("((A=1))\n", "an arithmetic expression", {"A"}),
    "subshell": ("(A=1)\n", "commands or an array between parentheses", {"A"}),
    "redirection": ("export A=1 2>/dev/null\n", "a redirection", {"export", "A"}),
    "both redirected": ("export A=1 &>/dev/null\n", "a list or a pipe of commands", {"export", "A"}),
    "process substitution": ("cat <(A=1)\n", "a redirection", {"A"}),
    "here-document": ("cat <<'E' >x; B=2\nA=1\nE\n", "a redirection", set()),
    "unset": ("unset A\n", "the command unset", {"unset", "A"}),
    "expansion sets it": (": ${A:=1}\n", "the command :", {"A"}),
    "harmless": ("echo A=1\n", "the command echo", set()),
    "command export": ("command export A=1\n", "the command export", {"export", "A"}),
    "negated": ("! A=1\n", "a conditional or another", {"A"}),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_says_what_it_may_touch(case: str) -> None:
    text, reason, names = UNREADABLE[case]
    found = reading(text).opaque[0]
    assert found.reason.startswith(reason)
    assert set(found.names) == names
    assert not (found.anything or found.stops)


@pytest.mark.parametrize(
    "text",
    [
        ". /etc/x",
        "source x",
        "eval A=1",
        "alias x=y",
        "$X A",
        'export "$X=1"',
        "export $X",
        "unset $X",
        "read $X",
        "trap : 0",
    ],
)
def test_what_may_touch_anything(text: str) -> None:
    assert reading(text + "\n").opaque[0].touches("WHATEVER")


@pytest.mark.parametrize(
    "text",
    ["exit 0", "return", "exec foo", "export 1A=x", "export A=1 \r", "unset 1A", "set -n", "set +a\r", "[ x ] || exit"],
)
def test_what_may_end_the_file(text: str) -> None:
    found = reading(text + "\n").opaque[0]
    if not found.stops:
        found = reading(text + "\n").opaque[-1]
    assert found.touches("WHATEVER")
    assert found.beats("WHATEVER")


def test_exec_of_redirections_goes_on() -> None:
    assert not reading("exec 2>/dev/null\n").opaque[0].touches("A")


@pytest.mark.parametrize("text", ["readonly A=1", "declare -r A", "typeset -r A=2"])
def test_what_makes_read_only(text: str) -> None:
    found = reading(text + "\n").opaque[0]
    assert found.beats("A")
    assert not found.beats("B")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("B=1\nexport A='x\ny\n", 2, "the quote ' is not closed"),
        ('export A="x\n', 1, 'the quote " is not closed'),
        ("A=`x\n", 1, "the quote ` is not closed"),
        ("A=${x\n", 1, "'${' is not closed"),
        ("A=$((1\n", 1, "the file ends inside an arithmetic expression"),
        ("A=$(x\n", 2, "the file ends inside a command: ) is missing"),
        ("if x\nthen y\n", 3, "the file ends inside a command: fi is missing"),
        ("A=1 &&\n", 2, "the file ends inside a command: its second half is missing"),
        ("A=1\nfi\n", 2, "'fi' without its beginning"),
        ("then\n", 1, "'then' without its beginning"),
        ("!\n", 1, "the command is missing"),
        ("A=1;;\n", 1, "';' where a command should begin"),
        ("if A; B;; fi\n", 1, "';;' outside a case"),
        ("{ ; }\n", 1, "';' where a command should begin"),
        ("& A\n", 1, "'&' where a command should begin"),
        ("A=1 )\n", 1, "')' without its '('"),
        ("cat <<E\nx\n", 2, "the here-document has no end 'E'"),
        ("A=$[1 + 1]\n", 1, "$[…, which shells end at different places"),
        ("A=x\\", 1, "the file ends with a backslash"),
        ("A=$'a\\'b'\n", 1, "$'…' with \\' in it, which shells end at different places"),
        ("A=" + "$(" * 60 + ")" * 60, 1, "too many substitutions inside one another"),
        ("A=" + "${A:-" * 60 + "}" * 60, 1, "too many substitutions inside one another"),
    ],
)
def test_no_shell_file(text: str, line: int, reason: str) -> None:
    with pytest.raises(OpsError) as caught:
        parse(text)
    assert caught.value.message == "line {} cannot be read as shell: {}".format(line, reason)
    assert caught.value.facts == {"line": line}


def test_nul_in_a_file() -> None:
    with pytest.raises(OpsError, match="line 2 has a NUL character, which shells drop"):
        parse("A=1\nB=\0\n")


def test_lines_know_their_numbers() -> None:
    text = "# one\nA='2\n3'\n\nexport B=5; C=6 \\\n# six\n"
    assert [(line.number, line.comment, len(line.statements)) for line in parse(text)] == [
        (1, "# one", 0),
        (2, "", 1),
        (4, "", 0),
        (5, "# six", 2),
    ]


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("export A='1'  # circleci_server.ops: me\n", "me"),
        ("export A='1'  # circleci_server.ops: me\r\n", "me"),
        ("export A=changed #circleci_server.ops: me\n", "me"),
        ("export A='1'; B=2  # circleci_server.ops: me\n", None),
        ("export A='1' B=2  # circleci_server.ops: me\n", None),
        ("export A='1'  # mine\n", None),
        ("# circleci_server.ops: me\n", None),
    ],
)
def test_owner_of_a_line(text: str, owner: str | None) -> None:
    assert owner_of(one(text)) == owner


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("export A=1\n", ""),
        ("export A=1 # why\n", "# why\n"),
        ("export A=1  # circleci_server.ops: me\n", ""),
        ("export A=1 B=2 # c\n", "export B=2 # c\n"),
        ("export B=2 A=1 # c\n", "export B=2 # c\n"),
        ("export B=2  A=1  C=3\n", "export B=2  C=3\n"),
        ("A=1; B=2\n", "B=2\n"),
        ("  B=2; A=1 ; C=3;\n", "  B=2; C=3;\n"),
        ("B=2; export A=1 # c\n", "B=2 # c\n"),
        ("B=2; A=1;\n", "B=2;\n"),
        ("A=1; A=2; B=3; A=4\n", "B=3\n"),
        ("A=1; B=2; A=3; C=4; A=5\n", "B=2; C=4\n"),
        ("foo & A=1\n", "foo &\n"),
        ("A=1; foo &\n", "foo &\n"),
        ("export A=1 \\\n B=2\n", "export \\\n B=2\n"),
        ("export B=1 \\\n A=2\n", "export B=1 \\\n\n"),
        ("export A=1 A\n", "export A\n"),
        ("export A=1 B=$X\n", "export B=$X\n"),
        ("A=1; cat <<E\nA=2\nE\n", "cat <<E\nA=2\nE\n"),
        ("export A=$X\n", "export A=$X\n"),
    ],
)
def test_taking_out_assignments(text: str, left: str) -> None:
    assert without(text, one(text), {"A"}) == left
    assert parse(left) is not None


@settings(max_examples=60, deadline=None)
@given(files)
def test_taking_out_leaves_the_other_values(text: str) -> None:
    try:
        lines = parse(text)
    except OpsError:
        return
    left = "".join(without(text, line, {"A"}) for line in lines)
    before, after = reading(text), reading(left)
    assert {key: value for key, value in after.exported.items() if key != "A"} == {
        key: value for key, value in before.exported.items() if key != "A"
    }
    assert "A" not in after.exported or not after.sure("A") or after.exported["A"] == ""


def test_names() -> None:
    assert [is_name(text) for text in ("A", "_a1", "1A", "A-B", "", "A\n")] == [True, True, False, False, False, False]
