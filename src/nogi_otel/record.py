"""One audit event, decoded: the value that every carrier, recording and line is made of."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nogi_otel import catalogue
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef

if TYPE_CHECKING:
    from nogi_otel.capture import RawEvent
    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue.entry import AttributeValue, Severity

MAX_ARGUMENTS_BYTES = 1024
"""The size of ``python.audit.args``, at most."""
_MAX_DEPTH = 6
_CUT = "…"
_MASK = (1 << 64) - 1


class Redacted(Protocol):
    """The arguments of an event as they may leave the process; ``redaction`` makes it."""

    @property
    def arguments(self) -> tuple[Value, ...]:
        """What is left of them."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that took something."""

    @property
    def failed(self) -> int:
        """How many could not be redacted."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An audit event, decoded and redacted. Nothing in it needs to be hidden any more."""

    timestamp_ns: int
    event: str
    arguments: tuple[Value, ...]
    attributes: dict[str, AttributeValue]
    """From the catalogue, in reading order."""
    body: str
    severity: Severity
    thread_id: int
    thread_name: str
    trace_id: int
    """0 where no span was current."""
    span_id: int
    trace_flags: int
    on_span: bool
    frames: tuple[CodeRef, ...]
    stack_id: str
    """The same for the same frames, in one process; "" where there is one frame at most."""
    window_id: str
    rules: tuple[str, ...]
    """The names of the redaction rules that took something."""
    redaction_errors: int
    """How many arguments could not be redacted, and were taken whole."""


def decode(
    raw: RawEvent,
    redacted: Redacted,
    window_id: str,
) -> AuditRecord:
    """Decode a captured event; ``redacted`` is what redaction has left of its arguments."""
    arguments = redacted.arguments
    description = catalogue.describe(raw.event, arguments)
    name = raw.thread_name
    return AuditRecord(
        timestamp_ns=raw.timestamp_ns,
        event=raw.event,
        arguments=arguments,
        attributes=description.attributes,
        body=description.display,
        severity=description.severity,
        thread_id=raw.thread_id,
        # A program may name its thread with any object; only exact text is taken from it.
        thread_name=name[:128] if type(name) is str else "",
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        trace_flags=int(raw.trace_flags),
        on_span=raw.on_span,
        frames=raw.frames,
        stack_id=f"{hash(raw.frames) & _MASK:016x}" if len(raw.frames) > 1 else "",
        window_id=window_id,
        rules=redacted.rules,
        redaction_errors=redacted.failed,
    )


def render_arguments(arguments: tuple[Value, ...]) -> str:
    """Return the arguments as one compact JSON array of at most ``MAX_ARGUMENTS_BYTES``.

    It is always whole JSON: what is too long is cut inside its own string.
    """
    plain = [_to_plain(value, _MAX_DEPTH) for value in arguments]
    text = _dump(plain)
    if len(text) <= MAX_ARGUMENTS_BYTES // 4 or len(text.encode()) <= MAX_ARGUMENTS_BYTES:
        return text
    room = MAX_ARGUMENTS_BYTES - 2
    parts: list[str] = []
    for index, value in enumerate(plain):
        left = len(plain) - index
        share = room // left - 1
        part = _dump(value)
        if len(part.encode()) > share:
            shown = value if isinstance(value, str) else part
            part = _cut_json(shown, share)
        if len(part.encode()) > share:
            break
        parts.append(part)
        room -= len(part.encode()) + 1
    return f"[{','.join(parts)}]"


def _cut_json(text: str, size: int) -> str:
    """Return ``text`` as a JSON string of at most ``size`` bytes, its end cut off."""
    keep = max(size - 2 - len(_CUT.encode()), 0)
    while True:
        part = _dump(text[:keep] + _CUT)
        over = len(part.encode()) - size
        if over <= 0 or keep == 0:
            return part
        keep = max(keep - max(over // 4, 1), 0)


def _dump(value: object) -> str:
    return (
        json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        .encode("utf-8", "replace")
        .decode()
    )


def _to_plain(value: Value, depth: int) -> object:  # noqa: PLR0911 - one return a type
    """Return a value of a snapshot as what ``json`` writes: numbers stay numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has no NaN
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, bytes):
        return repr(value)
    if isinstance(value, Opaque):
        return f"<{value.type_name}>"
    if isinstance(value, Clipped):
        return _clip_to_plain(value, depth)
    if isinstance(value, CodeRef):
        return f"<{value.qualified_name} {value.file_path}:{value.line_number}>"
    if isinstance(value, SocketRef):
        return f"<{value.type_name} family={value.family} type={value.kind} proto={value.protocol}>"
    if depth == 0:
        return _CUT
    if isinstance(value, dict):
        return {key: _to_plain(one, depth - 1) for key, one in value.items()}
    return [_to_plain(one, depth - 1) for one in value]


def _clip_to_plain(value: Clipped, depth: int) -> object:
    head = value.head
    if isinstance(head, str):
        return f"{head}{_CUT}"
    if isinstance(head, bytes):
        return f"{head!r}{_CUT}"
    if isinstance(head, dict):
        plain = _to_plain(head, depth)
        return {**plain, _CUT: value.length} if isinstance(plain, dict) else plain
    if isinstance(head, tuple):
        plain = _to_plain(head, depth)
        return [*plain, _CUT] if isinstance(plain, list) else plain
    return _CUT
