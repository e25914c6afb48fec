"""The language of conditions, compiled to closures: a grammar of our own, never ``eval``.

::

    condition  = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" condition ")" | comparison
    comparison = name ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
               | name ( "=~" | "!~" ) string            a glob: * ? [abc]
               | name [ "not" ] "in" "(" value { "," value } ")"
    value      = string | number | "true" | "false"
    name       = an attribute: file.path, thread.name, trace_id, event ...

A comparison holds only between two strings, two numbers or two booleans: where the name is missing
or its value is of another kind, it does not hold, whatever the operator, and its ``not`` does. Of a
list of values one must meet ``==``, ``=~``, ``<`` and ``in``; all must meet ``!=``, ``!~`` and
``not in``; an empty list meets nothing.
"""

from __future__ import annotations

import operator
import re
from fnmatch import translate
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from nogi_otel.selection.marked_text import MarkedText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nogi_otel.errors import SelectionError

Test: TypeAlias = "Callable[[Mapping[str, object]], bool]"
Literal: TypeAlias = "str | bool | int | float"

MAX_LENGTH = 4096
"""Characters of a condition."""
MAX_DEPTH = 32
"""``not`` and parentheses inside each other."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)(?![\w.]))
    |(?P<name>[A-Za-z_][\w.\-]*)
    |(?P<sign>==|!=|=~|!~|<=|>=|<|>|\(|\)|,)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\\\"'nrt0])|[\s\S])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS = "one of == != =~ !~ < <= > >= in"
_VALUE = 'a value: "text", a number, true or false'


class Token(NamedTuple):
    """One word of a condition."""

    kind: str
    """``string``, ``number``, ``name``, ``end``, or the text of a sign or of a reserved word."""
    text: str
    column: int


class Condition(NamedTuple):
    """A condition, compiled."""

    test: Test
    names: frozenset[str]
    """The names that it looks at."""


def compile_condition(text: str) -> Condition:
    """Return the condition that a text describes.

    Raises:
        SelectionError: it cannot be read; the message marks the column.
    """
    source = MarkedText(text, "condition")
    if len(text) > MAX_LENGTH:
        raise source.refuse(MAX_LENGTH, f"at most {MAX_LENGTH} characters")
    return _Parser(source).parse()


def split_tokens(source: MarkedText) -> list[Token]:
    """Return the words of a condition; the last one is its end."""
    tokens: list[Token] = []
    column = 0
    while column < len(source.text):
        match = _TOKEN.match(source.text, column)
        if match is None:
            raise source.refuse(column, _guess_expected(source.text, column))
        kind = match.lastgroup or ""
        word = match[0]
        if kind == "sign" or word in _WORDS:
            kind = word
        if kind != "space":
            tokens.append(Token(kind, word, column))
        column = match.end()
    tokens.append(Token("end", "", column))
    return tokens


def _guess_expected(text: str, column: int) -> str:
    """Return what was meant where no word begins."""
    character = text[column]
    if character in "\"'":
        return f"a closing {character} for this text"
    if character in "&|!":
        return "'and', 'or' or 'not'"
    if character == "=":
        return "== or =~"
    if character in "+-." or character.isdecimal():
        return "a number, or a text in quotes"
    return "a name, a value or an operator"


class _Parser:
    """Recursive descent over the words of one condition."""

    def __init__(self, source: MarkedText) -> None:
        self._source = source
        self._tokens = split_tokens(source)
        self._position = 0
        self._names: set[str] = set()

    def parse(self) -> Condition:
        test = self._parse_any(0)
        if self._next.kind != "end":
            raise self._refuse("'and', 'or' or the end")
        return Condition(test, frozenset(self._names))

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self, *kinds: str) -> Token | None:
        token = self._next
        if token.kind not in kinds:
            return None
        self._position += 1
        return token

    def _refuse(self, expected: str) -> SelectionError:
        return self._source.refuse(self._next.column, expected)

    def _parse_any(self, depth: int) -> Test:
        tests = [self._parse_all(depth)]
        while self._take("or"):
            tests.append(self._parse_all(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda view: any(test(view) for test in tests)

    def _parse_all(self, depth: int) -> Test:
        tests = [self._parse_one(depth)]
        while self._take("and"):
            tests.append(self._parse_one(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda view: all(test(view) for test in tests)

    def _parse_one(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise self._refuse(f"at most {MAX_DEPTH} parentheses and nots inside each other")
        if self._take("not"):
            test = self._parse_one(depth + 1)
            return lambda view: not test(view)
        if self._take("("):
            test = self._parse_any(depth + 1)
            if not self._take(")"):
                raise self._refuse("'and', 'or' or a closing )")
            return test
        return self._parse_comparison()

    def _parse_comparison(self) -> Test:
        name = self._take("name")
        if name is None:
            raise self._refuse("the name of an attribute, such as file.path, 'not' or (")
        self._names.add(name.text)
        negated = self._take("not") is not None
        if self._take("in"):
            return _compile_membership(name.text, self._parse_list(), negated=negated)
        if negated:
            raise self._refuse("'in' after 'not'")
        sign = self._take("==", "!=", "=~", "!~", *_ORDERS)
        if sign is None:
            raise self._refuse(_OPERATORS)
        if sign.kind in {"=~", "!~"}:
            glob = self._take("string")
            if glob is None:
                raise self._refuse('a glob in quotes, such as "/etc/*"')
            return _compile_glob(name.text, self._read_string(glob), negated=sign.kind == "!~")
        value = self._parse_value()
        if sign.kind in _ORDERS:
            return _compile_order(name.text, _ORDERS[sign.kind], value)
        return _compile_membership(name.text, [value], negated=sign.kind == "!=")

    def _parse_list(self) -> list[Literal]:
        if not self._take("("):
            raise self._refuse("( and values, such as (80, 443)")
        values = [self._parse_value()]
        while self._take(","):
            values.append(self._parse_value())
        if not self._take(")"):
            raise self._refuse("a comma or a closing )")
        return values

    def _parse_value(self) -> Literal:
        token = self._take("string", "number", "true", "false")
        if token is None:
            raise self._refuse(_VALUE)
        if token.kind == "string":
            return self._read_string(token)
        if token.kind == "number":
            return _read_number(token.text)
        return token.kind == "true"

    def _read_string(self, token: Token) -> str:
        def unescape(match: re.Match[str]) -> str:
            if match.lastindex is None:
                column = token.column + 1 + match.start()
                raise self._source.refuse(column, r"one of the escapes \\ \" \' \n \r \t \0 \xHH")
            code = match[1] or match[2]
            return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])

        return _ESCAPE.sub(unescape, token.text[1:-1])


def _read_number(text: str) -> int | float:
    body = text.lstrip("+-")
    if body[:2].lower() in {"0x", "0o"}:
        return int(text, 0)
    return float(text) if set(body) & set(".eE") else int(text)


def _compile_membership(name: str, values: list[Literal], *, negated: bool) -> Test:
    numbers = [one for one in values if type(one) in {int, float}]
    alike: dict[type, list[Literal]] = {
        str: [one for one in values if type(one) is str],
        bool: [one for one in values if type(one) is bool],
        int: numbers,
        float: numbers,
    }

    def holds(value: object) -> bool:
        candidates = alike.get(type(value), [])
        return bool(candidates) and (value in candidates) is not negated

    return _compile_comparison(name, holds, of_all=negated)


def _compile_glob(name: str, glob: str, *, negated: bool) -> Test:
    match = re.compile(translate(glob)).match

    def holds(value: object) -> bool:
        return type(value) is str and (match(value) is None) is negated

    return _compile_comparison(name, holds, of_all=negated)


def _compile_order(name: str, order: Callable[[Any, Any], bool], literal: Literal) -> Test:
    kinds = {int, float} if type(literal) in {int, float} else {type(literal)}

    def holds(value: object) -> bool:
        return type(value) in kinds and order(value, literal)

    return _compile_comparison(name, holds, of_all=False)


def _compile_comparison(name: str, holds: Callable[[object], bool], *, of_all: bool) -> Test:
    def test(view: Mapping[str, object]) -> bool:
        value = view.get(name)
        if type(value) is tuple or type(value) is list:
            return bool(value) and (all if of_all else any)(map(holds, value))
        return holds(value)

    return test
