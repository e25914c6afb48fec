"""The display line of an event: its name, and the attributes that tell it from its likes.

An entry names the parts of the line. A part is a text with one place for an attribute::

    " ({python.audit.open.mode})"    left out where the attribute is missing
    "{file.path|python.audit.fd}"    the first of these that is there
    "{server.address}:{server.port}" an address with its port, where that is known

Parts stand one after the other, after the event's name and a blank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nogi_otel.catalogue.text import MAX_DISPLAY_CHARACTERS, clean_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogi_otel.catalogue.entry import AttributeValue, Entry


class Part(NamedTuple):
    """One part of a display line, ready to be rendered."""

    before: str
    key: str
    others: tuple[str, ...]
    """The keys to look at where the first is missing."""
    port_keys: tuple[str, ...]
    """Empty where the part is not an address with a port."""
    after: str


def compile_display(entry: Entry) -> tuple[Part, ...]:
    """Return the parts of the display line of ``entry``.

    Raises ``ValueError`` where one cannot be read.
    """
    texts: Sequence[str] = entry.display
    if not texts and entry.attributes:
        texts = (f"{{{entry.attribute_keys[0]}}}",)
    return tuple([_compile_part(entry.event, text) for text in texts])


def render_display(
    event: str, parts: tuple[Part, ...], attributes: dict[str, AttributeValue]
) -> str:
    """Return the display line of an event whose attributes are ``attributes``."""
    shown = ""
    for before, key, others, port_keys, after in parts:
        value = attributes.get(key)
        if (value is None or value == ()) and others:
            value = _find(attributes, others)
        if value is None:
            continue
        text = value if type(value) is str else _show(value)
        if port_keys:
            port = _find(attributes, port_keys)
            if port is not None:
                text = f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
        shown = f"{shown}{before}{text}{after}"
    return clean_line(f"{event} {shown.strip()}" if shown else event)


def _find(attributes: dict[str, AttributeValue], keys: tuple[str, ...]) -> AttributeValue | None:
    for key in keys:
        value = attributes.get(key)
        if value is not None:
            return value
    return None


def _show(value: AttributeValue) -> str:
    if type(value) is tuple:
        # Never more than a line's worth: a list has at most as many items as a line characters.
        return " ".join([str(item) for item in value[:MAX_DISPLAY_CHARACTERS]])
    return str(value)


def _compile_part(event: str, text: str) -> Part:
    before, _, rest = text.partition("{")
    keys, closed, after = rest.partition("}")
    ports = ""
    if after.startswith(":{"):
        ports, closed, after = after[2:].partition("}")
    if not keys or not closed or "{" in after:
        message = f"{event}: the display part {text!r} has no single {{key}}"
        raise ValueError(message)
    key, *others = keys.split("|")
    return Part(before, key, tuple(others), tuple(ports.split("|")) if ports else (), after)
