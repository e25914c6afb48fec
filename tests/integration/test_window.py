"""A window as the operator sees it: opened and closed by signals, ended by itself."""

from __future__ import annotations

import json
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


PRELUDE = """
import json, logging, os, signal, sys, threading, time
import nogi_otel

def answer(**values):
    print(json.dumps(values), flush=True)

def listen():
    return sys.stdin.readline().strip()

def instrument(**settings):
    logging.basicConfig(format="%(levelname)s %(message)s")
    nogi_otel.NogiInstrumentor().instrument(**settings)
"""


TICKING = (
    PRELUDE
    + """
from opentelemetry import trace

tracer = trace.get_tracer("test")
spans, lock, done = {}, threading.Lock(), threading.Event()

def obey():
    for line in sys.stdin:
        command = line.strip()
        if command == "state":
            answer(state=nogi_otel.status()["state"])
        elif command == "count":
            answer(count=len(spans))
    done.set()

threading.Thread(target=obey, daemon=True).start()
answer(ready=True)
number = 0
while not done.is_set():
    with tracer.start_as_current_span("tick") as span:
        context = span.get_span_context()
        spans[number] = (f"{context.trace_id:032x}", f"{context.span_id:016x}")
        sys.audit("app.tick", number)
    number += 1
    done.wait(0.005)
answer(spans=spans)
"""
)


def read_count(child: Any) -> int:
    """Return how often the child's loop has ticked."""
    child.say("count")
    return int(child.read_json()["count"])


def wait_for_state(child: Any, state: str) -> None:
    """Ask the child until it says that it is in ``state``."""
    deadline = monotonic() + 30
    while monotonic() < deadline:
        child.say("state")
        if child.read_json()["state"] == state:
            return
    pytest.fail(f"never {state}")


def let_handlers_run(child: Any) -> None:
    """Wait until the child's main thread has run on: what it was signalled before is handled.

    CPython runs the handlers of pending signals in the order of their numbers, not of arrival.
    """
    ticked = read_count(child)
    while read_count(child) < ticked + 2:
        pass


def test_records_carry_the_span_that_was_current_and_end_with_the_window(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """From USR1 to USR2 every event is there once, on its span; nothing is stamped later."""
    child = start_child(
        TICKING,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
        },
        instrumented=True,
    )
    child.read_json()
    child.kill(signal.SIGUSR1)
    collected.wait_for(lambda c: len(c.audit_logs()) > 20, "records arrive")
    child.kill(signal.SIGUSR2)
    (closed,) = collected.wait_for(lambda c: c.named("nogi.window.closed"), "the end is told")
    count = len(collected.audit_logs())
    for _ in range(10):
        let_handlers_run(child)
    child.process.stdin.close()
    spans = child.read_json()["spans"]
    assert child.finish() == 0
    records = collected.audit_logs()
    assert len(records) == count, "records arrived after the window had told of its end"
    numbers = [json.loads(one["attributes"]["python.audit.args"])[0] for one in records]
    assert numbers == list(range(numbers[0], numbers[0] + count)), "an event is missing"
    assert [(one["traceId"], one["spanId"]) for one in records] == [
        tuple(spans[str(number)]) for number in numbers
    ]
    assert all(int(one["timeUnixNano"]) <= int(closed["timeUnixNano"]) for one in records)
    assert closed["attributes"]["nogi.window.exported"] == count
    assert closed["attributes"]["nogi.window.closed_by"] == "SIGUSR2"
    identities = {one["attributes"]["nogi.window.id"] for one in records}
    assert identities == {closed["attributes"]["nogi.window.id"]}


def test_many_rounds_of_signals_cost_the_application_nothing(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """300 rounds: no gap above two periods in the application's loop, flat memory, one of each."""
    source = (
        PRELUDE
        + """
import gc
hooks = []
sys.addaudithook(lambda event, arguments: event == "sys.addaudithook" and hooks.append(event))
PERIOD_S = 0.25  # one that a busy machine keeps
done = threading.Event()
ticks = 0

def read_rss():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def obey():
    for line in sys.stdin:
        if line.strip() == "state":
            sys.audit("app.asked", "x" * 100)
            answer(state=nogi_otel.status()["state"])
        elif line.strip() == "count":
            answer(count=ticks)
        else:
            answer(
                rss=read_rss(),
                hooks=len(hooks),
                threads=len(os.listdir("/proc/self/task")),
            )
    done.set()

threading.Thread(target=obey, daemon=True).start()
instrument()
answer(ready=True)
longest, last = 0.0, time.monotonic()
while not done.is_set():
    sys.audit("app.tick")
    time.sleep(PERIOD_S)
    ticks += 1
    now = time.monotonic()
    longest, last = max(longest, now - last), now
answer(longest_periods=longest / PERIOD_S)
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_PIPELINE": "direct",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
        },
    )
    child.read_json()
    looks = []
    for number in range(1, 301):
        child.kill(signal.SIGUSR1)
        wait_for_state(child, "open")
        child.kill(signal.SIGUSR2)
        wait_for_state(child, "armed")
        if number % 20 == 0:
            ticked = read_count(child)
            while read_count(child) == ticked:
                pass
        if number in {1, 100, 300}:
            collected.wait_for(
                lambda c, number=number: len(c.named("nogi.window.closed")) == number,
                f"{number} ends",
            )
            child.say("look")
            looks.append(child.read_json())
    child.process.stdin.close()
    assert child.read_json()["longest_periods"] < 2
    assert child.finish() == 0
    assert [look["hooks"] for look in looks] == [1, 1, 1]
    assert len({look["threads"] for look in looks}) == 1
    grown = looks[2]["rss"] - looks[1]["rss"]
    assert grown < 1 << 20, f"{grown} bytes more after 200 more windows"
    opened = {one["attributes"]["nogi.window.id"] for one in collected.named("nogi.window.opened")}
    closed = [one["attributes"]["nogi.window.id"] for one in collected.named("nogi.window.closed")]
    assert len(opened) == 300
    assert sorted(closed) == sorted(opened)


def test_a_window_ends_itself_after_a_number_of_events(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """MAX_EVENTS=50: exactly 50 records, then the window is closed by itself and says why."""
    source = (
        PRELUDE
        + """
answer(ready=True)
for number in range(200):
    sys.audit("app.event", number)
listen()
answer(**nogi_otel.status())
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_START": "open",
            "OTEL_PYTHON_NOGI_MAX_EVENTS": "50",
            "OTEL_PYTHON_NOGI_MAX_DURATION": "0",
        },
        instrumented=True,
    )
    child.read_json()
    (closed,) = collected.wait_for(lambda c: c.named("nogi.window.closed"), "it ends by itself")
    child.say("go")
    status = child.read_json()
    assert child.finish() == 0
    assert closed["attributes"]["nogi.window.closed_by"] == "max_events"
    assert status["state"] == "armed"
    assert status["window"]["closed_by"] == "max_events"
    assert status["window"]["accounts"]["exported"] == 50
    assert len(collected.audit_logs()) == 50
    numbers = [
        json.loads(one["attributes"]["python.audit.args"])[0] for one in collected.audit_logs()
    ]
    assert numbers == list(range(50))


@pytest.mark.parametrize("reachable", [True, False])
def test_a_window_ends_itself_after_a_time(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    tmp_path: Path,
    *,
    reachable: bool,
) -> None:
    """MAX_DURATION ends a window, also while the drain waits for a receiver that never answers."""
    source = (
        PRELUDE
        + """
import socket
if sys.argv[1] == "silent":
    server = socket.create_server(("127.0.0.1", 0))
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:%d" % server.getsockname()[1]
instrument(pipeline="direct", events="app.*", recording=sys.argv[2], flush_timeout=0.5)
os.kill(os.getpid(), signal.SIGUSR1)
deadline = time.monotonic() + 25
states = []
while time.monotonic() < deadline and (not states or states[-1] != "armed" or len(states) == 1):
    sys.audit("app.event", time.time_ns())
    state = nogi_otel.status()["state"]
    if not states or states[-1] != state:
        states.append(state)
window = nogi_otel.status()["window"]
answer(states=states, duration_ns=window["closed_ns"] - window["opened_ns"],
       by=window["closed_by"])
"""
    )
    child = start_child(
        source,
        "reachable" if reachable else "silent",
        str(tmp_path / "audit.jsonl"),
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_MAX_DURATION": "0.5",
            "OTEL_PYTHON_NOGI_RATE_LIMIT": "100",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "8",
        },
    )
    told = child.read_json()
    assert child.finish() == 0
    assert told["states"] == ["armed", "open", "armed"]
    assert told["by"] == "max_duration"
    # Four seconds are half of what one export may take: the end does not wait for the receiver.
    assert 500_000_000 <= told["duration_ns"] < 4_000_000_000


def test_opening_and_closing_twice_is_harmless(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """A second USR1 or USR2 changes nothing; a USR2 before the first USR1 does nothing at all."""
    child = start_child(
        TICKING,
        environment={**otel_environment, "OTEL_PYTHON_NOGI_EVENTS": "app.*"},
        instrumented=True,
    )
    child.read_json()
    child.kill(signal.SIGUSR2)
    let_handlers_run(child)
    child.kill(signal.SIGUSR1)
    wait_for_state(child, "open")
    child.kill(signal.SIGUSR1)
    let_handlers_run(child)
    collected.wait_for(lambda c: len(c.audit_logs()) > 5, "records arrive")
    for _ in range(2):
        child.kill(signal.SIGUSR2)
        let_handlers_run(child)
    wait_for_state(child, "armed")
    child.process.stdin.close()
    child.read_json()
    assert child.finish() == 0
    assert len(collected.named("nogi.window.opened")) == 1
    assert len(collected.named("nogi.window.closed")) == 1
    assert child.errors == "", child.errors


def test_a_stop_right_after_the_first_start_wins(start_child: Callable[..., Any]) -> None:
    """However soon USR2 follows the first USR1, the window is closed in the end."""
    source = (
        PRELUDE
        + """
from nogi_otel import agent
instrument(recording=sys.argv[1])
os.kill(os.getpid(), signal.SIGUSR1)
if sys.argv[2] == "soon":
    while agent.get_agent().machinery is None:
        pass
os.kill(os.getpid(), signal.SIGUSR2)
nogi_otel.flush()
window = nogi_otel.status()["window"]
answer(state=nogi_otel.status()["state"], duration_ns=window["closed_ns"] - window["opened_ns"])
"""
    )
    for when in ("soon", "at once"):
        child = start_child(source, os.devnull, when)
        told = child.read_json()
        assert told["state"] == "armed", when
        assert told["duration_ns"] >= 0, when
        assert child.finish() == 0


def test_a_stop_from_before_a_window_does_not_end_it(start_child: Callable[..., Any]) -> None:
    """USR1 and USR2, and a window opened from code right after them: it stays open."""
    source = (
        PRELUDE
        + """
instrument(recording=os.devnull, emit="none", events="app.*")
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR2)
nogi_otel.open_gate()
for number in range(100):
    sys.audit("app.event", number)
    nogi_otel.flush()
state = nogi_otel.status()["state"]
answer(state=state, exported=nogi_otel.close_gate()["exported"])
"""
    )
    child = start_child(source)
    assert child.read_json() == {"state": "open", "exported": 100}
    assert child.finish() == 0
