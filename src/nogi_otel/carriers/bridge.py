"""``EventToSpanEventBridge``: a log record processor for people who configure the SDK by hand.

OpenTelemetry specification 1.60, ``logs/sdk.md``, "Event to span event bridge" (Development): an
event, which is a log record with an event name, is also added to the span it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadWriteLogRecord


class EventToSpanEventBridge(LogRecordProcessor):
    """Adds an event to the current span, if and only if all four conditions hold.

    The record has an event name; it has a valid trace id and span id; the span in its context is
    recording; and the ids are that span's. The record itself goes on to the other processors.
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Add the event where the conditions hold: same name, same time, all attributes."""
        record = log_record.log_record
        if not record.event_name or not record.trace_id or not record.span_id:
            return
        span = get_current_span(record.context)
        context = span.get_span_context()
        if not span.is_recording() or not context.is_valid:
            return
        if (context.trace_id, context.span_id) != (record.trace_id, record.span_id):
            return
        timestamp_ns = record.timestamp or record.observed_timestamp
        span.add_event(record.event_name, dict(record.attributes or {}), timestamp_ns)

    def shutdown(self) -> None:
        """Hold nothing that needs an end."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have nothing to flush."""
        del timeout_millis
        return True
