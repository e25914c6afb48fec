"""An audit event under the hook of nogi 0.2.0 after it was disabled."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import time_event
from benchmarks.nogi_peer import make_nogi


def measure() -> Measured:
    """Raise events that the hook returns from; its ``stop`` would hang, so it is only told."""
    peer = make_nogi()
    peer.start(None, None)
    peer.running = False
    return time_event()


CASE = Case("event", 7, "nogi 0.2.0, disabled", measure)
