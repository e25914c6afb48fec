"""An audit event in a process without a hook."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.clock import time_event

CASE = Case("event", 0, "no hook", time_event)
