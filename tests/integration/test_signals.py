"""Signals in a real process: ours and the application's both work, whoever came first."""

from __future__ import annotations

import signal
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
