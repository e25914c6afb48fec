"""An audit event that is captured under a current span and noted on it."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import EVENTS, time_event
from benchmarks.core import current_span, open_core


def measure() -> Measured:
    """Raise events under a recording span that keeps a note of every one."""
    core = open_core(note_limit=EVENTS)
    with current_span() as span:

        def clear() -> None:
            core.clear()
            core.take_notes(span)

        return time_event(between=clear)


CASE = Case("event", 5, "Python core, captured, noted on its span", measure)
