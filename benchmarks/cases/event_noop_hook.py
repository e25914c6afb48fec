"""An audit event with a hook that does nothing: the floor of any hook written in Python."""

from __future__ import annotations

import sys

from benchmarks.case import Case, Measured
from benchmarks.clock import time_event


def measure() -> Measured:
    """Raise events into an empty function."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        pass

    sys.addaudithook(hook)
    return time_event()


CASE = Case("event", 8, "a Python hook that does nothing", measure)
