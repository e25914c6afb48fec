"""An audit event that the selection leaves out."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import time_event
from benchmarks.core import open_core


def measure() -> Measured:
    """Raise events that are decided and counted, and not captured."""
    open_core(selects=False)
    return time_event()


CASE = Case("event", 2, "Python core, filtered", measure)
