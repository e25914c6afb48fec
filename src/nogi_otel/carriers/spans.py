"""Carrier ``spans``: an audit event becomes a child span of no duration.

For backends that take traces only, and for more events than the budget of span events allows. The
parent is the span that was current where the event was raised; whether that one was sampled
decides, with the default sampler, about the child. An event outside of any span becomes a root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nogi_otel.carriers.attributes import (
    SCHEMA_URL,
    SCOPE_NAME,
    EventNames,
    build_attributes,
)
from nogi_otel.carriers.backpressure import Backpressure
from nogi_otel.carriers.logs import build_context
from nogi_otel.carriers.span_events import find_tracer_provider
from nogi_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogi_otel.record import AuditRecord


class SpanSink:
    """Makes spans with the application's own ``TracerProvider``."""

    def __init__(self, provider: Any) -> None:
        """Bind to a provider of the SDK."""
        self._provider = provider
        self._tracer = provider.get_tracer(SCOPE_NAME, __version__, SCHEMA_URL)
        self._names = EventNames()
        active = getattr(provider, "_active_span_processor", None)
        self._backpressure = Backpressure(getattr(active, "_span_processors", ()))

    def ship(self, records: Sequence[AuditRecord]) -> int:
        """Start and end a span for each record; return how many of them were sampled.

        Blocks while the provider's queues are half full.
        """
        sampled = 0
        for record in records:
            if not self._backpressure.wait_for_room():
                break
            span = self._tracer.start_span(
                self._names.name_event(record.event),
                context=build_context(record.trace_id, record.span_id, record.trace_flags),
                attributes=build_attributes(record),
                start_time=record.timestamp_ns,
            )
            sampled += span.is_recording()
            span.end(record.timestamp_ns)
        return sampled

    def flush(self) -> None:
        """Have the provider export what it holds, because somebody waits for it."""
        self._provider.force_flush()

    def close(self) -> None:
        """Leave the provider open: it is the application's."""
        self._backpressure.give_up()


def open_span_sink() -> SpanSink | None:
    """Return a sink on the application's provider, or None where none is configured."""
    provider = find_tracer_provider()
    return SpanSink(provider) if provider is not None else None
