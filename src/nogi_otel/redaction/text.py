"""All rules for one text, in the order in which they must be tried.

Credentials of URLs first, because their ``:`` looks like a pair's; then pairs, because they take a
value whole; then shapes, in what is left; then what a user has added.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nogi_otel.redaction.markers import MARKER, MAX_TEXT, OverBudgetError
from nogi_otel.redaction.pairs import redact_pairs
from nogi_otel.redaction.patterns import (
    TRIGGER,
    VALUE_PATTERNS,
    redact_cut_value,
    redact_values,
)
from nogi_otel.redaction.urls import redact_userinfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nogi_otel.redaction.command_line import CommandLineRules
    from nogi_otel.redaction.keys import KeyRules
    from nogi_otel.redaction.markers import Account


class TextRules:
    """The rules for texts that are not lifted, and those that a user has added."""

    def __init__(
        self,
        active: frozenset[str],
        keys: KeyRules,
        command_lines: CommandLineRules,
        added: Sequence[tuple[str, re.Pattern[str]]] = (),
    ) -> None:
        """Take the names of the active rules, the judges, and the added value patterns."""
        self._active = active
        self._keys = keys
        self._command_lines = command_lines
        self._patterns = tuple(one for one in VALUE_PATTERNS if one.rule in active)
        self._added = tuple(added)
        self.may_hold_secret: Callable[[str], object] = (
            re.compile("").search if self._added else _SUSPICIOUS.search
        )
        """False for a text in which no rule can find anything; cheap, and right for most."""

    def redact(self, text: str, account: Account, *, cut: bool = False) -> str:
        """Return the text without its secrets; the same object where it has none.

        ``cut``: the snapshot kept only the beginning, so it may end in the middle of a secret.

        Raises:
            OverBudgetError: the text is too large to try the rules on.
        """
        if not cut and not self.may_hold_secret(text):
            return text
        if len(text) > MAX_TEXT:
            raise OverBudgetError
        account.work(len(text))
        original = text
        if "://" in text or "@" in text:
            text = redact_userinfo(text, account, self._active, cut=cut)
        if "command-line" in self._active and _LONG_FLAG.search(text):
            text = self._command_lines.redact_line(text, account)
        text = redact_pairs(text, self._keys, self._active, account)
        if cut:
            text = redact_cut_value(text, self._active, account)
        text = redact_values(text, self._patterns, account)
        for rule, pattern in self._added:
            text = _redact_added(text, rule, pattern, account)
        return original if text == original else text


_LONG_FLAG = re.compile("--[A-Za-z]")
_SUSPICIOUS = re.compile(
    # A pair, a URL's credentials, an element, a pair of quoted texts, an encoded pair, a flag.
    rf"""=|:(?!//)|@|>[^\s<>]|,(?<=["'],)|%(?=3)|-(?<=--)[A-Za-z]|{TRIGGER}"""
)


def _redact_added(text: str, rule: str, pattern: re.Pattern[str], account: Account) -> str:
    """Try a user's pattern; a match inside a marker is none, one that overlaps it takes it too."""
    markers = [match.span() for match in MARKER.finditer(text)]
    pieces: list[str] = []
    position = 0
    for match in pattern.finditer(text):
        begin, end = match.span()
        if begin == end or any(left <= begin and end <= right for left, right in markers):
            continue
        touched = [one for one in markers if one[0] < end and begin < one[1]]
        begin = min([begin, *(left for left, _ in touched)])
        end = max([end, *(right for _, right in touched)])
        if begin >= position:
            pieces += (text[position:begin], account.take(rule))
        position = max(position, end)
    return "".join((*pieces, text[position:])) if pieces else text
