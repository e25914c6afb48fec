"""The end of a span: 0 audit events on it."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.spans import time_span_end

CASE = Case("span_end", 1, "0 audit events on it", lambda: time_span_end(0))
