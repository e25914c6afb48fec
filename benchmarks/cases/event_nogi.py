"""An audit event under the hook of nogi 0.2.0, its publisher's thread at work."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import time_event
from benchmarks.nogi_peer import start_nogi


def measure() -> Measured:
    """Raise events in bursts, its queue emptied in between."""
    return time_event(between=start_nogi(), number=5000)


CASE = Case("event", 6, "nogi 0.2.0, enabled", measure)
