"""The event name and the attributes that all carriers share.

The order is the reading order: viewers print attributes as they come and cut the line at the
right, so what a person wants to see first comes first and the bulky arguments come last.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nogi_otel.record import render_arguments

if TYPE_CHECKING:
    from nogi_otel.capture.values import CodeRef
    from nogi_otel.catalogue.entry import AttributeValue
    from nogi_otel.record import AuditRecord

SCOPE_NAME = "nogi_otel"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
EVENT_NAME_PREFIX = "python.audit."
OTHER_EVENT_NAME = "python.audit.other"
DROPPED_EVENT_NAME = "python.audit.dropped"
THROTTLED_EVENT_NAME = "nogi.window.throttled"
WINDOW_OPENED_EVENT_NAME = "nogi.window.opened"
WINDOW_CLOSED_EVENT_NAME = "nogi.window.closed"
SEVERITY_NUMBERS = {"INFO": 9, "WARN": 13}
"""OpenTelemetry's logs data model, field SeverityNumber."""
MAX_CUSTOM_NAMES = 256
MAX_VALUE_BYTES = 1024


class EventNames:
    """The names given to events: bounded, because a backend keeps an index of them.

    The specification wants few names without dynamic parts; an application may raise
    ``sys.audit(f"order.{order_id}")``. Beyond ``MAX_CUSTOM_NAMES`` distinct names the record is
    called ``python.audit.other``, and ``python.audit.event`` still tells the name.
    """

    def __init__(self) -> None:
        """Begin with no name."""
        self._names: dict[str, str] = {}

    def name_event(self, event: str) -> str:
        """Return the OpenTelemetry event name of an audit event."""
        name = self._names.get(event)
        if name is None:
            if len(self._names) >= MAX_CUSTOM_NAMES:
                return OTHER_EVENT_NAME
            name = self._names[event] = EVENT_NAME_PREFIX + clean_text(event)
        return name


def build_attributes(record: AuditRecord) -> dict[str, AttributeValue]:
    """Return the attributes of one record, in reading order."""
    attributes: dict[str, AttributeValue] = dict(record.attributes)
    if record.frames:
        first = record.frames[0]
        if "code.file.path" not in attributes and "code.function.name" not in attributes:
            # An event about code, such as exec, names that code; its caller is in the stack.
            attributes["code.file.path"] = clean_text(first.file_path)
            attributes["code.line.number"] = first.line_number
            attributes["code.function.name"] = clean_text(first.qualified_name)
        if len(record.frames) > 1:
            attributes["code.stacktrace"] = render_stack(record.frames)
        if record.stack_id:
            attributes["nogi.stack.id"] = record.stack_id
    attributes["thread.id"] = record.thread_id
    if record.thread_name:
        attributes["thread.name"] = clean_text(record.thread_name)
    attributes["process.pid"] = os.getpid()
    attributes["nogi.window.id"] = record.window_id
    if record.rules:
        attributes["nogi.redaction.rules"] = record.rules
    attributes["python.audit.event"] = clean_text(record.event)
    attributes["python.audit.args"] = render_arguments(record.arguments)
    return attributes


def clean_text(text: str) -> str:
    """Return text that protobuf can encode: no lone surrogates, at most ``MAX_VALUE_BYTES``."""
    if len(text) <= MAX_VALUE_BYTES // 4 and text.isascii():
        return text
    encoded = text[:MAX_VALUE_BYTES].encode("utf-8", "replace")
    return encoded[:MAX_VALUE_BYTES].decode("utf-8", "ignore")


def render_stack(frames: tuple[CodeRef, ...]) -> str:
    """Return frames in the form of a Python traceback, innermost last, cut at the outer end."""
    lines: list[str] = []
    size = 0
    for frame in frames:
        line = f'  File "{frame.file_path}", line {frame.line_number}, in {frame.qualified_name}'
        size += len(line.encode("utf-8", "replace")) + 1
        if size > MAX_VALUE_BYTES:
            break
        lines.append(line)
    return clean_text("\n".join(reversed(lines)))
