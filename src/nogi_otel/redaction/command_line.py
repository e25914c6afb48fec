"""Secrets in command lines: ``--password x``, ``mysql -px``, ``curl -u user:x``, ``PGPASSWORD=x``.

A command is a list of words, or one line for a shell that is split into words here; both are read
by the same rules, and a word that is itself a line (``sh -c "mysql -px"``) once more. The flags of
well-known programs stand in ``programs``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nogi_otel.redaction.keys import SecretKey, is_harmless_value
from nogi_otel.redaction.markers import MARKER
from nogi_otel.redaction.programs import PROGRAMS, Program, list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogi_otel.redaction.keys import KeyRules
    from nogi_otel.redaction.markers import Account

RULE = "command-line"
_MAX_NESTING = 3
_NAMED = Program()
"""Stands for the program where a flag's own name says that a secret follows."""
_COMMAND_SECRET = SecretKey(RULE)


_SHELL_WORD = re.compile(
    r"""
    [;|&\n]+
    |(?:
        [^\s"'\\;|&]
        | \\(?:[\s\S]|\Z)
        | "(?:[^"\\]|\\(?:[\s\S]|\Z))*(?:"|\Z)
        | '[^']*(?:'|\Z)
    )+
    """,
    re.VERBOSE,
)
_ASSIGNMENT = re.compile(r"-{0,2}(?P<name>[A-Za-z_][\w.\-]*)(?P<sign>=)", re.ASCII)
_SLASH_FLAG = re.compile(r"/(?P<name>[A-Za-z][\w\-]*):(?!/)", re.ASCII)
"""As on Windows: ``/password:x``; not a mount: ``/passwd:/passwd``."""
_FLAG = re.compile(r"-{1,2}(?P<name>[A-Za-z][\w.\-]+)", re.ASCII)
_SETTING = re.compile(r"[A-Za-z]\w*_\w+", re.ASCII)
_OPERATORS = frozenset(";|&\n")


_QUOTES = "\"'"
_SPACE = re.compile(r"\s")
_OPERATOR = re.compile(r"[;|&`]|\$\(")
_LINE_FLAGS = list_names("-c -lc -ec -ic -xc --command")
_LINE_PROGRAMS = list_names("ssh watch eval")


class CommandLineRules:
    """Reads command lines by the names that are secret and by the programs above."""

    def __init__(self, keys: KeyRules) -> None:
        """Take the judge of names."""
        self._keys = keys

    def redact_words(
        self, words: Sequence[str], account: Account, nesting: int = _MAX_NESTING
    ) -> list[str]:
        """Return the words of a command without its secrets."""
        reader = _Reader(self, self._keys, account, nesting)
        return [reader.read(word) for word in words]

    def redact_line(self, line: str, account: Account, nesting: int = _MAX_NESTING) -> str:
        """Return a shell's line, or any text with flags in it, without its secrets."""
        places = [match.span() for match in _SHELL_WORD.finditer(line)]
        words = [line[begin:end] for begin, end in places]
        redacted = self.redact_words(words, account, nesting)
        if redacted == words:
            return line
        pieces: list[str] = []
        position = 0
        for (begin, end), word in zip(places, redacted, strict=True):
            pieces += (line[position:begin], word)
            position = end
        return "".join((*pieces, line[position:]))


class _Reader:
    """Reads the words of one line from left to right."""

    def __init__(
        self, rules: CommandLineRules, keys: KeyRules, account: Account, nesting: int
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._account = account
        self._nesting = nesting
        self._begin_command()

    def _begin_command(self) -> None:
        self._programs: list[Program] = []
        self._seen: set[str] = set()
        self._before = ""
        self._announced: Program | None = None
        """The program whose flag stood before, or ``_NAMED`` after a flag with a secret name."""
        self._announced_login = False

    def read(self, word: str) -> str:
        """Return the next word without its secret."""
        redacted = self._read(word)
        self._before = word
        return redacted

    def _read(self, word: str) -> str:
        if word[:1] in _OPERATORS:
            self._begin_command()
            return word
        bare = word.strip(_QUOTES)
        program, self._announced = self._announced, None
        if program is _NAMED and bare.startswith("-"):
            program = None
        if program is not None:
            self._leave(program)
            if self._announced_login:
                return self._take_login(word, 0, program.login_separator)
            return self._take(word, 0, _COMMAND_SECRET)
        return self._read_flag(word, bare) if bare.startswith("-") else self._read_name(word, bare)

    def _read_flag(self, word: str, bare: str) -> str:
        assigned = _ASSIGNMENT.match(bare) if "=" in bare else None
        if assigned is not None:
            secret = self._keys.judge(assigned["name"])
            return word if secret is None else self._take(word, assigned.end(), secret)
        for program in self._programs:
            if self._announce(program, bare):
                return word
            for flag in program.rest_of_word:
                if bare.startswith(flag) and len(bare) > len(flag):
                    self._leave(program)
                    return self._take(word, len(flag), _COMMAND_SECRET)
            if bare[:2] in program.next_login and not bare.startswith("--"):
                return self._take_login(word, 2, program.login_separator)
        flag_name = _FLAG.fullmatch(bare)
        if flag_name is not None and self._keys.judge(flag_name["name"]):
            self._announced, self._announced_login = _NAMED, False
        return word

    def _read_name(self, word: str, bare: str) -> str:
        assigned = _ASSIGNMENT.match(bare) if "=" in bare else _SLASH_FLAG.match(bare)
        secret = self._keys.judge(assigned["name"]) if assigned is not None else None
        may_be_line = self._nesting > 0 and _SPACE.search(bare) is not None
        is_value = assigned is not None and not (may_be_line and self._is_line(bare))
        if secret is not None and assigned is not None and is_value:
            return self._take(word, assigned.end(), secret)
        if may_be_line:
            return self._read_line(word)
        for program in self._programs:
            if self._announce(program, bare):
                return word
            for beginning in program.rest_of_word:
                if bare.startswith(beginning) and len(bare) > len(beginning):
                    return self._take(word, len(beginning), _COMMAND_SECRET)
            match = program.positional.fullmatch(bare) if program.positional else None
            if match is not None:
                return self._take(word, match.start(1), _COMMAND_SECRET, match.end(1))
        name = bare.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
        if name in PROGRAMS:
            if PROGRAMS[name] not in self._programs:
                self._programs.append(PROGRAMS[name])
        elif "_" in bare and _SETTING.fullmatch(bare) and self._keys.judge(bare):
            self._announced, self._announced_login = _NAMED, False
        self._seen.add(bare)
        return word

    def _is_line(self, bare: str) -> bool:
        """Return whether a word that begins ``NAME=`` is a shell's line, and not all a value."""
        return (
            _OPERATOR.search(bare) is not None
            or self._before in _LINE_FLAGS
            or not _LINE_PROGRAMS.isdisjoint(self._seen)
        )

    def _leave(self, program: Program) -> None:
        if program.once:
            self._programs.remove(program)

    def _announce(self, program: Program, bare: str) -> bool:
        """Return whether the next word is secret because of this one, and remember it."""
        if program.only_after and program.only_after not in self._seen:
            return False
        self._announced_login = bare in program.next_login
        if self._announced_login or bare in program.next_word:
            self._announced = program
            return True
        return False

    def _read_line(self, word: str) -> str:
        """Redact a word that is itself a line, inside its quotes where it has them."""
        quoted = len(word) > 1 and word[0] in _QUOTES and word[-1] == word[0]
        line = word[1:-1] if quoted else word
        redacted = self._rules.redact_line(line, self._account, self._nesting - 1)
        return f"{word[0]}{redacted}{word[0]}" if quoted else redacted

    def _take_login(self, word: str, begin: int, separator: str) -> str:
        bare = word.strip(_QUOTES)[begin:]
        name, found, password = bare.partition(separator)
        if not found or MARKER.search(bare):
            return word
        if password:
            return self._take(word, begin + len(name) + 1, _COMMAND_SECRET)
        # A token may stand in the place of the name: curl -u token:
        return self._take(word, begin, _COMMAND_SECRET, begin + len(name))

    def _take(self, word: str, begin: int, secret: SecretKey, end: int | None = None) -> str:
        """Take ``begin`` to ``end`` of a word, counted without the quotes around it."""
        lead = len(word) - len(word.lstrip(_QUOTES))
        bare = word.strip(_QUOTES)
        value = bare[begin:end]
        if value[:1] and value[0] in _QUOTES:
            begin, value = begin + 1, value[1:]
        if MARKER.match(value) or is_harmless_value(secret, value):
            return word
        after = word[lead + begin + len(value) :]
        redacted = f"{word[: lead + begin]}{self._account.take(RULE)}{after}"
        # A quote that was closed inside what was taken is closed behind it.
        for quote in _QUOTES:
            if redacted.count(quote) % 2 > word.count(quote) % 2:
                redacted += quote
        return redacted
