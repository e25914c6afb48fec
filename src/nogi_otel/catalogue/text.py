"""Text that may leave the process: bounded, valid UTF-8, and printable where it is shown."""

from __future__ import annotations

MAX_TEXT_BYTES = 1024
"""The size of one attribute's value in UTF-8, at most."""
MAX_DISPLAY_CHARACTERS = 256
"""The length of a display line, at most."""
CUT = "…"
"""Stands at the end of a text that was longer."""
_CUT_BYTES = len(CUT.encode())
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return ``text`` as valid UTF-8 of at most ``max_bytes`` bytes, without NUL.

    Lone surrogates and NUL become U+FFFD. A longer text is cut on a character boundary and ends
    in ``CUT``, which counts; with less than its 3 bytes to spare, nothing is left.
    """
    if len(text) <= max_bytes and text.isascii():
        return text if "\0" not in text else _replace_nul(text, max_bytes)
    text = text[: max_bytes + 1]
    if "\0" in text:
        text = text.replace("\0", _UNKNOWN)
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        text = _join_surrogates(text)
        encoded = text.encode()
    return text if len(encoded) <= max_bytes else _cut(encoded, max_bytes)


def mark_cut(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return a text whose end the snapshot has cut off, cleaned and ending in ``CUT``."""
    return clean_text(text[: max_bytes + 1] + CUT, max_bytes)


def clean_line(text: str) -> str:
    """Return ``text`` as one printable line of at most ``MAX_DISPLAY_CHARACTERS``.

    White space becomes a blank; what ``str.isprintable`` refuses (control characters, line
    separators, bidirectional overrides, surrogates) becomes U+FFFD.
    """
    if len(text) > MAX_DISPLAY_CHARACTERS:
        text = text[: MAX_DISPLAY_CHARACTERS - 1] + CUT
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else " " if c.isspace() else _UNKNOWN for c in text])


def _replace_nul(text: str, max_bytes: int) -> str:
    return clean_text(text.replace("\0", _UNKNOWN), max_bytes)


def _join_surrogates(text: str) -> str:
    """Return ``text`` with paired surrogates joined and lone ones as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _cut(encoded: bytes, max_bytes: int) -> str:
    if max_bytes < _CUT_BYTES:
        return ""
    return encoded[: max_bytes - _CUT_BYTES].decode("utf-8", "ignore") + CUT
