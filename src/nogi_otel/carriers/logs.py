"""Carrier ``logs``: an audit record becomes an OpenTelemetry log record with an event name."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from nogi_otel.accounts import Shipped
from nogi_otel.carriers.attributes import (
    SCHEMA_URL,
    SCOPE_NAME,
    SEVERITY_NUMBERS,
    EventNames,
    build_attributes,
)
from nogi_otel.carriers.backpressure import Backpressure
from nogi_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nogi_otel.record import AuditRecord

_NO_CONTEXT = Context({"nogi_otel": True})
"""Not empty: an empty ``Context`` is falsy, and the SDK would take the ambient one instead."""


class LogRecords:
    """Builds log records of audit records."""

    def __init__(self) -> None:
        """Begin with no event name."""
        self._names = EventNames()

    def build(self, record: AuditRecord) -> LogRecord:
        """Return the log record of an audit record."""
        return LogRecord(
            timestamp=record.timestamp_ns,
            observed_timestamp=time_ns(),
            context=build_context(record.trace_id, record.span_id, record.trace_flags),
            severity_text=record.severity,
            severity_number=SeverityNumber(SEVERITY_NUMBERS[record.severity]),
            body=record.body,
            attributes=build_attributes(record),
            event_name=self._names.name_event(record.event),
        )


def build_event(
    name: str,
    body: str,
    attributes: Mapping[str, Any],
    timestamp_ns: int,
    severity: str = "INFO",
) -> LogRecord:
    """Return a log record about this package itself: a window opened, closed, or a gap."""
    return LogRecord(
        timestamp=timestamp_ns,
        observed_timestamp=timestamp_ns,
        context=_NO_CONTEXT,
        severity_text=severity,
        severity_number=SeverityNumber(SEVERITY_NUMBERS[severity]),
        body=body,
        attributes=dict(attributes),
        event_name=name,
    )


def build_context(trace_id: int, span_id: int, trace_flags: int) -> Context:
    """Return a context whose current span has these ids."""
    if not trace_id:
        return _NO_CONTEXT
    span_context = SpanContext(
        trace_id, span_id, is_remote=False, trace_flags=TraceFlags(trace_flags)
    )
    return set_span_in_context(NonRecordingSpan(span_context), _NO_CONTEXT)


class ProviderSink:
    """The way out through the application's own ``LoggerProvider``.

    What becomes of a record after it is handed over is the provider's business: it counts as
    exported here.
    """

    name = "provider"
    refused = False

    def __init__(self, provider: Any, processors: Sequence[Any]) -> None:
        """Bind to a provider of the SDK and its processors."""
        self._provider = provider
        self._logger = provider.get_logger(SCOPE_NAME, __version__, SCHEMA_URL)
        self._records = LogRecords()
        self._backpressure = Backpressure(processors)

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Hand the records over; blocks while the provider's queues are half full."""
        exported = 0
        for record in records:
            if not self._backpressure.wait_for_room():
                break
            self._logger.emit(self._records.build(record))
            exported += 1
        return Shipped(exported=exported, failed=len(records) - exported)

    def ship_event(self, event: LogRecord) -> None:
        """Hand over a record about this package itself."""
        if self._backpressure.wait_for_room():
            self._logger.emit(event)

    def flush(self) -> None:
        """Have the provider export what it holds, because somebody waits for it."""
        self._provider.force_flush()

    def close(self) -> None:
        """Leave the provider open: it is the application's."""
        self._backpressure.give_up()


def find_provider() -> Any | None:
    """Return the application's SDK ``LoggerProvider``, or None where none is configured."""
    provider: Any = get_logger_provider()
    return provider if hasattr(provider, "add_log_record_processor") else None
