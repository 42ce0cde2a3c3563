# Reads and writes files of shell assignments (export KEY='value') without running them. Private.
# Copyright (c) 2026 circleci_server.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The reader answers one question: which values would a shell leave after `. FILE`, as far as that can be said without
# running it, and for every other statement: which variables may it touch? bash, dash and busybox sh must agree on an
# answer; where they differ ($'…', $"…", $[…], braces after export) the value counts as unreadable. A carriage return
# is a character of the value, as it is for all three. Text is UTF-8 with undecodable bytes kept (surrogateescape).

from __future__ import annotations

__all__ = [
    "MARKER",
    "Assignment",
    "Line",
    "Opaque",
    "Statement",
    "is_name",
    "line_for",
    "owner_of",
    "parse",
    "quote",
    "without",
]

import re
from typing import FrozenSet, List, NamedTuple, NoReturn, Optional, Sequence, Set, Tuple

from ansible_collections.circleci_server.ops.plugins.module_utils._errors import OpsError

# Stands in the trailing comment of a line that the collection wrote, before the owner's name.
MARKER = "circleci_server.ops:"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_OWNER = re.compile(r"#\s*" + re.escape(MARKER) + r"\s+(\S+)\s*$")
_WORD_END = frozenset(" \t\n;&|<>()")
_OLD_ARITHMETIC = re.compile(r"\[[A-Za-z0-9_+*/%:.,=-]*\]")
_REDIRECTION = re.compile(r"<<<|<<-|<<|<&|<>|<\(|>>|>&|>\||>\(|<|>")
_OPENERS = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "select": "done",
    "case": "esac",
    "{": "}",
    "[[": "]]",
}
_CLOSERS = frozenset(["fi", "done", "esac", "}"])
# Reserved words that open and close nothing, and what must be open around them ("": anything).
_NEUTRAL = {"then": "fi", "else": "fi", "elif": "fi", "do": "done", "!": "", "time": "", "coproc": ""}
_RESERVED = frozenset(["function", *_OPENERS, *_CLOSERS, *_NEUTRAL])
# More substitutions inside one another than this are refused, so that no file can exhaust the stack.
_DEEPEST = 50

# Commands that change no variable, whatever their arguments are (expansions in them are looked at all the same).
_HARMLESS = frozenset(
    ["echo", "test", "[", "true", "false", ":", "ulimit", "umask", "mkdir", "chmod", "chown", "ln", "touch", "logger"]
    + ["cat", "sleep", "grep", "cd", "date"]
)
# Commands that change the variables that their arguments name.
_BY_ARGUMENT = frozenset(
    ["export", "local", "unset", "read", "getopts", "printf", "mapfile", "readarray", "let", "wait"]
)
# Commands that may change any variable.
_ANYTHING = frozenset([".", "source", "eval", "trap", "alias", "enable", "shopt"])
_FIXING = frozenset(["readonly", "declare", "typeset"])
_STOPPING = frozenset(["exit", "return", "exec", "logout"])
# Arguments at which no shell stops reading the file: dash and busybox end it at an unknown option or a bad name.
_UNDERSTOOD = {
    "unset": re.compile(r"-[vf]|[A-Za-z_][A-Za-z0-9_]*"),
    "set": re.compile(r"[-+][abefmuvxC]+|[-+]o|allexport|errexit|nounset|xtrace|verbose|noglob"),
}
_TRANSPARENT = frozenset(["command", "builtin"])


class Assignment(NamedTuple):
    """KEY=value in a statement: value is None where it cannot be read; start and end are its place in the text."""

    name: str
    value: Optional[str]
    start: int
    end: int


class Opaque(NamedTuple):
    """What a statement may do beyond the assignments that can be read.

    reason:   what it is, for a message ("a command substitution").
    names:    variables that it may touch.
    anything: it may touch every variable.
    stops:    it may end the reading of the file: what stands after it may never be read.
    fixes:    it makes its names read-only: what stands after it cannot change them.
    """

    reason: str
    names: FrozenSet[str] = frozenset()
    anything: bool = False
    stops: bool = False
    fixes: bool = False

    def touches(self, name: str) -> bool:
        return self.anything or self.stops or name in self.names

    def beats(self, name: str) -> bool:
        """Whether an assignment after it may be without effect."""
        return self.stops or (self.fixes and name in self.names)


class Statement(NamedTuple):
    """One command of the file, from start to end in the text, on line `line` (counted from 1).

    assignments: in their order; exporting says whether `export` stands before them.
    exports:     names that `export NAME` marks.
    all_export:  True after `set -a`, False after `set +a`, None for any other statement.
    opaque:      None for a statement that was read completely.
    """

    start: int
    end: int
    line: int
    assignments: Tuple[Assignment, ...] = ()
    exporting: bool = False
    exports: Tuple[str, ...] = ()
    all_export: Optional[bool] = None
    opaque: Optional[Opaque] = None


class Line(NamedTuple):
    """Statements up to an end of line (a quote or a compound command may span several), and the trailing comment."""

    start: int
    end: int
    number: int
    statements: Tuple[Statement, ...]
    comment: str


def is_name(text: str) -> bool:
    """Whether a shell takes the text as a variable's name."""
    return _NAME.fullmatch(text) is not None


def quote(value: str) -> str:
    """The value between single quotes, as every POSIX shell gives it back byte for byte. NUL cannot be given back."""
    if "\0" in value:
        raise OpsError("a value with a NUL character cannot be put into a shell file", remedy="Remove the character")
    return "'" + value.replace("'", "'\\''") + "'"


def line_for(name: str, value: str, owner: str) -> str:
    """The line that the collection writes, with its end."""
    return "export {0}={1}  # {2} {3}\n".format(name, quote(value), MARKER, owner)


def owner_of(line: Line) -> Optional[str]:
    """Whose line it is; None for a person's. A marked line to which a second assignment was added is a person's."""
    match = _OWNER.match(line.comment)
    if match is None or len(line.statements) != 1 or len(line.statements[0].assignments) != 1:
        return None
    return match.group(1)


def parse(text: str) -> List[Line]:
    """All lines of a shell file; joined, their texts are the file.

    Raises OpsError for what no shell would read to its end (an open quote, an open `if`), naming the line.
    """
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise OpsError("line {0} has a NUL character, which shells drop".format(number), facts={"line": number})
    return _Reader(text).lines()


def without(text: str, line: Line, names: Set[str]) -> str:
    """The line's text without its assignments of these names; "" when nothing but such stood on it.

    Statements with other content, and a person's comment, stay as they are.
    """
    kept = [statement for statement in line.statements if not _only_assigns(statement, names)]
    if not kept:
        if line.comment and not _OWNER.match(line.comment):
            return line.comment + "\n"
        return ""
    cuts: List[Tuple[int, int]] = []
    following: Optional[Statement] = None
    for statement in reversed(line.statements):
        if statement in kept:
            following = statement
            cuts.extend(_cuts(text, statement, names))
        elif following is not None:
            cuts.append((statement.start, following.start))
            following = statement
    cuts.append((kept[-1].end, line.statements[-1].end))
    return _cut(text, line.start, line.end, cuts)


def _only_assigns(statement: Statement, names: Set[str]) -> bool:
    assigned = {assignment.name for assignment in statement.assignments}
    return bool(assigned) and assigned <= names and not statement.exports and statement.opaque is None


def _cuts(text: str, statement: Statement, names: Set[str]) -> List[Tuple[int, int]]:
    """Places of the words to take out, each with the blank space after it (or before it, for the last word)."""
    cuts = []
    for assignment in statement.assignments:
        if assignment.name in names and assignment.value is not None:
            end = assignment.end
            while end < statement.end and text[end] in " \t":
                end += 1
            start = assignment.start
            if end == statement.end:
                # A blank behind a backslash is a character of the word before.
                while text[start - 1] in " \t" and text[start - 2] != "\\":
                    start -= 1
            cuts.append((start, end))
    return cuts


def _cut(text: str, start: int, end: int, cuts: Sequence[Tuple[int, int]]) -> str:
    pieces = []
    position = start
    for first, last in sorted(cuts):
        if last > position:
            pieces.append(text[position : max(first, position)])
            position = last
    pieces.append(text[position:end])
    return "".join(pieces)


class _Word(NamedTuple):
    """A word: its static text (up to the first part that cannot be read), the same with NUL for what is quoted."""

    start: int
    end: int
    raw: str
    text: str
    mask: str
    unreadable: str

    @property
    def bare(self) -> str:
        """The text of a word without quotes or expansions, else an empty text."""
        return self.text if self.mask == self.text and not self.unreadable else ""


class _State:
    """Where the reader stands inside one statement."""

    def __init__(self, stack: Sequence[str] = ()) -> None:
        self.nested = bool(stack)
        self.stack: List[str] = list(stack)
        self.commands: List[List[_Word]] = []
        self.current: List[_Word] = []
        self.names: Set[str] = set()
        self.reason = ""
        self.command_position = True
        self.complete = False
        self.pattern = False
        self.redirection = False
        self.joined = False
        self.body = False
        self.loop = 0
        self.case = 0

    @property
    def top(self) -> str:
        return self.stack[-1] if self.stack else ""

    @property
    def open(self) -> bool:
        return bool(self.stack or self.joined or self.body)

    def separate(self) -> None:
        if self.current:
            self.commands.append(self.current)
        self.current = []
        self.loop = 0
        self.command_position = True
        self.complete = False

    def push(self, closer: str) -> None:
        self.stack.append(closer)
        self.body = False

    def pop(self) -> None:
        self.separate()
        self.stack.pop()
        self.command_position = False
        self.complete = True

    def because(self, reason: str) -> None:
        self.reason = self.reason or reason


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.last_end = 0
        self.depth = 0
        self.here_documents: List[Tuple[str, bool]] = []

    # Lines and statements

    def lines(self) -> List[Line]:
        found = []
        while self.position < len(self.text):
            found.append(self._line())
        return found

    def _line(self) -> Line:
        start = self.position
        number = self._number(start)
        statements: List[Statement] = []
        comment = ""
        separated = True
        while True:
            self._blanks()
            char = self._peek()
            if char in ("", "\n"):
                self._newline()
                return Line(start, self.position, number, tuple(statements), comment)
            if char == "#":
                comment = self._comment()
            elif char == ";":
                if separated:
                    self._fail(self.position, "';' where a command should begin")
                self.position += 1
                separated = True
            else:
                statements.append(self._statement())
                separated = self.text[self.last_end - 1] == "&"

    def _statement(self) -> Statement:
        start = self.position
        state = _State()
        self._commands(state)
        return _statement(start, self.last_end, self._number(start), state)

    def _commands(self, state: _State) -> None:
        while True:
            self._blanks()
            char = self._peek()
            if char == "" or char in "\n#":
                ended = self._end_of_line(state, char)
            elif char == ";":
                ended = self._semicolon(state)
            elif char in "&|":
                ended = self._operator(state)
            elif char in "()":
                ended = self._parenthesis(state, char)
            else:
                ended = False
                if char in "<>":
                    self._redirect(state)
                else:
                    self._take_word(state)
            if ended:
                state.separate()
                return
            if char and char not in "\n#":
                self.last_end = self.position

    def _end_of_line(self, state: _State, char: str) -> bool:
        if char == "":
            if state.open or not state.complete:
                missing = state.top or "its second half"
                self._fail(self.position, "the file ends inside a command: {0} is missing".format(missing))
            return True
        if not state.open:
            if not state.complete:
                self._fail(self.position, "the command is missing")
            return True
        if char == "#":
            self._comment()
            return False
        self._newline()
        state.separate()
        return False

    def _semicolon(self, state: _State) -> bool:
        match = re.compile(r";;&|;;|;&|;").match(self.text, self.position)
        operator = match.group() if match else ";"
        if operator == ";" and not state.complete:
            self._fail(self.position, "';' where a command should begin")
        if not state.stack:
            return True
        if operator != ";":
            if state.top != "esac":
                self._fail(self.position, "{0!r} outside a case".format(operator))
            state.pattern = True
        self.position += len(operator)
        state.separate()
        return False

    def _operator(self, state: _State) -> bool:
        state.because("a list or a pipe of commands")
        match = re.compile(r"&&|\|\||\|&|&>>|&>|[&|]").match(self.text, self.position)
        operator = match.group() if match else "&"
        if not (state.complete or state.pattern or state.top == "]]" or operator.startswith("&>")):
            self._fail(self.position, "{0!r} where a command should begin".format(operator))
        self.position += len(operator)
        if state.top == "]]":
            return False
        if operator.startswith("&>"):
            state.redirection = True
            return False
        state.separate()
        if operator == "&":
            self.last_end = self.position
            return not state.stack
        state.joined = not state.pattern
        return False

    def _redirect(self, state: _State) -> None:
        state.because("a redirection")
        match = _REDIRECTION.match(self.text, self.position)
        operator = match.group() if match else "<"
        self.position += len(operator)
        if state.top == "]]":
            return
        if operator in ("<(", ">("):
            state.push(")")
            state.separate()
        elif operator in ("<<", "<<-"):
            self._blanks()
            self.here_documents.append((self._word().text, operator == "<<-"))
        else:
            state.redirection = True

    def _parenthesis(self, state: _State, char: str) -> bool:
        if state.top == "]]" or (char == "(" and state.pattern):
            self.position += 1
            return False
        if char == ")":
            return self._close_parenthesis(state)
        function = re.compile(r"\([ \t]*\)").match(self.text, self.position)
        if state.command_position and self.text.startswith("((", self.position):
            state.because("an arithmetic expression")
            start = self.position
            self.position += 2
            self._arithmetic()
            state.names.update(_NAME.findall(self.text[start : self.position]))
            state.command_position = False
            state.complete = True
        elif function is not None and len(state.current) == 1 and not _ASSIGNMENT.match(state.current[0].mask):
            state.because("a function")
            self.position = function.end()
            state.current = []
            state.body = True
            state.command_position = True
        else:
            state.because("commands or an array between parentheses")
            self.position += 1
            state.push(")")
            state.separate()
        return False

    def _close_parenthesis(self, state: _State) -> bool:
        if state.pattern and state.top == "esac":
            state.pattern = False
            state.separate()
        elif state.top == ")":
            state.pop()
        else:
            self._fail(self.position, "')' without its '('")
        self.position += 1
        return state.nested and not state.stack

    def _take_word(self, state: _State) -> None:
        word = self._word()
        state.names |= _assigned_in(word)
        reserved = state.command_position and word.bare in _RESERVED
        state.complete = state.complete or not reserved
        state.joined = False
        if state.redirection:
            state.redirection = False
        elif state.pattern:
            if word.bare == "esac":
                state.pattern = False
                state.pop()
        elif state.top == "]]":
            if word.bare == "]]":
                state.pop()
        elif state.case:
            state.case -= 1
            state.pattern = state.case == 0
        elif state.loop:
            self._loop_word(state, word)
        elif reserved:
            self._reserved(state, word)
        elif not (word.bare.isdigit() and self._peek() in ("<", ">")):
            state.current.append(word)
            state.command_position = False

    def _loop_word(self, state: _State, word: _Word) -> None:
        """The words of `for NAME in …` up to its separator, or the `do` of `for NAME do`."""
        if state.loop == 1:
            state.names.add(word.text)
            state.loop = 2
        elif state.loop == 2 and word.bare == "do":
            state.loop = 0
            state.command_position = True
        else:
            state.loop = 3

    def _reserved(self, state: _State, word: _Word) -> None:
        key = word.bare
        state.because("a conditional or another compound command")
        if key == "function":
            self._blanks()
            self._word()
            match = re.compile(r"[ \t]*\([ \t]*\)").match(self.text, self.position)
            self.position = match.end() if match else self.position
            state.body = True
        elif key in _OPENERS:
            state.push(_OPENERS[key])
            state.command_position = key not in ("for", "select", "case", "[[")
            state.loop = 1 if key in ("for", "select") else 0
            state.case = 2 if key == "case" else 0
        elif key in _CLOSERS:
            self._expect(state, key, word)
            state.pop()
        elif _NEUTRAL[key]:
            self._expect(state, _NEUTRAL[key], word)

    def _expect(self, state: _State, closer: str, word: _Word) -> None:
        if state.top != closer:
            self._fail(word.start, "{0!r} without its beginning".format(word.bare))

    # Words

    def _word(self) -> _Word:
        start = self.position
        text: List[str] = []
        mask: List[str] = []
        reason = ""
        while True:
            self._continuations()
            char = self._peek()
            if char == "" or char in _WORD_END:
                break
            piece, quoted, why = self._piece(char)
            reason = reason or why
            if not reason:
                text.append(piece)
                mask.append("\0" * max(len(piece), 1) if quoted else piece)
        raw = self.text[start : self.position]
        return _Word(start, self.position, raw, "".join(text), "".join(mask), reason)

    def _piece(self, char: str) -> Tuple[str, bool, str]:
        """One part of a word: its text, whether it is quoted, and why it cannot be read (empty if it can)."""
        if char == "'":
            return self._single(), True, ""
        if char == '"':
            text, reason = self._double()
            return text, True, reason
        if char == "$":
            text, reason = self._dollar(False)
            return text, False, reason
        if char == "`":
            self._backquote()
            return "", False, "a command substitution"
        self.position += 1
        if char == "\\":
            char = self._peek()
            if char == "":
                self._fail(self.position, "the file ends with a backslash")
            self.position += 1
            return char, True, ""
        return char, False, ""

    def _single(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            self._fail(self.position, "the quote ' is not closed")
        text = self.text[self.position + 1 : end]
        self.position = end + 1
        return text

    def _double(self) -> Tuple[str, str]:
        start = self.position
        self.position += 1
        text: List[str] = []
        reason = ""
        while True:
            self._continuations()
            char = self._peek()
            if char == "":
                self._fail(start, 'the quote " is not closed')
            if char == '"':
                self.position += 1
                return "".join(text), reason
            if char == "$":
                piece, why = self._dollar(True)
                text.append(piece)
                reason = reason or why
            elif char == "`":
                self._backquote()
                reason = reason or "a command substitution"
            else:
                self.position += 1
                if char == "\\" and self._peek() in ("$", "`", '"', "\\"):
                    char = self._peek()
                    self.position += 1
                text.append(char)

    def _dollar(self, in_double: bool) -> Tuple[str, str]:
        """A dollar sign and what follows: its literal text, or why it cannot be read."""
        start = self.position
        self.position += 1
        self._continuations()
        char = self._peek()
        if char in ("'", '"') and not in_double:
            return self._dollar_quote(char)
        if char == "(":
            return "", self._substitution(start)
        if char == "{":
            self._brace(start, in_double)
            return "", "a reference to a variable"
        if char == "[":
            match = _OLD_ARITHMETIC.match(self.text, self.position)
            if match is None:
                self._fail(start, "$[…, which shells end at different places")
            self.position = match.end()
            return "", "$[…], which shells read differently"
        match = _NAME.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
            return "", "a reference to the variable {0}".format(match.group())
        if char and char in "0123456789*@#?$!-":
            self.position += 1
            return "", "a reference to a shell parameter"
        return "$", ""

    def _dollar_quote(self, char: str) -> Tuple[str, str]:
        start = self.position
        if char == '"':
            self._double()
        elif self._single().endswith("\\"):
            self._fail(start, "$'…' with \\' in it, which shells end at different places")
        return "", "${0}…{0}, which shells read differently".format(char)

    def _substitution(self, start: int) -> str:
        if self.text.startswith("((", self.position):
            self.position += 2
            self._arithmetic()
            return "an arithmetic expression"
        self.position += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            self._fail(start, "too many substitutions inside one another")
        self._commands(_State([")"]))
        self.depth -= 1
        return "a command substitution"

    def _arithmetic(self) -> None:
        start = self.position
        level = 2
        while level:
            char = self._peek()
            if char == "":
                self._fail(start, "the file ends inside an arithmetic expression")
            level += {"(": 1, ")": -1}.get(char, 0)
            self.position += 1

    def _brace(self, start: int, in_double: bool) -> None:
        self.position += 1
        self.depth += 1
        if self.depth > _DEEPEST:
            self._fail(start, "too many substitutions inside one another")
        while True:
            char = self._peek()
            if char == "":
                self._fail(start, "'${' is not closed")
            if char == "$":
                self._dollar(in_double)
            elif char == '"' or (char == "'" and not in_double) or char in "`\\":
                self._piece(char)
            else:
                self.position += 1
                if char == "}":
                    self.depth -= 1
                    return

    def _backquote(self) -> None:
        match = re.compile(r"`(?:\\.|[^`\\])*`", re.DOTALL).match(self.text, self.position)
        if match is None:
            self._fail(self.position, "the quote ` is not closed")
        self.position = match.end()

    # Characters

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _continuations(self) -> None:
        while self.text.startswith("\\\n", self.position):
            self.position += 2

    def _blanks(self) -> None:
        while True:
            self._continuations()
            if self._peek() not in (" ", "\t"):
                return
            self.position += 1

    def _comment(self) -> str:
        start = self.position
        end = self.text.find("\n", start)
        self.position = len(self.text) if end < 0 else end
        return self.text[start : self.position]

    def _newline(self) -> None:
        """Go past the end of the line and past the here-documents that begin there."""
        self.position = min(self.position + 1, len(self.text))
        for delimiter, strip_tabs in self.here_documents:
            start = self.position
            line = ""
            while line != delimiter or self.position == start:
                if self.position >= len(self.text):
                    self._fail(start, "the here-document has no end {0!r}".format(delimiter))
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end
                line = self.text[self.position : end]
                line = line.lstrip("\t") if strip_tabs else line
                self.position = min(end + 1, len(self.text))
        self.here_documents = []

    def _number(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def _fail(self, position: int, reason: str) -> NoReturn:
        number = self._number(position)
        raise OpsError("line {0} cannot be read as shell: {1}".format(number, reason), facts={"line": number})


# From words to meaning


def _statement(start: int, end: int, line: int, state: _State) -> Statement:
    bare = Statement(start, end, line)
    if not state.reason and len(state.commands) == 1:
        words = state.commands[0]
        if all(_assignment_name(word) for word in words):
            return _assigning(bare, words)
        if words[0].bare == "export" and not _has_options(words):
            return _assigning(bare._replace(exporting=True), words[1:])
        all_export = _all_export(words)
        if all_export is not None:
            return bare._replace(all_export=all_export)
    return bare._replace(opaque=_opaque(state))


def _assignment_name(word: _Word) -> str:
    """The name that a word assigns outside `export`: name and equal sign must stand without quotes."""
    match = _ASSIGNMENT.match(word.mask)
    return match.group(1) if match and not match.group(2) else ""


def _has_options(words: Sequence[_Word]) -> bool:
    return len(words) == 1 or (words[1].text.startswith("-") and words[1].text != "--")


def _all_export(words: Sequence[_Word]) -> Optional[bool]:
    return {"set -a": True, "set +a": False, "set -o allexport": True, "set +o allexport": False}.get(
        " ".join(word.bare for word in words)
    )


def _assigning(statement: Statement, words: Sequence[_Word]) -> Statement:
    """A statement that consists of assignments, with or without `export`."""
    assignments: List[Assignment] = []
    exports: List[str] = []
    troubles: List[Opaque] = []
    for word in words:
        name, equals, value = word.text.partition("=")
        if not is_name(name) or (word.unreadable and not equals):
            if word.bare == "--" and word is words[0]:
                continue
            troubles.append(_bad_name(word))
        elif not equals:
            exports.append(name)
        else:
            reason = word.unreadable or _differs(word, statement.exporting)
            assignments.append(Assignment(name, None if reason else value, word.start, word.end))
            if reason:
                troubles.append(Opaque(reason, frozenset([name]) | _assigned_in(word)))
    return statement._replace(
        assignments=tuple(assignments), exports=tuple(exports), opaque=_joined(troubles) if troubles else None
    )


def _bad_name(word: _Word) -> Opaque:
    if word.unreadable:
        return Opaque("a name that is only known when it runs", anything=True)
    name = word.text.partition("=")[0]
    return Opaque("export of {0!r}, which is no name: some shells stop there".format(name), stops=True)


def _differs(word: _Word, exporting: bool) -> str:
    """Why a word without expansions may still have no single value: a home directory, braces that bash expands."""
    if re.search(r"[:=\0]~", word.mask):
        return "a home directory (~)"
    if exporting and re.search(r"\{.*(,|\.\.).*\}", word.mask, re.DOTALL):
        return "braces, which shells read differently after export"
    return ""


def _joined(troubles: Sequence[Opaque]) -> Opaque:
    names: Set[str] = set()
    for trouble in troubles:
        names |= trouble.names
    return Opaque(
        troubles[0].reason,
        frozenset(names),
        any(trouble.anything for trouble in troubles),
        any(trouble.stops for trouble in troubles),
        any(trouble.fixes for trouble in troubles),
    )


def _assigned_in(word: _Word) -> FrozenSet[str]:
    """Variables that the expansions of a word set: ${NAME:=…} and names inside arithmetic."""
    if not word.unreadable:
        return frozenset()
    names = set(re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?=", word.raw))
    if "$((" in word.raw or "$[" in word.raw:
        names.update(_NAME.findall(word.raw))
    return frozenset(names)


def _opaque(state: _State) -> Opaque:
    judged = [_judge(words) for words in state.commands]
    whole = Opaque(state.reason, frozenset(state.names))
    return _joined([whole, *judged] if state.reason else [*judged, whole])


def _judge(words: Sequence[_Word]) -> Opaque:
    """What one command may touch, going by its name and arguments."""
    names: Set[str] = set()
    rest = list(words)
    while rest and _ASSIGNMENT.match(rest[0].mask):
        names.update(_NAME.findall(rest.pop(0).mask.partition("=")[0]))
    while rest and rest[0].text in _TRANSPARENT:
        rest.pop(0)
    if not rest:
        return Opaque("an assignment that cannot be read", frozenset(names))
    command, arguments = rest[0], rest[1:]
    if command.unreadable:
        return Opaque("a command whose name is only known when it runs", frozenset(names), anything=True)
    return _judge_command(command.text, arguments, names)


def _judge_command(command: str, arguments: Sequence[_Word], names: Set[str]) -> Opaque:
    reason = "the command {0}".format(command.partition("=")[0])
    if command in _HARMLESS:
        return Opaque(reason, frozenset(names))
    touched = set(names) | set(_NAME.findall(command))
    for word in arguments:
        touched.update(_NAME.findall(re.sub(r"\$\{?#?[A-Za-z_][A-Za-z0-9_]*", "", word.raw)))
    opaque = Opaque(reason, frozenset(touched))
    if command in _STOPPING and (arguments or command != "exec"):
        return opaque._replace(reason=reason + ", which may end the file here", stops=True)
    understood = _UNDERSTOOD.get(command)
    if understood is not None and not all(understood.fullmatch(word.bare) for word in arguments):
        return opaque._replace(reason=reason + " with an argument at which some shells stop", stops=True)
    if command in _FIXING:
        return opaque._replace(reason=reason + ", after which a variable may be read-only", fixes=True)
    if command in _ANYTHING:
        return opaque._replace(reason=reason + ", which may set any variable", anything=True)
    if command in _BY_ARGUMENT and any(word.unreadable for word in arguments):
        return opaque._replace(reason=reason + " with a name that is only known when it runs", anything=True)
    return opaque
