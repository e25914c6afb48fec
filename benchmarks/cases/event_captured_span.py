"""An audit event that is captured under a current span."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import BURST, time_event
from benchmarks.core import current_span, open_core


def measure() -> Measured:
    """Raise events under a recording span that takes no notes."""
    core = open_core()
    with current_span():
        return time_event(between=core.clear, number=BURST)


CASE = Case("event", 4, "Python core, captured, current span", measure)
