"""Interrupted anywhere: exceptions of signal handlers arrive, and storms leave it whole."""

from __future__ import annotations

import json
import signal
import sysconfig
from threading import Event
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
    nogi_otel.NogiInstrumentor().instrument(
        **{"recording": os.devnull, "emit": "none", "events": "app.*", **settings}
    )

def send(number):
    # The handler runs before the next bytecode: the kernel delivers to a lone thread in the call.
    signal.raise_signal(number)

def wait_for_state(state):
    deadline = time.monotonic() + 20
    while nogi_otel.status()["state"] != state:
        if time.monotonic() > deadline:
            raise SystemExit(f"never {state}: {nogi_otel.status()}")

def wait_for_threads(number):
    deadline = time.monotonic() + 20
    while len(os.listdir("/proc/self/task")) != number:  # a thread that was told to end, ends
        if time.monotonic() > deadline:
            raise SystemExit(f"never {number} threads: {os.listdir('/proc/self/task')}")

calls = []

def mine(number, frame):
    assert frame is not None
    calls.append(signal.Signals(number).name)

def other(number, frame):
    calls.append("other " + signal.Signals(number).name)
"""


INTERRUPTED = (
    PRELUDE
    + """
import contextvars
from collections import Counter
from opentelemetry import context as context_api, trace
from opentelemetry.sdk.trace import TracerProvider

class Alarm(Exception):
    pass

kinds = {"Alarm": Alarm, "KeyboardInterrupt": KeyboardInterrupt, "ValueError": ValueError,
         "AttributeError": AttributeError, "TimeoutError": TimeoutError}
kind = kinds[sys.argv[1]]
trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("test")
instrument(emit="span_events", recording="", cpu_budget=0)
nogi_otel.open_gate()
inside, raised, caught, landed, escaped = False, 0, 0, Counter(), []
begun, done = 0, 0

HANDLER = '''
def interrupt(number, frame):
    global inside, raised
    if not inside:
        return
    inside = False
    raised += 1
    while frame is not None:
        file = frame.f_code.co_filename
        if "/nogi_otel/" in file:
            landed[frame.f_code.co_name] += 1
        frame = frame.f_back
    raise kind("application")
'''
exec(compile(HANDLER, sys.argv[2], "exec"))

def work():
    global begun, done
    context_api.attach(trace.set_span_in_context(span := tracer.start_span("work")))
    for number in range(10):
        begun += 1
        sys.audit("app.event", number, [number, {"key": "text"}], b"bytes")
        done += 1
    span.end()

def burst():
    global inside
    for _ in range(20):
        inside = True
        work()
    inside = False

signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
deadline = time.monotonic() + 20
while time.monotonic() < deadline and (
    raised < 300 or not landed["hook"] or landed["_on_ending"] < 20
):
    try:
        contextvars.copy_context().run(burst)
    except kind as error:
        caught += 1
        if error.args != ("application",):
            escaped.append(repr(error))
signal.setitimer(signal.ITIMER_REAL, 0, 0)
accounts = nogi_otel.close_gate()
answer(raised=raised, caught=caught, landed=landed, accounts=accounts, escaped=escaped,
       begun=begun, done=done)
"""
)


@pytest.mark.parametrize(
    "kind",
    ["Alarm", "KeyboardInterrupt", "ValueError", "AttributeError", "TimeoutError"],
)
def test_an_exception_of_a_signal_handler_reaches_the_application(
    start_child: Callable[..., Any], kind: str
) -> None:
    """Raised in the middle of the hook or of an ending span, it arrives; none is swallowed."""
    child = start_child(INTERRUPTED, kind, "handler.py")
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["landed"]["hook"] > 0
    assert told["landed"]["_on_ending"] > 0
    assert told["raised"] == told["caught"] >= 300
    assert told["escaped"] == []
    accounts = told["accounts"]
    assert accounts["redaction_failed"] == accounts["hook_failed"] == 0
    # What was cut off on its way into the hook may be missing; what came back from it may not.
    assert told["done"] <= accounts["seen"] - accounts["filtered"] <= told["begun"]


@pytest.mark.parametrize(
    "file",
    [
        "/srv/opentelemetry/shop/handlers.py",
        f"{sysconfig.get_path('purelib')}/library/timeouts.py",
        "<frozen handlers>",
    ],
)
def test_an_exception_of_a_handler_in_any_file_arrives(
    start_child: Callable[..., Any], file: str
) -> None:
    """Wherever the handler's code stands, an installed package or any directory: it arrives."""
    child = start_child(INTERRUPTED, "Alarm", file)
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["raised"] == told["caught"] >= 300


def test_an_asynchronous_exception_reaches_the_application(
    start_child: Callable[..., Any],
) -> None:
    """An exception set from another thread (a watchdog) leaves no frame, and still arrives."""
    source = (
        PRELUDE
        + """
import ctypes
from opentelemetry import context as context_api, trace
from opentelemetry.sdk.trace import TracerProvider

class Timeout(Exception):
    pass

trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("test")
instrument(emit="span_events", recording="", cpu_budget=0)
nogi_otel.open_gate()
target = threading.get_ident()
ready, sent, caught = threading.Event(), 0, 0
done = False

def watch():
    global sent
    while ready.wait() and not done:
        ready.clear()
        sent += 1
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target),
                                                   ctypes.py_object(Timeout))

def linger():
    # The exception comes in here where it is late. (In a function: CPython 3.13 covers the jump
    # of a loop by no handler of its own frame.)
    give_up = time.monotonic() + 1
    while time.monotonic() < give_up:
        pass

thread = threading.Thread(target=watch, daemon=True)
thread.start()
sys.setswitchinterval(1e-5)
deadline = time.monotonic() + 10
while caught < 300 and time.monotonic() < deadline:
    try:
        span = tracer.start_span("work")
        context_api.attach(trace.set_span_in_context(span))
        for number in range(64):
            sys.audit("app.event", number, "text" * 50)
        ready.set()
        span.end()
        linger()
        break  # it was swallowed
    except Timeout:
        caught += 1
answer(sent=sent, caught=caught)
done = True
ready.set()
"""
    )
    child = start_child(source)
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["sent"] == told["caught"] == 300


def test_a_storm_of_signals_leaves_it_consistent(
    start_child: Callable[..., Any], tmp_path: Path
) -> None:
    """3000 alternating signals at 1 kHz: each window that was opened ended, no event is lost."""
    source = (
        PRELUDE
        + """
instrument(recording=sys.argv[1], cpu_budget=0)
done = threading.Event()
raised = {"main": 0, "other": 0}

def work(name):
    while not done.is_set():
        sys.audit("app." + name, raised[name])
        raised[name] += 1
        time.sleep(0.0002)

def obey():
    listen()
    done.set()

threading.Thread(target=obey, daemon=True).start()
other = threading.Thread(target=work, args=("other",))
other.start()
answer(ready=True)
work("main")
other.join()
send(signal.SIGUSR2)
wait_for_state("armed")
nogi_otel.flush()
while not nogi_otel.status()["window"]["settled"]:
    nogi_otel.flush()
threads = len(os.listdir("/proc/self/task"))
nogi_otel.open_gate()
sys.audit("app.last")
nogi_otel.close_gate()
answer(threads=threads, status=nogi_otel.status())
"""
    )
    path = tmp_path / "storm.jsonl"
    child = start_child(source, str(path))
    child.read_json()
    pause = Event()
    for number in range(3000):
        child.kill((signal.SIGUSR1, signal.SIGUSR2)[number % 2])
        pause.wait(0.001)
    child.say("done")
    told = child.read_json()
    assert child.finish() == 0
    assert child.errors == "", child.errors
    assert told["threads"] == 2  # the main thread and the drain
    records = [
        record
        for line in path.read_text().splitlines()
        for resourced in json.loads(line)["resourceLogs"]
        for scoped in resourced["scopeLogs"]
        for record in scoped["logRecords"]
    ]
    windows: dict[str, dict[str, Any]] = {}
    events: list[tuple[str, int, str]] = []
    for record in records:
        attributes = {one["key"]: next(iter(one["value"].values())) for one in record["attributes"]}
        time_ns, window_id = int(record["timeUnixNano"]), attributes["nogi.window.id"]
        if record["eventName"] == "nogi.window.opened":
            windows.setdefault(window_id, {})["opened"] = time_ns
        elif record["eventName"] == "nogi.window.closed":
            assert "closed" not in windows.setdefault(window_id, {}), "ended twice"
            windows[window_id] |= {"closed": time_ns, **attributes}
        else:
            events.append((window_id, time_ns, record["eventName"]))
    assert len(windows) > 100, "the storm was no storm"
    assert all({"opened", "closed"} <= set(window) for window in windows.values())
    assert {window["nogi.window.closed_by"] for window in windows.values()} <= {
        "SIGUSR2",
        "api",
        "another window",
    }
    assert events[-1][2] == "python.audit.app.last"
    for window_id, time_ns, name in events:
        window = windows[window_id]
        assert window["opened"] <= time_ns <= window["closed"], name
    exported = sum(int(window["nogi.window.exported"]) for window in windows.values())
    assert exported == len(events)
    for window in windows.values():
        assert int(window["nogi.window.in_flight"]) == 0
        assert int(window["nogi.window.seen"]) == sum(
            int(window[f"nogi.window.{part}"])
            for part in ("exported", "filtered", "over_limit", "dropped")
        )
    assert told["status"]["state"] == "armed"
