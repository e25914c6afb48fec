"""Rules that a user adds, as text: ``acme-id=ACME-[0-9]{8}``, ``key:badge=(?i)badge``.

A pattern of a user's runs in the observed process on text that anyone may have sent, and Python's
``re`` keeps the interpreter lock while it matches. So a pattern that can take very long is refused:
a repeat or a choice inside an open repeat, and more than three open repeats.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nogi_otel.errors import SettingsError
from nogi_otel.redaction.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY_MARK = "key:"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MAX_PATTERN = 512
_MAX_OPEN_REPEATS = 3
_LEAST_OPEN = 100
"""A repeat of fewer than this is not open: its cost is bounded by its own size."""
_RESERVED = "error"

# PYVERSIONS: the standard library's own parser of patterns has no public name since 3.11.
_parser: Any = vars(re)["_parser" if "_parser" in vars(re) else "sre_parse"]


class AddedRule(NamedTuple):
    """A rule of a user's."""

    name: str
    pattern: re.Pattern[str]
    is_key: bool
    """Whether it is searched in names, whose value it then takes, or in texts."""


def parse_added_rule(text: str) -> AddedRule:
    """Return the rule ``name=regex`` or ``key:name=regex``.

    Raises:
        SettingsError: it cannot be read, its name is taken, or its pattern could take very long.
    """
    is_key = text.startswith(_KEY_MARK)
    name, found, pattern = text.removeprefix(_KEY_MARK).partition("=")
    name = name.strip()
    if not found or not _NAME.fullmatch(name):
        raise SettingsError(
            f"redaction rule {text!r} cannot be read. Write name=regex or key:name=regex; a name "
            "is made of a-z, 0-9 and -, for example acme-id=ACME-[0-9]{8}."
        )
    if name in RULES or name == _RESERVED:
        raise SettingsError(
            f"redaction rule {text!r}: the name {name!r} is that of a built-in rule. "
            "Choose another name."
        )
    return AddedRule(name, _compile(text, pattern), is_key)


def parse_lifted_rules(names: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Return the names of the rules that are lifted; ``*`` stands for all.

    Raises:
        SettingsError: there is no rule of that name.
    """
    all_names = frozenset(known)
    lifted: set[str] = set()
    for text in names:
        name = text.strip()
        if name == "*":
            return all_names
        if name not in all_names:
            raise SettingsError(
                f"there is no redaction rule {name!r} to lift. Use one of: "
                f"{', '.join(sorted(all_names))}, or * for all."
            )
        lifted.add(name)
    return frozenset(lifted)


def _compile(text: str, pattern: str) -> re.Pattern[str]:
    if not pattern or len(pattern) > _MAX_PATTERN:
        raise SettingsError(
            f"redaction rule {text[:80]!r}: the pattern must have 1 to {_MAX_PATTERN} characters."
        )
    try:
        compiled = re.compile(pattern)
        tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise SettingsError(
            f"redaction rule {text!r}: {pattern!r} is no regular expression of Python's: {error}. "
            "Use one that re.compile takes."
        ) from None
    if compiled.fullmatch("") is not None:
        raise SettingsError(
            f"redaction rule {text!r}: {pattern!r} matches the empty text, so it would match "
            "everywhere. Name something that must be there."
        )
    repeats = list(_walk(tree, inside=False))
    if any(repeats) or len(repeats) > _MAX_OPEN_REPEATS:
        raise SettingsError(
            f"redaction rule {text!r}: {pattern!r} could take very long on a hostile text. Use "
            f"at most {_MAX_OPEN_REPEATS} of * + {{n,}}, and no repeat or | inside one of these."
        )
    return compiled


def _walk(tree: Any, *, inside: bool) -> Iterator[bool]:
    """Yield for each open repeat of a parsed pattern whether it is dangerous."""
    for name, operand in tree:
        operation = str(name)
        if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            _, most, body = operand
            is_open = int(most) >= _LEAST_OPEN
            if is_open:
                yield inside
            elif inside:
                yield True
            yield from _walk(body, inside=inside or is_open)
        elif operation == "BRANCH":
            if inside:
                yield True
            for branch in operand[1]:
                yield from _walk(branch, inside=inside)
        else:
            for part in _list_bodies(operand):
                yield from _walk(part, inside=inside)


def _list_bodies(operand: Any) -> Iterator[Any]:
    """Yield the parsed patterns inside an operand: of a group, a look-around, a condition."""
    if isinstance(operand, _parser.SubPattern):
        yield operand
    elif isinstance(operand, (tuple, list)):
        for part in operand:
            yield from _list_bodies(part)
