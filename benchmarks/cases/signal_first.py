"""The first window of a process: core, drain and exporter are made for it."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.live import time_signal

CASE = Case("signal", 0, "first window", lambda: time_signal(again=False))
