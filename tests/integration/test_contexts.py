"""Whose event it was: of the span that was current where it was raised, in any thread or task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRELUDE = """
import asyncio, contextvars, json, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from opentelemetry import context as context_api, trace

tracer = trace.get_tracer("test")
expected = {}

def ids(span=None):
    context = (span or trace.get_current_span()).get_span_context()
    return [f"{context.trace_id:032x}", f"{context.span_id:016x}"]

def raise_event(name, expect=None):
    expected[name] = ids() if expect is None else expect
    sys.audit("app." + name)

def answer(**values):
    print(json.dumps(values), flush=True)
"""


@pytest.fixture
def audited(otel_environment: dict[str, str]) -> dict[str, str]:
    """The variables of an application that is audited from its first line on."""
    return {
        **otel_environment,
        "OTEL_PYTHON_NOGI_EVENTS": "app.*",
        "OTEL_PYTHON_NOGI_START": "open",
        "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
        "OTEL_PYTHON_NOGI_MAX_DURATION": "0",
    }


def read_ids(collected: Any) -> dict[str, list[str] | None]:
    """Return the trace and span id of every audit record, by event; None where there are none."""
    found: dict[str, list[str] | None] = {}
    for record in collected.audit_logs():
        name = record["attributes"]["python.audit.event"].removeprefix("app.")
        assert name not in found, f"{name} came twice"
        found[name] = [record["traceId"], record["spanId"]] if "traceId" in record else None
    return found


def read_span_events(collected: Any) -> dict[str, list[str]]:
    """Return the trace and span id of every span that carries an audit event, by event."""
    found: dict[str, list[str]] = {}
    for span in collected.spans:
        for event in span["events"]:
            name = event["attributes"]["python.audit.event"].removeprefix("app.")
            assert name not in found, f"{name} came twice"
            found[name] = [span["traceId"], span["spanId"]]
    return found


def test_every_way_of_carrying_a_context(
    start_child: Callable[..., Any], audited: dict[str, str], collected: Any
) -> None:
    """Threads, pools, tasks and ``to_thread``: the ids are those of the span current there."""
    source = (
        PRELUDE
        + """
raise_event("outside", "none")

def run(target):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()

def own_span():
    with tracer.start_as_current_span("of the thread"):
        raise_event("thread with a span of its own")

async def main():
    with tracer.start_as_current_span("async"):
        raise_event("coroutine")
        await asyncio.create_task(inner())
        await asyncio.to_thread(raise_event, "to_thread")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, raise_event, "run_in_executor", "none")
        done = loop.create_future()
        loop.call_soon(lambda: (raise_event("call_soon"), done.set_result(None)))
        await done

async def inner():
    raise_event("task")
    with tracer.start_as_current_span("inner"):
        await asyncio.sleep(0)
        raise_event("task in a span of its own")

def generate():
    with tracer.start_as_current_span("generator"):
        yield
        raise_event("generator")
        yield

with tracer.start_as_current_span("request") as request:
    raise_event("inside")
    with tracer.start_as_current_span("child"):
        raise_event("nested")
    raise_event("after the nested one")
    run(lambda: raise_event("bare thread", "none"))
    context = contextvars.copy_context()
    run(lambda: context.run(raise_event, "thread with the context"))
    run(own_span)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(raise_event, "pool", "none").result()
        pool.submit(contextvars.copy_context().run, raise_event, "pool with the context").result()
        def attach_and_raise():
            token = context_api.attach(trace.set_span_in_context(request))
            raise_event("pool with the span attached")
            context_api.detach(token)
            raise_event("pool after the detachment", "none")
        pool.submit(attach_and_raise).result()
    for _ in generate():
        pass
asyncio.run(main())
with tracer.start_as_current_span("a finished span", end_on_exit=False) as finished:
    finished.end()
    raise_event("span that has ended")
remote = trace.SpanContext(0x1234 << 64, 0x5678, True, trace.TraceFlags(1))
token = context_api.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
raise_event("remote parent")
context_api.detach(token)
invalid = context_api.attach(trace.set_span_in_context(trace.INVALID_SPAN))
raise_event("invalid span", "none")
context_api.detach(invalid)
raise_event("after all", "none")
answer(expected=expected)
"""
    )
    child = start_child(source, environment=audited, instrumented=True)
    expected = child.read_json()["expected"]
    assert child.finish() == 0, child.errors
    assert read_ids(collected) == {
        name: None if ids == "none" else ids for name, ids in expected.items()
    }
    recorded = {
        name: ids
        for name, ids in expected.items()
        if ids != "none" and name not in {"remote parent", "span that has ended"}
    }
    assert read_span_events(collected) == recorded


def test_two_hundred_tasks_keep_apart(
    start_child: Callable[..., Any], audited: dict[str, str], collected: Any
) -> None:
    """200 concurrent tasks, each with a span: every one of 1000 events is on its own."""
    source = (
        PRELUDE
        + """
async def handle(number):
    with tracer.start_as_current_span(f"request {number}"):
        for step in range(5):
            raise_event(f"{number}.{step}")
            await asyncio.sleep(0)

async def main():
    with tracer.start_as_current_span("server"):
        await asyncio.gather(*(handle(number) for number in range(200)))

asyncio.run(main())
answer(expected=expected)
"""
    )
    child = start_child(
        source, environment={**audited, "OTEL_BSP_MAX_QUEUE_SIZE": "4096"}, instrumented=True
    )
    expected = child.read_json()["expected"]
    assert child.finish() == 0, child.errors
    assert len({tuple(ids) for ids in expected.values()}) == 200
    assert read_ids(collected) == expected
    assert read_span_events(collected) == expected


def test_concurrent_threads_keep_apart(
    start_child: Callable[..., Any], audited: dict[str, str], collected: Any
) -> None:
    """Eight threads with a span each, switched as often as can be: every event is on its own."""
    source = (
        PRELUDE
        + """
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(8)

def handle(number):
    barrier.wait()
    for step in range(25):
        with tracer.start_as_current_span(f"request {number}.{step}"):
            for part in range(4):
                raise_event(f"{number}.{step}.{part}")

threads = [threading.Thread(target=handle, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
answer(expected=expected)
"""
    )
    child = start_child(
        source, environment={**audited, "OTEL_BSP_MAX_QUEUE_SIZE": "4096"}, instrumented=True
    )
    expected = child.read_json()["expected"]
    assert child.finish() == 0, child.errors
    assert len(expected) == 800
    assert read_ids(collected) == expected
    assert read_span_events(collected) == expected


def test_an_unsampled_request_still_has_its_logs(
    start_child: Callable[..., Any], audited: dict[str, str], collected: Any
) -> None:
    """OTEL_TRACES_SAMPLER=always_off: log records with ids and flags 0, no span, no span event."""
    source = (
        PRELUDE
        + """
with tracer.start_as_current_span("request"):
    raise_event("inside")
answer(expected=expected)
"""
    )
    child = start_child(
        source, environment={**audited, "OTEL_TRACES_SAMPLER": "always_off"}, instrumented=True
    )
    expected = child.read_json()["expected"]
    assert child.finish() == 0, child.errors
    assert read_ids(collected) == expected
    (record,) = collected.audit_logs()
    assert record.get("flags", 0) & 1 == 0
    assert collected.spans == []


def test_spans_of_other_classes(
    start_child: Callable[..., Any], audited: dict[str, str], collected: Any
) -> None:
    """A subclass of the SDK's span is recorded on; a span that is none of the SDK's is let be."""
    source = (
        PRELUDE
        + """
from opentelemetry.sdk.trace import _Span

class CustomSpan(_Span):
    pass

class Alien(trace.Span):
    def __getattribute__(self, name):
        if name not in {"__class__", "get_span_context"}:
            print("alien was asked for", name, flush=True)
        return super().__getattribute__(name)
    def get_span_context(self):
        return trace.SpanContext(1, 2, False)
    def is_recording(self):
        return True
    def _nothing(self, *args, **kwargs):
        pass
    end = set_attribute = set_attributes = add_event = update_name = _nothing
    set_status = record_exception = _nothing

provider = trace.get_tracer_provider()
context = trace.SpanContext(0xabc << 64, 0xdef, False, trace.TraceFlags(1))
custom = CustomSpan("custom", context, resource=provider.resource,
                    span_processor=provider._active_span_processor)
custom.start()
with trace.use_span(custom, end_on_exit=True):
    raise_event("custom")
alien = Alien()
token = context_api.attach(trace.set_span_in_context(alien))
expected["alien"] = "none"
sys.audit("app.alien")
context_api.detach(token)
answer(expected=expected)
"""
    )
    child = start_child(source, environment=audited, instrumented=True)
    expected = child.read_json()["expected"]
    assert child.finish() == 0, child.errors
    assert read_ids(collected) == {"custom": expected["custom"], "alien": None}
    assert read_span_events(collected) == {"custom": expected["custom"]}


RUNTIMES = """
import threading
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext


class ThreadLocal(_RuntimeContext):
    def __init__(self):
        self._local = threading.local()

    def attach(self, context):
        previous = self.get_current()
        self._local.context = context
        return previous

    def get_current(self):
        return getattr(self._local, "context", None) or Context()

    def detach(self, token):
        self._local.context = token


class Derived(ContextVarsRuntimeContext):
    pass


class Misleading(ThreadLocal):
    _current_context = "not a context variable"
"""


@pytest.mark.parametrize("runtime", ["thread_local", "derived", "misleading"])
def test_a_foreign_context_runtime(
    start_child: Callable[..., Any],
    audited: dict[str, str],
    collected: Any,
    tmp_path: Path,
    runtime: str,
) -> None:
    """OTEL_PYTHON_CONTEXT of another make: records flow, with ids where they can be found."""
    packages = tmp_path / "packages"
    information = packages / "foreign_runtimes-1.0.dist-info"
    information.mkdir(parents=True)
    (packages / "foreign_runtimes.py").write_text(RUNTIMES)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: foreign-runtimes\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(
        "[opentelemetry_context]\n"
        "thread_local = foreign_runtimes:ThreadLocal\n"
        "derived = foreign_runtimes:Derived\n"
        "misleading = foreign_runtimes:Misleading\n"
    )
    source = (
        PRELUDE
        + """
with tracer.start_as_current_span("request"):
    raise_event("inside")
answer(expected=expected, runtime=type(context_api._RUNTIME_CONTEXT).__name__)
"""
    )
    child = start_child(
        source,
        environment={
            **audited,
            "PYTHONPATH": str(packages),
            "OTEL_PYTHON_CONTEXT": runtime,
        },
        instrumented=True,
    )
    told = child.read_json()
    assert child.finish() == 0, child.errors
    assert told["runtime"].lower() == runtime.replace("_", "")
    assert child.errors == "", child.errors
    known = runtime == "derived"
    assert read_ids(collected) == {"inside": told["expected"]["inside"] if known else None}
    assert read_span_events(collected) == (told["expected"] if known else {})
