"""Giving back: handlers, ``signal.signal``, the thread; and arming where that cannot be."""

from __future__ import annotations

import os
import signal
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
