"""Whose spans carry events: those of every provider, whenever it came, through any processor."""

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


@pytest.mark.parametrize("processor", ["simple", "batch", "concurrent", "late"])
def test_every_kind_of_processor_sees_them(start_child: Callable[..., Any], processor: str) -> None:
    """Simple, batch and concurrent processors, before and after us: all export the events."""
    source = (
        PRELUDE
        + """
kind = sys.argv[1]
provider = sdk.TracerProvider(
    active_span_processor=sdk.ConcurrentMultiSpanProcessor(3) if kind == "concurrent" else None
)
configure(provider, BatchSpanProcessor if kind in {"batch", "late"} else SimpleSpanProcessor)
instrument()
nogi_otel.open_gate()
second = InMemorySpanExporter()
if kind == "late":
    provider.add_span_processor(SimpleSpanProcessor(second))
for number in range(20):
    with tracer.start_as_current_span(f"request {number}"):
        sys.audit("app.event", number)
        with tracer.start_as_current_span(f"inner {number}"):
            sys.audit("app.inner", number)
provider.force_flush()
answer(late=[names(span) for span in second.get_finished_spans()], spans=finished())
os._exit(0)
"""
    )
    child = start_child(source, processor)
    told = child.read_json()
    assert child.finish() == 0
    assert len(told["spans"]) == 40
    for name, events in told["spans"].items():
        assert events == ["app.inner" if name.startswith("inner") else "app.event"]
    if processor == "late":
        assert told["late"] == [["app.inner"], ["app.event"]] * 20


@pytest.mark.parametrize("when", ["after arming", "after opening", "after a first window"])
def test_a_provider_may_come_late(start_child: Callable[..., Any], when: str) -> None:
    """The application sets its provider after us: its spans carry events all the same."""
    source = (
        PRELUDE
        + """
when = sys.argv[1]
instrument(emit="logs,span_events", pipeline="provider", recording=os.devnull)
if when == "after a first window":
    nogi_otel.open_gate()
    sys.audit("app.nowhere")
    nogi_otel.close_gate()
elif when == "after opening":
    nogi_otel.open_gate()
configure()
nogi_otel.open_gate()
with tracer.start_as_current_span("request"):
    sys.audit("app.event")
answer(spans=finished())
"""
    )
    child = start_child(source, when)
    assert child.read_json()["spans"] == {"request": ["app.event"]}
    assert child.finish() == 0


def test_two_providers(start_child: Callable[..., Any]) -> None:
    """Spans of a second provider, which is not the global one, carry their events too."""
    source = (
        PRELUDE
        + """
configure()
second = sdk.TracerProvider()
second.add_span_processor(SimpleSpanProcessor(exporter))
instrument()
accounts = []
for _ in range(2):
    nogi_otel.open_gate()
    with tracer.start_as_current_span("first"):
        sys.audit("app.event", 1)
    with second.get_tracer("test").start_as_current_span("second"):
        sys.audit("app.event", 2)
    accounts.append(nogi_otel.close_gate())
    answer(spans=finished(), exported=accounts[-1]["exported"],
           not_carried=accounts[-1]["not_carried"])
"""
    )
    child = start_child(source)
    for _ in range(2):
        told = child.read_json()
        assert told["spans"] == {"first": ["app.event"], "second": ["app.event"]}
        assert (told["exported"], told["not_carried"]) == (2, 0)
    assert child.finish() == 0


def test_arming_again_doubles_nothing(start_child: Callable[..., Any]) -> None:
    """After ``uninstrument`` spans carry nothing; armed again, they carry each event once."""
    source = (
        PRELUDE
        + """
configure()

def request(name):
    with tracer.start_as_current_span(name):
        sys.audit("app.event")

for round in range(3):
    instrument()
    nogi_otel.open_gate()
    request(f"armed {round}")
    open_span = tracer.start_span(f"open {round}")
    with trace.use_span(open_span):
        sys.audit("app.event")
    nogi_otel.NogiInstrumentor().uninstrument()
    open_span.end()
    request(f"released {round}")
answer(spans=finished(), processors=len(
    trace.get_tracer_provider()._active_span_processor._span_processors))
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0
    assert child.errors == "", child.errors
    for round_number in range(3):
        assert told["spans"][f"armed {round_number}"] == ["app.event"]
        assert told["spans"][f"released {round_number}"] == []
    assert told["processors"] == 1  # the application's own: nothing was added to the provider
