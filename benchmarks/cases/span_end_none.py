"""The end of a span: without nogi_otel."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.spans import time_span_end

CASE = Case("span_end", 0, "without nogi_otel", lambda: time_span_end(None))
