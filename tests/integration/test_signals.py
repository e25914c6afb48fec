"""Signals in a real process: ours and the application's both work, whoever came first."""

from __future__ import annotations

import json
import os
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


def test_handlers_that_stood_before_run_too(start_child: Callable[..., Any]) -> None:
    """Both signals handled by the application before arming: ours and its own run, each time."""
    source = (
        PRELUDE
        + """
signal.signal(signal.SIGUSR1, mine)
signal.signal(signal.SIGUSR2, mine)
instrument()
send(signal.SIGUSR1)
wait_for_state("open")
send(signal.SIGUSR1)
send(signal.SIGUSR2)
wait_for_state("armed")
answer(calls=calls, by=nogi_otel.status()["window"]["closed_by"])
"""
    )
    child = start_child(source)
    assert child.read_json() == {"calls": ["SIGUSR1", "SIGUSR1", "SIGUSR2"], "by": "SIGUSR2"}
    assert child.finish() == 0


def test_handlers_that_come_later_run_too(start_child: Callable[..., Any]) -> None:
    """``signal.signal`` after arming: both run; it returns the application's own previous one."""
    source = (
        PRELUDE
        + """
returned = [signal.signal(signal.SIGUSR1, mine), signal.signal(signal.SIGUSR1, other),
            signal.signal(handler=other, signalnum=signal.SIGUSR2)]
send(signal.SIGUSR1)
wait_for_state("open")
send(signal.SIGUSR2)
wait_for_state("armed")
answer(calls=calls, returned=[getattr(one, "__name__", str(one)) for one in returned],
       own=returned[1] is mine, default=returned[0] is signal.SIG_DFL is returned[2])
"""
    )
    child = start_child(
        source,
        environment={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
        },
        instrumented=True,
    )
    told = child.read_json()
    assert child.finish() == 0
    assert told["calls"] == ["other SIGUSR1", "other SIGUSR2"]
    assert told["own"]
    assert told["default"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_that_calls_the_one_before_runs_once(
    start_child: Callable[..., Any], when: str
) -> None:
    """A handler that chains what ``getsignal`` gave it runs once for one signal."""
    source = (
        PRELUDE
        + """
def chain(number):
    before = signal.getsignal(number)
    def handle(number, frame):
        calls.append("chain")
        if callable(before):
            before(number, frame)
    signal.signal(number, handle)

signal.signal(signal.SIGUSR1, mine)
if sys.argv[1] == "before":
    chain(signal.SIGUSR1)
instrument()
if sys.argv[1] == "after":
    chain(signal.SIGUSR1)
send(signal.SIGUSR1)
wait_for_state("open")
answer(calls=calls)
"""
    )
    child = start_child(source, when)
    assert child.read_json() == {"calls": ["chain", "SIGUSR1"]}
    assert child.finish() == 0


def test_a_handler_restored_by_getsignal_is_the_applications(
    start_child: Callable[..., Any],
) -> None:
    """Save with ``getsignal``, replace, restore: the handler of before runs again, ours too."""
    source = (
        PRELUDE
        + """
instrument()
shown = []
for number in (signal.SIGUSR1, signal.SIGUSR2):
    saved = signal.getsignal(number)
    signal.signal(number, other)
    signal.signal(number, saved)
signal.signal(signal.SIGUSR1, mine)
saved = signal.getsignal(signal.SIGUSR1)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, saved)
send(signal.SIGUSR1)
wait_for_state("open")
send(signal.SIGUSR2)
wait_for_state("armed")
answer(calls=calls)
nogi_otel.NogiInstrumentor().uninstrument()
answer(mine=signal.getsignal(signal.SIGUSR1) is mine,
       default=signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL)
"""
    )
    child = start_child(source)
    assert child.read_json() == {"calls": ["SIGUSR1"]}
    assert child.read_json() == {"mine": True, "default": True}
    assert child.finish() == 0


def test_a_signal_during_its_own_handler_is_not_lost(start_child: Callable[..., Any]) -> None:
    """A second SIGUSR1 while the application still handles the first is handled as well."""
    source = (
        PRELUDE
        + """
def nest(number, frame):
    calls.append("in")
    if len(calls) < 5:
        send(number)
    calls.append("out")

if sys.argv[1] == "armed":
    instrument()
signal.signal(signal.SIGUSR1, nest)
send(signal.SIGUSR1)
answer(calls=calls)
"""
    )
    plain, armed = start_child(source, "plain"), start_child(source, "armed")
    assert plain.read_json() == armed.read_json() == {"calls": ["in"] * 5 + ["out"] * 5}
    assert plain.finish() == armed.finish() == 0


def test_handlers_of_an_event_loop_run_too(start_child: Callable[..., Any]) -> None:
    """Signal handlers of asyncio, added and removed: armed and alive throughout."""
    source = (
        PRELUDE
        + """
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    for round in range(2):
        came = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        loop.add_signal_handler(signal.SIGUSR2, calls.append, "loop")
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), 20)
        wait_for_state("open")
        os.kill(os.getpid(), signal.SIGUSR2)
        while len(calls) <= round:
            await asyncio.sleep(0.001)
        wait_for_state("armed")
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert loop.remove_signal_handler(signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.sleep(0)
    wait_for_state("open")
    loop.add_signal_handler(signal.SIGUSR2, calls.append, "closed with the loop")

instrument()
asyncio.run(main())
os.kill(os.getpid(), signal.SIGUSR2)
wait_for_state("armed")
os.kill(os.getpid(), signal.SIGUSR1)
wait_for_state("open")
answer(calls=calls, windows=nogi_otel.status()["window"]["id"].rsplit("-")[-1])
"""
    )
    child = start_child(source)
    assert child.read_json() == {"calls": ["loop", "loop"], "windows": "4"}
    assert child.finish() == 0
    assert child.errors == "", child.errors


@pytest.mark.parametrize("disposition", ["SIG_DFL", "SIG_IGN"])
def test_a_disposition_set_later_neither_kills_nor_disarms(
    start_child: Callable[..., Any], disposition: str
) -> None:
    """SIG_DFL or SIG_IGN set by the application: the process lives, and the signals still work."""
    source = (
        PRELUDE
        + """
instrument()
disposition = getattr(signal, sys.argv[1])
answer(returned=[int(signal.signal(number, disposition))
                 for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1)])
send(signal.SIGUSR1)
wait_for_state("open")
send(signal.SIGUSR2)
wait_for_state("armed")
nogi_otel.NogiInstrumentor().uninstrument()
answer(left=[signal.getsignal(signal.SIGUSR1) is disposition,
             signal.getsignal(signal.SIGUSR2) is disposition])
"""
    )
    child = start_child(source, disposition)
    value = int(getattr(signal, disposition))
    assert child.read_json() == {"returned": [0, 0, value]}
    assert child.read_json() == {"left": [True, True]}
    assert child.finish() == 0


def test_uninstrument_gives_everything_back(start_child: Callable[..., Any]) -> None:
    """Handlers, SIG_DFL and SIG_IGN stand as before; ``signal.signal`` is the original again."""
    source = (
        PRELUDE
        + """
functions = ("signal", "getsignal")
originals = [getattr(signal, name) for name in functions]

def look():
    return [signal.getsignal(number) for number in range(1, signal.NSIG)
            if number in signal.valid_signals()]

signal.signal(signal.SIGUSR1, mine)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
before = look()
results = []
for _ in range(3):
    instrument()
    send(signal.SIGUSR1)
    wait_for_state("open")
    nogi_otel.NogiInstrumentor().uninstrument()
    results.append(look() == before)
    results.append([getattr(signal, name) for name in functions] == originals)
    send(signal.SIGUSR1)
    send(signal.SIGUSR2)
instrument()
signal.signal(signal.SIGUSR2, other)
nogi_otel.NogiInstrumentor().uninstrument()
results.append(signal.getsignal(signal.SIGUSR2) is other)
answer(results=results, calls=calls, state=nogi_otel.status()["state"])
wait_for_threads(1)
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0, child.errors
    assert told["results"] == [True] * 7
    assert told["calls"] == ["SIGUSR1"] * 6
    assert told["state"] == "unarmed"


def test_uninstrument_leaves_a_foreign_wrapper_in_place(start_child: Callable[..., Any]) -> None:
    """Another library that wrapped ``signal.signal`` after us stays wrapped, and works."""
    source = (
        PRELUDE
        + """
instrument()
ours = signal.signal
def foreign(number, handler):
    calls.append("foreign")
    return ours(number, handler)
signal.signal = foreign
nogi_otel.NogiInstrumentor().uninstrument()
signal.signal(signal.SIGUSR1, mine)
send(signal.SIGUSR1)
answer(calls=calls, same=signal.signal is foreign,
       mine=signal.getsignal(signal.SIGUSR1) is mine)
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert told == {"calls": ["foreign", "SIGUSR1"], "same": True, "mine": True}
    assert child.finish() == 0


def test_uninstrument_off_the_main_thread(start_child: Callable[..., Any]) -> None:
    """There the signals cannot be given back: it warns, raises nothing, and closes the window."""
    source = (
        PRELUDE
        + """
instrument()
nogi_otel.open_gate()
failures = []
def release():
    try:
        nogi_otel.NogiInstrumentor().uninstrument()
    except BaseException as error:
        failures.append(repr(error))
thread = threading.Thread(target=release)
thread.start()
thread.join()
send(signal.SIGUSR1)  # whatever stands there now, it must not kill
answer(failures=failures, state=nogi_otel.status()["state"])
"""
    )
    child = start_child(source)
    assert child.read_json() == {"failures": [], "state": "unarmed"}
    assert child.finish() == 0
    assert "main thread" in child.errors


def test_instrument_off_the_main_thread(start_child: Callable[..., Any]) -> None:
    """``instrument()`` off the main thread warns; the gate works from code all the same."""
    source = (
        PRELUDE
        + """
thread = threading.Thread(target=instrument)
thread.start()
thread.join()
bound = nogi_otel.status()["signals"]
with nogi_otel.window():
    sys.audit("app.event")
untouched = signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
original = signal.signal.__module__ == "signal" and not hasattr(signal.signal, "__wrapped__")
nogi_otel.flush()
answer(bound=bound, untouched=untouched, original=original,
       exported=nogi_otel.status()["window"]["accounts"]["exported"])
thread = threading.Thread(target=nogi_otel.NogiInstrumentor().uninstrument)
thread.start()
thread.join()
answer(**nogi_otel.status())
"""
    )
    child = start_child(source)
    assert child.read_json() == {
        "bound": [],
        "untouched": True,
        "original": True,
        "exported": 1,
    }
    assert child.read_json() == {"state": "unarmed"}
    assert child.finish() == 0
    (line,) = child.errors.splitlines()
    assert line.startswith("WARNING ")
    assert "main thread" in line


def test_a_handler_written_in_c_is_left_alone(
    start_child: Callable[..., Any], tmp_path: Path
) -> None:
    """``faulthandler.register`` holds SIGUSR1: ours is not bound there, and says so."""
    source = (
        PRELUDE
        + """
import faulthandler
dump = open(sys.argv[1], "w+")
faulthandler.register(signal.SIGUSR1, file=dump)
instrument()
send(signal.SIGUSR1)
bound = nogi_otel.status()["signals"]
with nogi_otel.window():
    sys.audit("app.event")
nogi_otel.NogiInstrumentor().uninstrument()
send(signal.SIGUSR1)
dump.flush()
answer(bound=bound, dumps=open(sys.argv[1]).read().count("most recent call first"))
"""
    )
    child = start_child(source, str(tmp_path / "dump.txt"))
    assert child.read_json() == {"bound": ["SIGUSR2"], "dumps": 2}
    assert child.finish() == 0
    (line,) = child.errors.splitlines()
    assert line.startswith("WARNING SIGUSR1 not bound")
    assert "OTEL_PYTHON_NOGI_START_SIGNAL" in line


def test_errors_of_signal_signal_are_the_originals(start_child: Callable[..., Any]) -> None:
    """What ``signal.signal`` refuses, it refuses in the same words, and nothing changes."""
    source = (
        PRELUDE
        + """
import inspect

def refuse():
    seen = []
    for arguments in ((signal.SIGUSR1, 5), (signal.SIGUSR1, None), (signal.SIGUSR1,), (),
                      ("USR1", mine), (999, mine), (signal.SIGKILL, mine),
                      (signal.SIGUSR1, mine, 3)):
        try:
            signal.signal(*arguments)
            seen.append("accepted")
        except Exception as error:
            seen.append(repr(error))
    def off_main():
        try:
            signal.signal(signal.SIGUSR1, mine)
            seen.append("accepted")
        except Exception as error:
            seen.append(repr(error))
    thread = threading.Thread(target=off_main)
    thread.start()
    thread.join()
    seen.append(str(inspect.signature(signal.signal)))
    return seen

before = refuse()
instrument()
after = refuse()
send(signal.SIGUSR1)
wait_for_state("open")
answer(before=before, after=after, calls=calls)
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0
    assert told["before"] == told["after"]
    assert "accepted" not in told["before"]
    assert told["calls"] == []


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


def test_an_exception_of_the_chained_handler_is_the_applications(
    start_child: Callable[..., Any],
) -> None:
    """The application's own handler raises: the exception arrives, and the window opens."""
    source = (
        PRELUDE
        + """
class Reload(Exception):
    pass

def reload(number, frame):
    raise Reload(number)

instrument()
signal.signal(signal.SIGUSR1, reload)
try:
    send(signal.SIGUSR1)
except Reload as error:
    calls.append(error.args[0])
wait_for_state("open")
answer(calls=calls)
"""
    )
    child = start_child(source)
    assert child.read_json() == {"calls": [int(signal.SIGUSR1)]}
    assert child.finish() == 0


@pytest.mark.parametrize(
    ("start", "stop", "numbers"),
    [
        ("SIGRTMIN+3", "SIGRTMIN+4", (signal.SIGRTMIN + 3, signal.SIGRTMIN + 4)),
        ("RTMAX-1", "sigrtmax", (signal.SIGRTMAX - 1, signal.SIGRTMAX)),
        ("usr2", "usr1", (signal.SIGUSR2, signal.SIGUSR1)),
        (str(int(signal.SIGWINCH)), "SIGURG", (signal.SIGWINCH, signal.SIGURG)),
        ("SIGHUP", str(signal.SIGRTMIN + 9), (signal.SIGHUP, signal.SIGRTMIN + 9)),
    ],
)
def test_any_signal_can_be_chosen(
    start_child: Callable[..., Any], start: str, stop: str, numbers: tuple[int, int]
) -> None:
    """By name, by number, real-time ones too; the others stay as they were."""
    source = (
        PRELUDE
        + """
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
instrument()
opening, closing = map(int, sys.argv[1:])
os.kill(os.getpid(), opening)
wait_for_state("open")
os.kill(os.getpid(), closing)
wait_for_state("armed")
nogi_otel.NogiInstrumentor().uninstrument()
answer(same=all(signal.getsignal(number) == handler for number, handler in before.items()),
       )
"""
    )
    child = start_child(
        source,
        *(str(int(number)) for number in numbers),
        environment={
            "OTEL_PYTHON_NOGI_START_SIGNAL": start,
            "OTEL_PYTHON_NOGI_STOP_SIGNAL": stop,
        },
    )
    assert child.read_json() == {"same": True}
    assert child.finish() == 0
    assert child.errors == "", child.errors


def test_no_signal_can_be_chosen(start_child: Callable[..., Any]) -> None:
    """``none`` for both: no handler is bound, ``signal.signal`` is not watched, the gate works."""
    source = (
        PRELUDE
        + """
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
original = signal.signal
instrument(start_signal="none", stop_signal="NONE")
answer(same=all(signal.getsignal(number) == handler for number, handler in before.items()),
       original=signal.signal is original, signals=nogi_otel.status()["signals"])
with nogi_otel.window():
    sys.audit("app.event")
answer(exported=nogi_otel.status()["window"]["accounts"]["exported"])
"""
    )
    child = start_child(source)
    assert child.read_json() == {"same": True, "original": True, "signals": []}
    assert child.read_json() == {"exported": 1}
    assert child.finish() == 0


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


def test_a_signal_during_arming_or_release_never_kills(start_child: Callable[..., Any]) -> None:
    """USR1 and USR2 sent without a pause while the program arms and gives back, over and over."""
    source = (
        PRELUDE
        + """
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
answer(ready=True)
for _ in range(30):
    instrument()
    with nogi_otel.window():
        sys.audit("app.event")
    nogi_otel.NogiInstrumentor().uninstrument()
answer(left=[signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN,
             signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN])
wait_for_threads(1)
"""
    )
    child = start_child(source)
    child.read_json()
    pause = Event()
    for number in range(600):
        if child.process.poll() is not None:
            break
        os.kill(child.pid, (signal.SIGUSR1, signal.SIGUSR2)[number % 2])
        pause.wait(0.001)
    told = child.read_json()
    assert told == {"left": [True, True]}
    assert child.finish() == 0
