r"""Values that are secret by their shape, wherever they stand: tokens, private keys, card numbers.

Every pattern is linear on hostile text: it begins with literal text, and each repeat is over one
set of characters that what follows it is not in. ``\Z`` ends what the snapshot has cut.
"""

from __future__ import annotations

import binascii
import re
import string
from typing import TYPE_CHECKING, NamedTuple

from nogi_otel.redaction.cards import CARD, find_cut_card, is_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.redaction.markers import Account


class ValuePattern(NamedTuple):
    """A rule that knows a secret by its shape."""

    rule: str
    hint: str
    """Literal text that stands in every match: the pattern is only tried where it is found."""
    pattern: re.Pattern[str]
    """What is taken: its group ``secret`` where it has one, else the whole match."""
    is_secret: Callable[[str], bool] | None = None
    """Asked last, for what a pattern cannot say."""


def _is_basic_credential(text: str) -> bool:
    """Return whether this is base64 of ``user:password``, whole or cut."""
    body = text.rstrip("=")
    try:
        decoded = binascii.a2b_base64(body[: len(body) // 4 * 4])
    except binascii.Error:
        return False
    return b":" in decoded and min(decoded) >= 0x20  # noqa: PLR2004 - printable


_BASE64 = r"[A-Za-z0-9+/]"
_WORD = r"[A-Za-z0-9_-]"
_START = r"(?<![A-Za-z0-9])"

_TOKENS: tuple[tuple[str, str, str], ...] = (
    ("jwt", "eyJ", rf"(?<![A-Za-z0-9_-])eyJ{_WORD}{{8,}}\.{_WORD}*(?:\.{_WORD}*)*"),
    ("aws-access-key", "AKIA", rf"{_START}AKIA[A-Z0-9]{{16}}(?![A-Za-z0-9])"),
    ("aws-access-key", "ASIA", rf"{_START}ASIA[A-Z0-9]{{16}}(?![A-Za-z0-9])"),
    ("github-token", "gh", rf"{_START}gh[oprsu]_[A-Za-z0-9]{{20,}}"),
    ("github-token", "github_pat_", rf"{_START}github_pat_[A-Za-z0-9_]{{20,}}"),
    (
        "gitlab-token",
        "gl",
        rf"{_START}gl(?:pat|dt|rt|ft|ptt|cbt|imt|soat|agent|oas)-{_WORD}{{16,}}",
    ),
    ("slack-token", "xox", rf"{_START}xox[abeoprs]-[A-Za-z0-9-]{{10,}}"),
    ("slack-token", "xapp-", rf"{_START}xapp-\d-[A-Za-z0-9-]{{10,}}"),
    (
        "slack-token",
        "hooks.slack.com/",
        r"hooks\.slack\.com/services/(?P<secret>[A-Za-z0-9/]{20,})",
    ),
    ("stripe-key", "_live_", rf"{_START}[rs]k_live_[A-Za-z0-9]{{10,}}"),
    ("stripe-key", "_test_", rf"{_START}[rs]k_test_[A-Za-z0-9]{{10,}}"),
    ("stripe-key", "whsec_", rf"{_START}whsec_[A-Za-z0-9]{{20,}}"),
    ("google-key", "AIza", rf"{_START}AIza{_WORD}{{30,}}"),
    ("google-key", "ya29.", rf"{_START}ya29\.[A-Za-z0-9_.-]{{20,}}"),
    ("google-key", "GOCSPX-", rf"{_START}GOCSPX-{_WORD}{{20,}}"),
    ("npm-token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{30,}}"),
    ("pypi-token", "pypi-", rf"{_START}pypi-Ag{_WORD}{{20,}}"),
    (
        "api-token",
        "sk-",
        rf"{_START}sk-(?={_WORD}{{0,60}}\d)(?={_WORD}{{0,60}}[A-Z]){_WORD}{{20,}}",
    ),
    ("api-token", "hf_", rf"{_START}hf_[A-Za-z0-9]{{30,}}"),
    ("api-token", "SG.", rf"{_START}SG\.{_WORD}{{16,}}\.{_WORD}{{16,}}"),
    ("api-token", "_v1_", rf"{_START}do[opr]_v1_[a-f0-9]{{40,}}"),
    ("api-token", "hvs.", rf"{_START}hvs\.{_WORD}{{20,}}"),
    ("api-token", "shp", rf"{_START}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}"),
    ("api-token", "dckr_", rf"{_START}dckr_[op]at_{_WORD}{{20,}}"),
    ("api-token", "AGE-SECRET-KEY-1", rf"{_START}AGE-SECRET-KEY-1[A-Z0-9]{{20,}}"),
    ("api-token", ":AA", r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
)
"""Rule, hint, pattern. The lengths are those of the issuers or a little below."""

VALUE_PATTERNS: tuple[ValuePattern, ...] = (
    ValuePattern(
        "private-key",
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"[\s\S]*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
    ),
    ValuePattern(
        "private-key",
        "PuTTY-User-Key-File",
        re.compile(
            r"PuTTY-User-Key-File[\s\S]{0,4000}?Private-Lines: "
            r"(?P<secret>[\s\S]+?)(?:\r?\nPrivate-MAC:|\Z)"
        ),
    ),
    *(ValuePattern(rule, hint, re.compile(text, re.ASCII)) for rule, hint, text in _TOKENS),
    ValuePattern(
        "bearer",
        "earer ",
        re.compile(
            r"\b[Bb]earer +(?P<secret>(?=[A-Za-z._~+/=-]{0,64}\d|[A-Za-z0-9._~+/=-]{20})"
            r"[A-Za-z0-9._~+/=-]{6,})",
            re.ASCII,
        ),
    ),
    ValuePattern(
        "basic-auth",
        "asic ",
        re.compile(rf"\b[Bb]asic +(?P<secret>{_BASE64}{{6,}}={{0,2}})", re.ASCII),
        _is_basic_credential,
    ),
    ValuePattern(
        "sql-password",
        " '",
        re.compile(
            r"\b(?:(?i:identified (?:with \w{1,40} )?by|password)) "
            r"'(?P<secret>(?:[^'\\]|''|\\(?:[\s\S]|\Z))+)",
            re.ASCII,
        ),
    ),
    ValuePattern("card-number", "", CARD, is_card),
)

# It decides for most texts that there is nothing to do, so it must be fast: each alternative begins
# with a literal of its own, a rare one, and the search skips from one of these to the next in one C
# loop; there a cheap test comes first.
TRIGGER = (
    r"_(?:(?<=_pat_)|(?<=r_oat_)|(?=[A-Za-z0-9]{10})"
    r"(?:(?<=gh._)|(?<=_live_)|(?<=_test_)|(?<=whsec_)|(?<=npm_)|(?<=hf_)|(?<=_v1_)|(?<=shp.._)))"
    r"|-(?<=[tspXikYE-]-)(?:(?<=gl...-)|(?<=gl..-)|(?<=glsoat-)|(?<=glagent-)|(?<=xapp-)"
    r"|(?<=GOCSPX-)|(?<=pypi-)|(?<=sk-)|(?<=-----)|(?<=PuTTY-)|(?<=AGE-))"
    r"|\.(?<=[9Gsk]\.)(?:(?<=ya29\.)|(?<=SG\.)|(?<=hvs\.)|(?<=slack\.)com/)"
    r"|J(?<=eyJ)|K(?<=AK)IA|S(?<=AS)IA|z(?<=AIz)a|xox"
    r"| (?<=[rc] )(?:(?<=[Bb]earer )|(?<=[Bb]asic ))|'(?<=[dDyY] ')"
    r"|:AA"
    r"|2\d{3}[ -]?\d{4}|3\d{3}[ -]?\d{4}|4\d{3}[ -]?\d{4}|5\d{3}[ -]?\d{4}|6\d{3}[ -]?\d{4}"
)
"""Matches somewhere in every text in which one of the patterns above does."""

_CUT_PREFIX = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<jwt>eyJ)|(?P<aws>AKIA|ASIA)|(?P<github>gh[oprsu]_|github_pat_)"
    r"|(?P<gitlab>gl(?:pat|dt|rt|ft|ptt|cbt|imt|soat|agent|oas)-)|(?P<slack>xox[abeoprs]-|xapp-)"
    r"|(?P<stripe>[rs]k_(?:live|test)_|whsec_)|(?P<google>AIza|ya29\.|GOCSPX-)|(?P<npm>npm_)"
    r"|(?P<pypi>pypi-Ag)"
    r"|(?P<api>sk-(?:proj|ant|or)-|hf_|SG\.|do[opr]_v1_|hvs\.|shp(?:at|ca|pa|ss)_|dckr_[op]at_))"
)
_CUT_RULES = {
    "jwt": "jwt",
    "aws": "aws-access-key",
    "github": "github-token",
    "gitlab": "gitlab-token",
    "slack": "slack-token",
    "stripe": "stripe-key",
    "google": "google-key",
    "npm": "npm-token",
    "pypi": "pypi-token",
    "api": "api-token",
}
_TOKEN_CHARACTERS = f"{string.ascii_letters}{string.digits}_-.~+/="
_CUT_SCHEME = re.compile(r"\b(?:[Bb]earer|[Bb]asic) +\Z")


may_hold_value = re.compile(TRIGGER).search


def redact_values(text: str, patterns: tuple[ValuePattern, ...], account: Account) -> str:
    """Take everything in the text that is secret by its shape."""
    if not may_hold_value(text):
        return text
    for rule, hint, pattern, is_secret in patterns:
        if hint not in text:
            continue
        group = "secret" if "secret" in pattern.groupindex else 0
        pieces: list[str] = []
        position = 0
        for match in pattern.finditer(text):
            if is_secret is not None and not is_secret(match[group]):
                continue
            begin, end = match.span(group)
            pieces += (text[position:begin], account.take(rule))
            position = end
        if pieces:
            text = "".join((*pieces, text[position:]))
    return text


def redact_cut_value(text: str, active: frozenset[str], account: Account) -> str:
    """Take the beginning of a secret at the end of a text that the snapshot has cut."""
    head = text.rstrip(_TOKEN_CHARACTERS)
    tail = text[len(head) :]
    match = _CUT_PREFIX.search(tail)
    if match is not None:
        rule = _CUT_RULES[match.lastgroup or ""]
        if rule in active:
            return head + tail[: match.start()] + account.take(rule)
    scheme = _CUT_SCHEME.search(head[-16:]) if tail else None
    if scheme is not None:
        rule = "bearer" if "earer" in scheme[0] else "basic-auth"
        if rule in active:
            return head + account.take(rule)
    card = find_cut_card(text)
    if card is not None and "card-number" in active:
        return text[:card] + account.take("card-number")
    return text
