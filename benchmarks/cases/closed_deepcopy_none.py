"""``copy.deepcopy`` in a process without a hook."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.everyday import time_deepcopy

CASE = Case("closed_deepcopy", 0, "no hook", time_deepcopy)
