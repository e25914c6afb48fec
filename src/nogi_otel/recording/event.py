"""The event that people see: an audit event, or a step in the life of a window, decoded.

Made from the JSON form of OTLP (``recording.otlp_json``), of a log record or of a span event, so
that what arrives live and what is read from a recording take the same way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from nogi_otel.recording.otlp_json import (
    as_list,
    as_object,
    as_text,
    decode_attributes,
    decode_id,
    decode_int,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nogi_otel.recording.otlp_json import JsonObject, Signal

Source: TypeAlias = Literal["log", "span_event"]

AUDIT_PREFIX: Final = "python.audit."
LIFECYCLE_PREFIX: Final = "nogi."
GAP_NAME: Final = "python.audit.dropped"
EVENT_KEY: Final = "python.audit.event"
ARGUMENTS_KEY: Final = "python.audit.args"

_SEVERITIES: Final = ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITIES_A_NAME: Final = 4
_MAX_ARGUMENT_DEPTH: Final = 32
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Event:
    """One audit event or lifecycle record, as it was received; compares by value."""

    name: str
    """The audit event's own name, ``socket.connect``; a lifecycle record's name in full."""
    timestamp_ns: int
    """Nanoseconds since the epoch; 0 where the sender gave none."""
    trace_id: str
    """32 hex digits, or empty where no span was current."""
    span_id: str
    """16 hex digits, or empty where no span was current."""
    body: str
    """One display line; empty on a span event."""
    severity: str
    """``INFO``, ``WARN`` ...; empty on a span event."""
    attributes: Mapping[str, object]
    resource: Mapping[str, object]
    source: Source
    is_audit: bool
    """False for ``nogi.window.opened``, ``nogi.window.closed`` and ``python.audit.dropped``."""

    @property
    def arguments(self) -> tuple[object, ...] | None:
        """The arguments as far as JSON can tell, arrays as tuples; None where they were cut."""
        try:
            arguments = _freeze(json.loads(self.arguments_text))
        except (ValueError, RecursionError):
            return None
        return arguments if isinstance(arguments, tuple) else None

    @property
    def arguments_text(self) -> str:
        """The arguments as they were sent, in JSON unless they had to be cut."""
        text = self.attributes.get(ARGUMENTS_KEY)
        return text if isinstance(text, str) else ""

    @property
    def service_name(self) -> str:
        """The resource's ``service.name``; empty where the sender gave none."""
        name = self.resource.get("service.name")
        return name if isinstance(name, str) else ""

    @property
    def process_id(self) -> int | None:
        """The pid of the process that raised the event: its own first, then the resource's."""
        for attributes in (self.attributes, self.resource):
            pid = attributes.get("process.pid")
            if isinstance(pid, int):
                return pid
        return None

    @property
    def thread_name(self) -> str:
        """The name of the thread that raised the event; empty where the sender gave none."""
        name = self.attributes.get("thread.name")
        return name if isinstance(name, str) else ""


def iterate_events(signal: Signal, data: JsonObject) -> Iterator[Event]:
    """Give the events in one line's or one request's object, in its order; skip all other records.

    Log records are events of source ``log``, the events of spans of source ``span_event``; metrics
    have none.

    Raises:
        RecordingError: the object is not OTLP JSON.
    """
    if signal == "logs":
        return _iterate_log_records(data)
    if signal == "traces":
        return _iterate_span_events(data)
    return iter(())


def _iterate_log_records(data: JsonObject) -> Iterator[Event]:
    for resource_logs in _objects(data, "resourceLogs"):
        resource = _read_resource(resource_logs)
        for scope_logs in _objects(resource_logs, "scopeLogs"):
            for record in _objects(scope_logs, "logRecords"):
                # Some backends and old Collectors lose the field, so the attribute is asked too.
                name = as_text(record.get("eventName"), "eventName")
                if name and not name.startswith((AUDIT_PREFIX, LIFECYCLE_PREFIX)):
                    continue
                attributes = decode_attributes(record.get("attributes"))
                if not name and EVENT_KEY not in attributes:
                    continue
                body = as_object(record.get("body"), "body").get("stringValue")
                time = record.get("timeUnixNano") or record.get("observedTimeUnixNano") or 0
                trace_id, span_id = _read_ids(record)
                yield _build_event(
                    name,
                    attributes,
                    timestamp_ns=decode_int(time),
                    trace_id=trace_id,
                    span_id=span_id,
                    body=as_text(body, "stringValue"),
                    severity=_read_severity(record),
                    resource=resource,
                    source="log",
                )


def _iterate_span_events(data: JsonObject) -> Iterator[Event]:
    for resource_spans in _objects(data, "resourceSpans"):
        resource = _read_resource(resource_spans)
        for scope_spans in _objects(resource_spans, "scopeSpans"):
            for span in _objects(scope_spans, "spans"):
                for span_event in _objects(span, "events"):
                    name = as_text(span_event.get("name"), "name")
                    if not name.startswith((AUDIT_PREFIX, LIFECYCLE_PREFIX)):
                        continue
                    trace_id, span_id = _read_ids(span)
                    yield _build_event(
                        name,
                        decode_attributes(span_event.get("attributes")),
                        timestamp_ns=decode_int(span_event.get("timeUnixNano") or 0),
                        trace_id=trace_id,
                        span_id=span_id,
                        body="",
                        severity="",
                        resource=resource,
                        source="span_event",
                    )


def _build_event(record_name: str, attributes: dict[str, object], **fields: Any) -> Event:
    verbatim = attributes.get(EVENT_KEY)
    if isinstance(verbatim, str):
        # An application may well raise an audit event called "dropped": then this attribute is set.
        return Event(name=verbatim, attributes=attributes, is_audit=True, **fields)
    if record_name.startswith(LIFECYCLE_PREFIX) or record_name == GAP_NAME:
        return Event(name=record_name, attributes=attributes, is_audit=False, **fields)
    name = record_name.removeprefix(AUDIT_PREFIX)
    return Event(name=name, attributes=attributes, is_audit=True, **fields)


def _objects(parent: JsonObject, key: str) -> Iterator[JsonObject]:
    for item in as_list(parent.get(key), key):
        yield as_object(item, key)


def _read_resource(parent: JsonObject) -> dict[str, object]:
    return decode_attributes(as_object(parent.get("resource"), "resource").get("attributes"))


def _read_ids(record: JsonObject) -> tuple[str, str]:
    """Read both ids; one that is not valid counts as absent (logs.proto, ``trace_id``)."""
    trace_id = decode_id(record.get("traceId") or "")
    span_id = decode_id(record.get("spanId") or "")
    if len(trace_id) != _TRACE_ID_BYTES or not any(trace_id):
        return "", ""
    if len(span_id) != _SPAN_ID_BYTES or not any(span_id):
        return trace_id.hex(), ""
    return trace_id.hex(), span_id.hex()


def _read_severity(record: JsonObject) -> str:
    text = as_text(record.get("severityText"), "severityText")
    if text:
        return text
    number = decode_int(record.get("severityNumber") or 0)
    index = (number + _SEVERITIES_A_NAME - 1) // _SEVERITIES_A_NAME
    return _SEVERITIES[index] if 0 <= index < len(_SEVERITIES) else ""


def _freeze(value: object, depth: int = _MAX_ARGUMENT_DEPTH) -> object:
    if depth == 0 and isinstance(value, list | dict):
        raise ValueError(f"arguments are nested more than {_MAX_ARGUMENT_DEPTH} times")
    if isinstance(value, list):
        return tuple(_freeze(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return {key: _freeze(item, depth - 1) for key, item in value.items()}
    return value
