"""Carrier ``span_events``: an audit event becomes an event of the span in which it happened.

The mapping is the specification's "event to span event bridge" (``specification/logs/sdk.md``):
same name, same time, all attributes. It happens at the end of the span, on the thread that ends
it: ``SpanProcessor._on_ending`` runs outside every lock of the SDK and before the exported copy
is made (SDK 1.40 and later), so an event that happened in a span of 2 ms is on it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, SpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import get_tracer_provider

from nogi_otel.carriers.attributes import DROPPED_EVENT_NAME, EventNames, build_attributes
from nogi_otel.provenance import comes_again

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from nogi_otel.capture import CaptureCore, RawEvent, SpanNotes
    from nogi_otel.record import AuditRecord

logger = logging.getLogger("nogi_otel")
_names = EventNames()


class SpanEventCarrier(SpanProcessor):
    """Stands in for the processor of one span: puts what the hook noted on it when it ends."""

    __slots__ = ("_core", "_original", "_refine")

    def __init__(
        self,
        original: Any,
        core: CaptureCore,
        refine: Callable[[RawEvent], AuditRecord | None],
    ) -> None:
        """Stand in for ``original``; ``refine`` returns None for what must not be shown.

        Called by the hook: nothing here may lock, log or call the SDK.
        """
        self._original = original
        self._core = core
        self._refine = refine

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand on; a span has started long before it has a note."""
        self._original.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on the exported copy, which has the events."""
        self._original.on_end(span)

    def _on_ending(self, span: Span) -> None:
        """Merge the notes into the span's events, by time."""
        notes = self._core.take_notes(span)
        if notes is not None:
            self._merge(span, notes)
        self._original._on_ending(span)  # noqa: SLF001 - the SDK's own hook, since 1.40

    def _merge(self, span: Span, notes: SpanNotes) -> None:
        try:
            self._append(span, notes)
        except Exception as error:
            # An exception that a signal handler of the application raises here, or that another
            # thread sends to this one, is the application's. One of ours comes again for the
            # same notes; one of the application's does not, and the span is complete after all.
            if not comes_again(error, lambda: self._append(span, notes)):
                raise
            logger.debug("A span's audit events are lost.", exc_info=True)

    def _append(self, span: Span, notes: SpanNotes) -> None:
        records = [record for record in map(self._refine, notes.events) if record is not None]
        limit = max([event.gate.note_limit for event in notes.events], default=0)
        append_events(span, records, notes.left_out, limit)

    def shutdown(self) -> None:
        """Hand on."""
        self._original.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hand on."""
        flushed: bool = self._original.force_flush(timeout_millis)
        return flushed


def find_tracer_provider() -> Any | None:
    """Return the application's SDK ``TracerProvider``, or None where none is configured."""
    provider: Any = get_tracer_provider()
    return provider if hasattr(provider, "add_span_processor") else None


def append_events(
    span: Any,
    records: Sequence[AuditRecord],
    left_out: int,
    limit: int,
) -> None:
    """Merge records into the events of a span that is ending, at most ``limit`` of them.

    No event of the application's is pushed out: the SDK's list drops its oldest, so only the
    places that are free are taken, and the last one tells how many there were more.
    """
    present: Any = span._events  # noqa: SLF001 - add_event refuses an ended span
    maximum = present._dq.maxlen  # noqa: SLF001
    places = limit if maximum is None else max(min(limit, maximum - len(present)), 0)
    over = bool(left_out) or len(records) > places
    kept = records[: max(places - 1, 0)] if over else records
    left_out += len(records) - len(kept)
    events = [
        Event(_names.name_event(one.event), build_attributes(one), one.timestamp_ns) for one in kept
    ]
    if left_out and places:
        end_ns = span._end_time  # noqa: SLF001
        events.append(Event(DROPPED_EVENT_NAME, {"python.audit.dropped.count": left_out}, end_ns))
    merged: Any = BoundedList(maximum)
    merged.dropped = present.dropped + left_out
    merged.extend(sorted([*present, *events], key=lambda event: event.timestamp))
    span._events = merged  # noqa: SLF001
