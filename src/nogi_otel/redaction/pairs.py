"""Values that stand behind a secret name in a text: ``password=x``, ``"token": "x"``, headers.

Linear on hostile text: a name is tried once, where it begins, and each value is read once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nogi_otel.redaction.keys import is_harmless_value
from nogi_otel.redaction.markers import URL_MARKER
from nogi_otel.redaction.urls import SECRET_PARAMETERS

if TYPE_CHECKING:
    from nogi_otel.redaction.keys import KeyRules, SecretKey
    from nogi_otel.redaction.markers import Account

_PAIR = re.compile(
    r"""
    (?<![\w.\-])(?P<key>[\w.\-]+)
    (?P<close>(?:\\{0,3}["'`]|%2[27])?\]?)[ \t]{0,8}
    (?P<sign>=>|:=|==?|:(?!//)|%3[AaDd]|>|,(?=[ ]?[bu]?["']))[ \t]{0,8}
    """,
    re.VERBOSE | re.ASCII,
)
_OPENING = re.compile(r"""(?:[bBrRuUfF]{0,2})(?P<quote>\\{0,3}["'])""")
_CLOSING = {
    '"': re.compile(r'(?:[^"\\]|\\(?:[\s\S]|\Z))*'),
    "'": re.compile(r"(?:[^'\\]|\\(?:[\s\S]|\Z))*"),
}
_TO_LINE_END = {
    "": re.compile(r"[^\r\n]*"),
    '"': re.compile(r'[^\r\n"]*'),
    "'": re.compile(r"[^\r\n']*"),
    "\"'": re.compile(r"[^\r\n\"']*"),
}
_QUERY_VALUE = re.compile(r"[^&#\s\"'<>]*")
_PAIR_OPENING = re.compile(r"""[(\[][bu]?["']\Z""")
_SPACE = re.compile(r"\s")
_ELEMENT_VALUE = re.compile(r"[^<]*")
_SCHEME = re.compile(r"(?i:bearer|basic|digest|token|negotiate|apikey) +(?=[^\s&;,])")


def _compile_value(stops: str) -> re.Pattern[str]:
    """Return a pattern for a value without quotes, which ends before any of ``stops``."""
    return re.compile(
        rf"""
        (?:\[REDACTED:[a-z0-9-]+\])?
        # A list or an object, whole.
        (?:\[[^\]\r\n]{{0,512}}(?:\]|\Z) | \{{[^\}}\r\n]{{0,512}}(?:\}}|\Z))?
        (?:
            [^\s&;,)\]}}><\\{stops}]
            | \\(?:[\s\S]|\Z)
            | <(?!/)
            # A password may hold these; then neither the end nor the next pair follows.
            | [&;,](?![\s&;,"']|\Z|[\w.\-%\[\]]{{1,64}}[ ]?[=:])
            | [)\]}}>](?![\s&;,)\]}}>"'.]|\Z)
        )*
        """,
        re.VERBOSE | re.ASCII,
    )


_VALUE = {stops: _compile_value(stops) for stops in _TO_LINE_END}
_MAX_QUERY = 4096
"""Characters of a URL's query that are looked back for its beginning."""
_WHOLE_LINES = frozenset({"authorization", "cookie"})


def redact_pairs(text: str, keys: KeyRules, active: frozenset[str], account: Account) -> str:
    """Take every value that stands behind a secret name."""
    pieces: list[str] = []
    position = 0
    match = _PAIR.search(text)
    while match is not None:
        place = match.end()
        secret = _judge(text, match, keys)
        hides_parameter = (
            (secret is not None or match["key"].lower() in SECRET_PARAMETERS)
            and "url-query" in active
            and _is_parameter(text, match)
        )
        if hides_parameter:
            begin, end = _QUERY_VALUE.match(text, place).span()  # type: ignore[union-attr]
        elif secret is not None:
            begin, end = _find_value(text, match, secret.rule)
        else:
            match = _PAIR.search(text, place)
            continue
        value = text[begin:end]
        if hides_parameter:
            shows = value != URL_MARKER and not (secret and is_harmless_value(secret, value))
            if value and shows:
                account.take("url-query")
                pieces += (text[position:begin], URL_MARKER)
                position = end
        elif secret is not None and not is_harmless_value(secret, value):
            pieces += (text[position:begin], account.take(secret.rule))
            position = end
        match = _PAIR.search(text, max(end, place))
    return "".join((*pieces, text[position:])) if pieces else text


def _judge(text: str, match: re.Match[str], keys: KeyRules) -> SecretKey | None:
    start = match.start("key")
    before = text[start - 1] if start else ""
    # The name of a rule, in a marker that stands where a name was.
    if before == ":" and text.endswith("[REDACTED:", 0, start):
        return None
    # An element's text: <password>x</password>. Elsewhere > compares or redirects.
    if match["sign"] == ">" and (before != "<" or match["close"]):
        return None
    # A path and what follows it: /etc/passwd:/etc/passwd, /srv/token.py: not found. A marker may
    # stand where a part of the path was. And arn:aws:secretsmanager:eu-1:1:secret:shop.
    if match["sign"] == ":" and (before in {"/", "]"} or (before == ":" and "arn:" in text)):
        return None
    secret = keys.judge(match["key"])
    if secret is not None and match["sign"] == "," and not _is_closed_pair(text, match):
        return None
    return secret


def _is_closed_pair(text: str, match: re.Match[str]) -> bool:
    """Return whether this is a pair of two quoted texts: ``('password', 'x')``."""
    opening = text[max(match.start("key") - 3, 0) : match.start("key")]
    if match["close"] not in {'"', "'"} or not _PAIR_OPENING.search(opening):
        return False
    end = _find_value(text, match, "")[1]
    return text[end + 1 : end + 2] in {")", "]", ""}


def _is_parameter(text: str, match: re.Match[str]) -> bool:
    """Return whether a pair is a parameter of a URL's query."""
    start = match.start("key")
    before = text[start - 1] if start else ""
    if match["sign"] != "=" or before not in {"?", "&"}:
        return False
    question = text.rfind("?", max(start - _MAX_QUERY, 0), start)
    return question >= 0 and _SPACE.search(text, question, start) is None


def _find_value(text: str, match: re.Match[str], rule: str) -> tuple[int, int]:
    """Return where the value of a pair begins and ends."""
    start = match.end()
    if match["sign"] == ">":
        return start, _ELEMENT_VALUE.match(text, start).end()  # type: ignore[union-attr]
    key_start = match.start("key")
    around = "".join(quote for quote in "\"'" if text.count(quote, 0, key_start) % 2)
    if match["close"]:
        around = around.replace(match["close"].strip("\\]"), "")
    opening = _OPENING.match(text, start)
    if opening is not None:
        quote = opening["quote"]
        if quote in around:
            return start, start
        begin = opening.end()
        if len(quote) == 1:
            return begin, _CLOSING[quote].match(text, begin).end()  # type: ignore[union-attr]
        end = text.find(quote, begin)
        return begin, len(text) if end < 0 else end
    if rule in _WHOLE_LINES and (match["sign"] == ":" or rule == "cookie"):
        return start, _TO_LINE_END[around].match(text, start).end()  # type: ignore[union-attr]
    scheme = _SCHEME.match(text, start)
    value = _VALUE[around].match(text, scheme.end() if scheme else start)
    return start, value.end()  # type: ignore[union-attr]
