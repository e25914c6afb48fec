"""``logging.warning`` behind a closed gate."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.core import make_core
from benchmarks.everyday import time_warning


def measure() -> Measured:
    """Log with the hook installed and the gate closed."""
    make_core()
    return time_warning()


CASE = Case("closed_logging", 1, "Python core, gate closed", measure)
