"""Audit events on spans: all of them, on the right one, and never in place of the application's."""

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
