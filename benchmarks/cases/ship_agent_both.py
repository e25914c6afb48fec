"""nogi_otel's own path as it is by default: logs, and events on the application's spans."""

from __future__ import annotations

from benchmarks.agent_peer import measure_agent
from benchmarks.case import Case

CASE = Case("shipping", 2, "nogi_otel, both", lambda: measure_agent("logs,span_events"))
