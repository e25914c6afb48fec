"""A later window of a process."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.live import time_signal

CASE = Case("signal", 1, "later window", lambda: time_signal(again=True))
