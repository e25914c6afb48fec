"""The path of nogi 0.2.0: text on a ZeroMQ publisher."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.clock import time_shipping
from benchmarks.nogi_peer import start_nogi


def measure() -> Measured:
    """Raise bursts with no span; wait for its thread to have published them."""
    ship = start_nogi()
    return time_shipping(lambda: lambda: None, ship)


CASE = Case("shipping", 3, "nogi 0.2.0", measure)
