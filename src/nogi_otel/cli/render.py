"""An event as text: one line, the two lines of nogi's client, or a JSON object.

Everything in an event was chosen by the traced program or by whoever sends to the receiver, so
nothing of it reaches a terminal unescaped: control characters, escape sequences, line breaks and
characters that reorder or hide text are written as escapes, as ``repr`` does.
"""

from __future__ import annotations

import base64
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

from nogi_otel.recording.otlp_json import encode_double, encode_text

if TYPE_CHECKING:
    from nogi_otel.recording.event import Event

Format: TypeAlias = Literal["line", "nogi", "json"]

_MIN_TEXT_COLUMNS: Final = 40
_MAX_TEXT_CHARACTERS: Final = 4096
_NS_A_SECOND: Final = 1_000_000_000
_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999, which ``datetime`` cannot pass."""

_OPAQUE: Final = re.compile(r"<[^<>]*>")
_BYTES: Final = re.compile(r"""b'(?:[^'\\]|\\.)*'…?|b"(?:[^"\\]|\\.)*"…?""")

_DIM: Final = "2"
_BOLD: Final = "1"
_YELLOW: Final = "33"


@dataclass(frozen=True, slots=True)
class Style:
    """How a line may look where it goes to."""

    columns: int | None = None
    """The width to keep to; None is no limit."""
    colour: bool = False


def detect_style(stream: IO[str]) -> Style:
    """Give the style for a stream: width and colour for a terminal, neither for anything else.

    ``NO_COLOR`` and ``TERM=dumb`` switch colours off (https://no-color.org).
    """
    if not stream.isatty():
        return Style()
    try:
        columns: int | None = os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        columns = None
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(columns, colour)


def render(event: Event, form: Format, style: Style) -> str:
    """Give an event in one of the formats, without a line break at the end.

    A lifecycle record in nogi's format is empty: its client knew only audit events.
    """
    if form == "json":
        return render_json(event)
    if form == "nogi":
        return render_nogi(event) if event.is_audit else ""
    return render_line(event, style)


def render_line(event: Event, style: Style = Style()) -> str:
    """Give an event as one line for people.

    ``12:34:56.789 shop[1234] socket.connect 127.0.0.1:443  trace=... span=... thread=MainThread``,
    in local time. Ids are whole, so that they can be pasted; a narrow terminal loses the thread
    and the end of the text.
    """
    clock = _render_clock(event.timestamp_ns)
    pid = event.process_id
    origin = f"{escape(event.service_name) or '-'}[{'-' if pid is None else pid}]"
    warning = "" if event.severity in {"", "INFO"} else f"{escape(event.severity)} "
    text = warning + _describe(event)
    ids = f"trace={event.trace_id or '-'} span={event.span_id or '-'}"
    thread = f" thread={escape(event.thread_name)}" if event.thread_name else ""
    if style.columns is not None:
        taken = len(clock) + _measure(origin) + len(ids) + 4
        if taken + _measure(thread) + _MIN_TEXT_COLUMNS > style.columns:
            thread = ""
        text = _cut(text, max(style.columns - taken - _measure(thread), _MIN_TEXT_COLUMNS))
    if style.colour:
        clock, ids, thread = _paint(clock, _DIM), _paint(ids, _DIM), _paint(thread, _DIM)
        text = _paint(text, _YELLOW if warning or not event.is_audit else _BOLD)
    return f"{clock} {origin} {text}  {ids}{thread}"


def render_nogi(event: Event) -> str:
    """Give an audit event as nogi's own client printed it: an ``event:`` and a ``data:`` line."""
    arguments = event.arguments
    cut = f"({escape(event.arguments_text)})"
    data = cut if arguments is None else _render_value(arguments)
    return f"event: {escape(event.name)}\ndata: {data}"


def render_json(event: Event) -> str:
    """Give an event as one JSON object in ASCII: everything that was received."""
    fields = {
        "event": event.name,
        "type": "audit" if event.is_audit else "lifecycle",
        "time": render_time(event.timestamp_ns),
        "timestamp_ns": event.timestamp_ns,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "service": event.service_name,
        "pid": event.process_id,
        "thread": event.thread_name,
        "severity": event.severity,
        "body": event.body,
        "arguments": event.arguments,
        "source": event.source,
        "attributes": event.attributes,
        "resource": event.resource,
    }
    return json.dumps(_to_json(fields), separators=(",", ":"))


def render_time(timestamp_ns: int) -> str:
    """Give a time as RFC 3339 in UTC with nanoseconds; empty where it is not known."""
    seconds, rest = divmod(timestamp_ns, _NS_A_SECOND)
    if not 0 < seconds <= _LAST_SECOND:
        return ""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def escape(text: str) -> str:
    """Write as escapes what is not printable: control, format and unassigned characters.

    That covers C0 with ESC and line breaks, DEL, C1, bidirectional overrides, zero-width
    characters, line separators and lone surrogates (``str.isprintable``).
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def _describe(event: Event) -> str:
    body = escape(event.body[:_MAX_TEXT_CHARACTERS])
    name = escape(event.name[:_MAX_TEXT_CHARACTERS])
    if not event.is_audit:
        return f"{name} {body or _render_attributes(event)}"
    if body:
        return body if body.startswith(name) else f"{name} {body}"
    return name + escape(event.arguments_text[:_MAX_TEXT_CHARACTERS])


def _render_clock(timestamp_ns: int) -> str:
    seconds, rest = divmod(timestamp_ns, _NS_A_SECOND)
    if not 0 < seconds <= _LAST_SECOND:
        return "--:--:--.---"
    moment = datetime.fromtimestamp(seconds, timezone.utc).astimezone()
    return f"{moment:%H:%M:%S}.{rest // 1_000_000:03d}"


def _render_attributes(event: Event) -> str:
    text = " ".join(f"{key}={value}" for key, value in event.attributes.items())
    return escape(text[:_MAX_TEXT_CHARACTERS])


def _render_value(value: object) -> str:
    """Write an argument as Python does; what stands for an object or for bytes loses its quotes."""
    if isinstance(value, str):
        stands_for_object = _OPAQUE.fullmatch(value) or _BYTES.fullmatch(value)
        return escape(value) if stands_for_object else repr(value)
    if isinstance(value, tuple):
        items = ", ".join(map(_render_value, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, dict):
        items = ", ".join(f"{key!r}: {_render_value(item)}" for key, item in value.items())
        return f"{{{items}}}"
    return repr(value)


def _to_json(value: object) -> object:
    """Give what JSON can write: bytes as base64, an infinite number or NaN as its name."""
    if isinstance(value, str):
        return encode_text(value)
    if isinstance(value, float):
        return encode_double(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {encode_text(str(key)): _to_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _measure(text: str) -> int:
    """Give the number of columns that a terminal uses for a text."""
    return len(text) if text.isascii() else sum(map(_measure_character, text))


def _measure_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(text: str, columns: int) -> str:
    """Cut a text to a number of columns, the last of which then holds an ellipsis."""
    if _measure(text) <= columns:
        return text
    taken = 0
    for index, character in enumerate(text):
        taken += _measure_character(character)
        if taken > columns - 1:
            return f"{text[:index]}…"
    return text


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text else ""
