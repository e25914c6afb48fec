"""The budget of a span: its own events first, then audit events, and the rest is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


PRELUDE = """
import json, logging, os, signal, sys, threading, time
import nogi_otel
from opentelemetry import context as context_api, trace
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logging.basicConfig(format="%(levelname)s %(message)s")
exporter = InMemorySpanExporter()

def answer(**values):
    print(json.dumps(values), flush=True)

def configure(provider=None, processor=SimpleSpanProcessor):
    provider = provider or sdk.TracerProvider()
    provider.add_span_processor(processor(exporter))
    trace.set_tracer_provider(provider)
    return provider

def instrument(**settings):
    nogi_otel.NogiInstrumentor().instrument(
        **{"emit": "span_events", "events": "app.*", "cpu_budget": 0, **settings}
    )

def names(span):
    return [event.name.removeprefix("python.audit.") for event in span.events]

def finished():
    spans = {span.name: names(span) for span in exporter.get_finished_spans()}
    exporter.clear()
    return spans

tracer = trace.get_tracer("test")
"""


@pytest.mark.parametrize("count_limit", [0, 4, 8, 128])
def test_events_of_the_application_are_never_pushed_out(
    start_child: Callable[..., Any], count_limit: int
) -> None:
    """500 audit events leave the application's as they are without us; the rest is counted."""
    source = (
        PRELUDE
        + """
configure()

def request(own):
    try:
        with tracer.start_as_current_span("request") as span:
            for number in range(500):
                sys.audit("app.event", number)
                if number < own:
                    span.add_event(f"own {number}")
            raise KeyError("wrong")
    except KeyError:
        pass
    (span,) = exporter.get_finished_spans()
    exporter.clear()
    return span

for limit in (0, 1, 2, 64):
    instrument(span_event_limit=limit)
    for own in (0, 3, 100):
        without = request(own)
        nogi_otel.open_gate()
        with_us = request(own)
        nogi_otel.close_gate()
        times = [event.timestamp for event in with_us.events]
        others = {"python.audit.app.event", "python.audit.dropped"}
        answer(
            limit=limit,
            without=names(without),
            own=[event.name for event in with_us.events if event.name not in others],
            audit=[event.attributes["python.audit.arg.0"] for event in with_us.events
                   if event.name == "python.audit.app.event"],
            gaps=[event.attributes["python.audit.dropped.count"] for event in with_us.events
                  if event.name == "python.audit.dropped"],
            last=with_us.events[-1].name if with_us.events else None,
            dropped=with_us.dropped_events - without.dropped_events,
            sorted=sorted(times) == times,
        )
    nogi_otel.NogiInstrumentor().uninstrument()
"""
    )
    child = start_child(source, environment={"OTEL_SPAN_EVENT_COUNT_LIMIT": str(count_limit)})
    for told in (child.read_json() for _ in range(12)):
        own = told["own"]
        assert own == told["without"]
        assert count_limit == 0 or "exception" in own
        assert told["sorted"]
        assert len(own) + len(told["audit"]) + len(told["gaps"]) <= count_limit
        kept, free = len(told["audit"]), count_limit - len(own)
        assert told["audit"] == list(range(kept)), "the first ones are kept"
        places = min(told["limit"], free)
        assert kept == max(places - 1, 0)
        if told["limit"]:
            assert told["dropped"] == 500 - kept
            assert told["gaps"] == ([500 - kept] if places else [])
            assert not places or told["last"] == "python.audit.dropped"
        else:
            assert (told["gaps"], told["dropped"]) == ([], 0)
    assert child.finish() == 0
    assert child.errors == "", child.errors


def test_a_budget_that_suffices_leaves_nothing_out(start_child: Callable[..., Any]) -> None:
    """Exactly as many events as the budget allows: all are there, nothing is said to be missing."""
    source = (
        PRELUDE
        + """
provider = sdk.TracerProvider(span_limits=sdk.SpanLimits(max_events=sdk.SpanLimits.UNSET))
configure(provider)
instrument(span_event_limit=200)
nogi_otel.open_gate()
with tracer.start_as_current_span("request"):
    for number in range(200):
        sys.audit("app.event", number)
(span,) = exporter.get_finished_spans()
answer(names=sorted(set(names(span))), count=len(span.events), dropped=span.dropped_events)
"""
    )
    child = start_child(source)
    assert child.read_json() == {"names": ["app.event"], "count": 200, "dropped": 0}
    assert child.finish() == 0


def test_a_window_of_few_events_puts_few_on_spans(start_child: Callable[..., Any]) -> None:
    """MAX_EVENTS=10 with 500 events in one span: accounts and span agree about what was let in."""
    source = (
        PRELUDE
        + """
configure()
instrument(emit="logs,span_events", recording=os.devnull, pipeline="provider", max_events=10)
nogi_otel.open_gate()
with tracer.start_as_current_span("request"):
    for number in range(500):
        sys.audit("app.event", number)
nogi_otel.flush()
answer(events=finished()["request"].count("app.event"),
       window=nogi_otel.status()["window"])
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0
    assert told["window"]["closed_by"] == "max_events"
    assert told["window"]["accounts"]["exported"] == 10
    assert told["events"] <= 10
