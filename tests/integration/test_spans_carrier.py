"""The carrier ``spans``: audit events as child spans of no duration, for backends without logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = """
import json, sys
from opentelemetry import trace
import nogi_otel

tracer = trace.get_tracer("test")
nogi_otel.open_gate()
with tracer.start_as_current_span("request") as span:
    for number in range(100):
        sys.audit("app.event", number)
sys.audit("app.event", 100)
accounts = nogi_otel.close_gate(20)
print(json.dumps(accounts), flush=True)
"""


@pytest.mark.parametrize("sampler", ["always_on", "always_off"])
def test_every_event_becomes_a_span(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Any,
    sampler: str,
) -> None:
    """Each event is a child of the span it was raised in, beyond the budget of span events too."""
    child = start_child(
        SOURCE,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EMIT": "spans",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_TRACES_SAMPLER": sampler,
        },
        instrumented=True,
    )
    accounts = child.read_json()
    assert child.finish() == 0, child.errors
    assert accounts["seen"] - accounts["filtered"] == 101
    spans = [span for span in collected.spans if span["name"] == "python.audit.app.event"]
    if sampler == "always_off":
        assert collected.spans == []
        assert accounts["export_failed"] == 101
        return
    assert accounts["exported"] == len(spans) == 101
    (request,) = [span for span in collected.spans if span["name"] == "request"]
    assert request["events"] == []
    inside = [span for span in spans if span.get("parentSpanId") == request["spanId"]]
    assert sorted(span["attributes"]["python.audit.arg.0"] for span in inside) == list(range(100))
    assert {span["traceId"] for span in inside} == {request["traceId"]}
    assert all(span["startTimeUnixNano"] == span["endTimeUnixNano"] for span in spans)
    (orphan,) = [span for span in spans if span not in inside]
    assert not orphan.get("parentSpanId")
    assert collected.audit_logs() == []
