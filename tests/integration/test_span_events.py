"""Audit events on spans: all of them, on the right one, at the right time."""

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


def test_short_spans_have_their_events(start_child: Callable[..., Any]) -> None:
    """1000 spans that end at once: each carries exactly its own events, before it is exported."""
    source = (
        PRELUDE
        + """
configure()
instrument(excluded_events="app.not", events="app.*,open")
nogi_otel.open_gate()
wrong = []
for number in range(1000):
    with tracer.start_as_current_span("short"):
        sys.audit("app.first", number)
        sys.audit("app.not", number)
        open(os.devnull).close()
        sys.audit("app.last", number)
    (span,) = exporter.get_finished_spans()
    exporter.clear()
    numbers = [event.attributes.get("python.audit.arg.0", event.attributes.get("file.path"))
               for event in span.events]
    if names(span) != ["app.first", "open", "app.last"] or numbers != [number, "/dev/null", number]:
        wrong.append([names(span), numbers])
answer(wrong=wrong)
"""
    )
    child = start_child(source)
    assert child.read_json() == {"wrong": []}
    assert child.finish() == 0
    assert child.errors == "", child.errors


@pytest.mark.parametrize("code", ["none", "stack"])
def test_a_span_event_equals_its_log_record(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any, code: str
) -> None:
    """Same name, same time, same attributes in the same order; in time with the own events."""
    source = """
    import os, socket, subprocess, sys
    from opentelemetry import trace

    def handle(span):
        sys.audit("app.event", 1, 2.5, None, True, "text", b"bytes", ["list", {"key": "value"}])
        span.add_event("own")
        open(os.devnull, "w").close()
        subprocess.run([sys.executable, "-S", "-c", ""], env={})
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
        span.add_event("own")
        sys.audit("app.\\u00e9v\\n\\x00ent", "\\udcff", b"\\xff", "x" * 5000)

    with trace.get_tracer("test").start_as_current_span("request") as span:
        handle(span)
    """
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_START": "open",
            "OTEL_PYTHON_NOGI_CODE": code,
        },
        instrumented=True,
    )
    assert child.finish() == 0, child.errors
    (span,) = collected.spans
    logs = [record for record in collected.audit_logs() if record.get("spanId") == span["spanId"]]
    events = [event for event in span["events"] if event["name"] != "own"]
    assert len(logs) >= 6
    # Of log records only the first with a stack tells it; the others have its id.
    told: dict[str, str] = {}
    for record in logs:
        if "nogi.stack.id" in record["attributes"]:
            items = list(record["attributes"].items())
            key = record["attributes"]["nogi.stack.id"]
            stack = told.setdefault(key, record["attributes"].get("code.stacktrace", ""))
            place = [name for name, _ in items].index("code.function.name") + 1
            if "code.stacktrace" not in record["attributes"]:
                items.insert(place, ("code.stacktrace", stack))
            record["attributes"] = dict(items)
    assert [
        (event["name"], event["timeUnixNano"], list(event["attributes"].items()))
        for event in events
    ] == [
        (record["eventName"], record["timeUnixNano"], list(record["attributes"].items()))
        for record in logs
    ]
    assert all(record["traceId"] == span["traceId"] for record in logs)
    times = [int(event["timeUnixNano"]) for event in span["events"]]
    assert times == sorted(times)
    own = [index for index, event in enumerate(span["events"]) if event["name"] == "own"]
    assert own[0] == 1
    assert own[1] == len(span["events"]) - 2
    stacks = [event["attributes"].get("code.stacktrace", "") for event in events]
    assert [stack.count("in handle") for stack in stacks] == [int(code == "stack")] * len(events)


def test_a_span_may_end_in_another_thread(start_child: Callable[..., Any]) -> None:
    """Started here, worked on in four threads, ended in a fifth: every event is on it, once."""
    source = (
        PRELUDE
        + """
configure()
instrument()
nogi_otel.open_gate()
sys.setswitchinterval(1e-6)
span = tracer.start_span("wandering")

def run(*targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def work():
    with trace.use_span(span):
        for number in range(15):
            sys.audit("app.event", number)

run(work, work, work, work)
run(span.end)
(told,) = exporter.get_finished_spans()
exporter.clear()
numbers = sorted(event.attributes["python.audit.arg.0"] for event in told.events)
flooded = tracer.start_span("flooded")

def flood():
    with trace.use_span(flooded):
        for number in range(500):
            sys.audit("app.event", number)

run(flood, flood, flood, flood)
run(flooded.end)
(full,) = exporter.get_finished_spans()
answer(numbers=numbers, names=names(full)[-2:], count=len(full.events),
       left_out=full.events[-1].attributes["python.audit.dropped.count"])
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0
    assert told["numbers"] == sorted(list(range(15)) * 4)
    assert told["names"] == ["app.event", "dropped"]
    assert told["count"] == 64
    assert told["left_out"] == 2000 - 63


def test_a_span_may_outlive_the_window(start_child: Callable[..., Any]) -> None:
    """What happened while the gate was open is on the span, whenever it began and ended."""
    source = (
        PRELUDE
        + """
configure()
instrument()
early = tracer.start_span("early")
context_api.attach(trace.set_span_in_context(early))
sys.audit("app.before")
nogi_otel.open_gate()
sys.audit("app.first window")
nogi_otel.close_gate()
sys.audit("app.between")
nogi_otel.open_gate()
sys.audit("app.second window")
late = tracer.start_span("late")
with trace.use_span(late):
    sys.audit("app.late")
nogi_otel.close_gate()
with trace.use_span(late):
    sys.audit("app.after")
late.end()
early.end()
answer(spans=finished())
"""
    )
    child = start_child(source)
    assert child.read_json()["spans"] == {
        "late": ["app.late"],
        "early": ["app.first window", "app.second window"],
    }
    assert child.finish() == 0


def test_span_events_alone(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """EMIT=span_events: no log record; what has no recording span is told as not carried."""
    source = (
        PRELUDE
        + """
answer(state=nogi_otel.status()["state"])
for number in range(100):
    with tracer.start_as_current_span("request"):
        sys.audit("app.inside", number)
    sys.audit("app.outside", number)
accounts = nogi_otel.close_gate()
answer(accounts=accounts)
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_EMIT": "span_events",
            "OTEL_PYTHON_NOGI_START": "open",
        },
        instrumented=True,
    )
    assert child.read_json()["state"] == "open"
    accounts = child.read_json()["accounts"]
    assert child.finish() == 0
    assert (accounts["exported"], accounts["not_carried"]) == (100, 100)
    assert accounts["seen"] - accounts["filtered"] == 200
    assert accounts["dropped"] == 0
    assert collected.logs == []
    assert [event["name"] for span in collected.spans for event in span["events"]] == [
        "python.audit.app.inside"
    ] * 100
    assert child.errors == "", child.errors


def test_spans_stay_as_they_were_otherwise(start_child: Callable[..., Any]) -> None:
    """A span without audit events is exported unchanged; ending twice adds nothing."""
    source = (
        PRELUDE
        + """
configure()
instrument()

def shape(span):
    return [span.name, names(span), dict(span.attributes), span.dropped_events,
            span.dropped_attributes, len(span.links), span.status.status_code.name]

def request():
    with tracer.start_as_current_span("request", attributes={"a": 1}) as span:
        span.add_event("own", {"b": 2})
        span.set_status(trace.StatusCode.OK)
    (ended,) = exporter.get_finished_spans()
    exporter.clear()
    return shape(ended)

without = request()
nogi_otel.open_gate()
with_us = request()
span = tracer.start_span("twice")
with trace.use_span(span):
    sys.audit("app.event")
span.end()
logging.disable()
with trace.use_span(span):
    sys.audit("app.late")
span.end()
answer(same=without == with_us, spans=finished())
"""
    )
    child = start_child(source)
    assert child.read_json() == {"same": True, "spans": {"twice": ["app.event"]}}
    assert child.finish() == 0
