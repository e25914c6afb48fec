"""nogi_otel's own path: logs to an OTLP receiver."""

from __future__ import annotations

from benchmarks.agent_peer import measure_agent
from benchmarks.case import Case

CASE = Case("shipping", 0, "nogi_otel, logs", lambda: measure_agent("logs"))
