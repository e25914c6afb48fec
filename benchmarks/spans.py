"""What the end of a span costs with audit events on it."""

from __future__ import annotations

import gc
from statistics import median
from time import thread_time_ns
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import nogi_otel
from benchmarks.clock import REPEATS, raise_event

if TYPE_CHECKING:
    from benchmarks.case import Measured

SPANS = 500


def time_span_end(events: int | None) -> Measured:
    """Return what ``span.end()`` costs with so many audit events; None: without nogi_otel."""
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    tracer = provider.get_tracer("benchmarks")
    if events is not None:
        nogi_otel.NogiInstrumentor().instrument(events="my-event", emit="span_events", cpu_budget=0)
        nogi_otel.open_gate()
    taken = []
    for _ in range(REPEATS + 1):
        gc.collect()
        spent_ns = 0
        for _ in range(SPANS):
            with tracer.start_as_current_span("request", end_on_exit=False) as span:
                for _ in range(events or 0):
                    raise_event()
            begin = thread_time_ns()
            span.end()
            spent_ns += thread_time_ns() - begin
        if events is not None:
            nogi_otel.flush(60)
        taken.append(spent_ns / SPANS)
    return {"ns": median(taken[1:])}
