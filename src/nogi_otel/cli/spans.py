"""Spans as they were received, decoded as far as people look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

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

    from nogi_otel.recording.otlp_json import JsonObject

SERVER: Final = 2
CLIENT: Final = 3
"""``Span.SpanKind`` in trace.proto."""


class SpanEvent(NamedTuple):
    """An event of a span, of whatever origin."""

    name: str
    timestamp_ns: int
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; ids in hex, as in ``recording.event.Event``."""

    trace_id: str
    span_id: str
    parent_id: str
    """Empty where the trace begins here."""
    name: str
    kind: int
    start_ns: int
    end_ns: int
    events: tuple[SpanEvent, ...]


def iterate_spans(data: JsonObject) -> Iterator[Span]:
    """Give the spans of one ``TracesData``, in its order.

    Raises:
        RecordingError: the object is not OTLP JSON.
    """
    for resource_spans in as_list(data.get("resourceSpans"), "resourceSpans"):
        for scope_spans in as_list(as_object(resource_spans, "").get("scopeSpans"), "scopeSpans"):
            for item in as_list(as_object(scope_spans, "").get("spans"), "spans"):
                span = as_object(item, "span")
                yield Span(
                    trace_id=decode_id(span.get("traceId") or "").hex(),
                    span_id=decode_id(span.get("spanId") or "").hex(),
                    parent_id=decode_id(span.get("parentSpanId") or "").hex(),
                    name=as_text(span.get("name"), "name"),
                    kind=decode_int(span.get("kind") or 0),
                    start_ns=decode_int(span.get("startTimeUnixNano") or 0),
                    end_ns=decode_int(span.get("endTimeUnixNano") or 0),
                    events=tuple(map(_read_event, as_list(span.get("events"), "events"))),
                )


def _read_event(item: object) -> SpanEvent:
    event = as_object(item, "event")
    return SpanEvent(
        name=as_text(event.get("name"), "name"),
        timestamp_ns=decode_int(event.get("timeUnixNano") or 0),
        attributes=decode_attributes(event.get("attributes")),
    )
