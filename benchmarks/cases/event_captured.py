"""An audit event that is captured where no span is current."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import BURST, time_event
from benchmarks.core import open_core


def measure() -> Measured:
    """Raise events outside any span."""
    return time_event(between=open_core().clear, number=BURST)


CASE = Case("event", 3, "Python core, captured, no span", measure)
