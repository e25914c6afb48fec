"""``logging.warning`` in a process without a hook."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.everyday import time_warning

CASE = Case("closed_logging", 0, "no hook", time_warning)
