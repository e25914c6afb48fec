"""An audit event behind a closed gate: what every process pays once a window was opened."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import time_event
from benchmarks.core import make_core


def measure() -> Measured:
    """Raise events with the hook installed and the gate closed."""
    make_core()
    return time_event()


CASE = Case("event", 1, "Python core, gate closed", measure)
