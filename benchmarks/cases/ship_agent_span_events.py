"""nogi_otel's own path: events on the application's spans."""

from __future__ import annotations

from benchmarks.agent_peer import measure_agent
from benchmarks.case import Case

CASE = Case("shipping", 1, "nogi_otel, span events", lambda: measure_agent("span_events"))
