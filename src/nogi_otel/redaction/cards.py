"""Payment card numbers: an issuer's prefix, its length, its grouping, and the Luhn sum.

One number in ten passes the Luhn sum alone, so all four must hold, and the number must stand by
itself: not in a word, a path, a decimal fraction or a longer number. Ranges: ISO/IEC 7812, as
published by the issuers.
"""

from __future__ import annotations

import re

CARD = re.compile(
    r"""
    (?<![\w.\-])(?<!/)(?:
        (?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6(?:011|4[4-9]\d|5\d{2}|2\d{2})|35(?:2[89]|[3-8]\d))
            (?P<sep>[ -]?)\d{4}(?P=sep)\d{4}(?P=sep)\d{4}
        |3[47]\d{2}(?P<amex>[ -]?)\d{6}(?P=amex)\d{5}
        |3(?:0[0-5]|[68]\d)\d(?P<diners>[ -]?)\d{6}(?P=diners)\d{4}
    )(?![\w/-])(?!\.\d)
    """,
    re.VERBOSE | re.ASCII,
)
LEAST_CARD = 10**13
"""The smallest number that can be one: 14 digits."""
_MASTERCARD = range(2221, 2721)
_CUT = re.compile(r"(?<![\w.\-/])[3-6]\d{3}(?:[ -]?\d{1,6}){1,3}\Z", re.ASCII)
_MAX_CARD = 19
_LEAST_CUT = 8


def is_card(text: str) -> bool:
    """Return whether text that ``CARD`` matches passes the Luhn sum."""
    digits = [int(character) for character in text if character.isdecimal()]
    first = int("".join(map(str, digits[:4])))
    if digits[0] == 2 and first not in _MASTERCARD:  # noqa: PLR2004
        return False
    # Every second digit from the right counts double, less nine where that has two digits.
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])  # noqa: PLR2004
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_card_number(number: int) -> bool:
    """Return whether an integer is a card number."""
    text = str(number)
    return CARD.fullmatch(text) is not None and is_card(text)


def find_cut_card(text: str) -> int | None:
    """Return where a card number begins whose end the snapshot has cut off; None without one."""
    match = _CUT.search(text, max(len(text) - _MAX_CARD, 0))
    if match is None or sum(map(str.isdecimal, match[0])) < _LEAST_CUT:
        return None
    return match.start()
