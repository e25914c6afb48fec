"""Carrier ``span_events``: an audit event becomes an event of the span in which it happened.

The mapping is the specification's "event to span event bridge" (``specification/logs/sdk.md``):
same name, same time, all attributes. It happens at the end of the span, on the thread that ends
it: ``SpanProcessor._on_ending`` runs outside every lock of the SDK and before the exported copy
is made (SDK 1.40 and later), so an event that happened in a span of 2 ms is on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, SpanProcessor
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import get_tracer_provider

from nogi_otel.carriers.attributes import DROPPED_EVENT_NAME, EventNames, build_attributes
from nogi_otel.provenance import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from nogi_otel.capture import CaptureCore, RawEvent, SpanNotes
    from nogi_otel.record import AuditRecord


class SpanEventProcessor(SpanProcessor):
    """Puts what the hook noted for a span on it when it ends.

    Stays registered once it is: a provider has no way to remove a processor. Without notes, it
    costs one look into the span's ``__dict__``.
    """

    def __init__(
        self,
        core: CaptureCore,
        refine: Callable[[RawEvent], AuditRecord | None],
    ) -> None:
        """Bind to a core; ``refine`` returns None for what must not be shown."""
        self._core = core
        self._refine = refine
        self._names = EventNames()
        self.failures = 0
        """Spans whose audit events were lost to an error of ours."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: notes begin with the first event."""

    def on_end(self, span: ReadableSpan) -> None:
        """Do nothing: the exported copy is made already."""

    def _on_ending(self, span: Span) -> None:
        """Merge the notes into the span's events, by time."""
        notes = self._core.take_notes(span)
        if notes is None:
            return
        try:
            self._append(span, notes)
        except Exception as error:
            # An exception that a signal handler of the application raises here, or that another
            # thread sends to this one, is the application's. One of ours comes again for the
            # same notes; one of the application's does not, and the span is complete after all.
            if not is_own(error) or self._is_passing(span, notes):
                raise
            self.failures += 1

    def _append(self, span: Span, notes: SpanNotes) -> None:
        records = [record for record in map(self._refine, notes.events) if record is not None]
        limit = max([event.gate.note_limit for event in notes.events], default=0)
        append_events(span, records, notes.left_out, limit, self._names)

    def _is_passing(self, span: Span, notes: SpanNotes) -> bool:
        """Do it once more; return whether the error was gone."""
        try:
            self._append(span, notes)
        except Exception:  # noqa: BLE001 - it came again
            return False
        return True

    def shutdown(self) -> None:
        """Hold nothing that needs an end."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have nothing to flush: events leave with their span."""
        del timeout_millis
        return True


def find_tracer_provider() -> Any | None:
    """Return the application's SDK ``TracerProvider``, or None where none is configured."""
    provider: Any = get_tracer_provider()
    return provider if hasattr(provider, "add_span_processor") else None


def append_events(
    span: Any,
    records: Sequence[AuditRecord],
    left_out: int,
    limit: int,
    names: EventNames,
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
        Event(names.name_event(one.event), build_attributes(one), one.timestamp_ns) for one in kept
    ]
    if left_out and places:
        end_ns = span._end_time  # noqa: SLF001
        events.append(Event(DROPPED_EVENT_NAME, {"python.audit.dropped.count": left_out}, end_ns))
    merged: Any = BoundedList(maximum)
    merged.dropped = present.dropped + left_out
    merged.extend(sorted([*present, *events], key=lambda event: event.timestamp))
    span._events = merged  # noqa: SLF001
