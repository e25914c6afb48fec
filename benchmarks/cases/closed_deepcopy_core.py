"""``copy.deepcopy`` behind a closed gate: it raises an event for every object, ``builtins.id``."""

from __future__ import annotations

from benchmarks.case import Case, Measured
from benchmarks.core import make_core
from benchmarks.everyday import time_deepcopy


def measure() -> Measured:
    """Copy with the hook installed and the gate closed."""
    make_core()
    return time_deepcopy()


CASE = Case("closed_deepcopy", 1, "Python core, gate closed", measure)
