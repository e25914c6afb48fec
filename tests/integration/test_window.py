"""A window as the operator sees it: opened, closed, bounded, accounted for, in a real process."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel import environment_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


VARIABLES = sorted(name for name in vars(environment_variables) if name.startswith("OTEL_"))

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


LOAD_AND_LOOK = """
import json, os, signal, sys
hooks = []
sys.addaudithook(lambda event, arguments: event == "sys.addaudithook" and hooks.append(event))

from opentelemetry.instrumentation.auto_instrumentation import initialize
initialize()

def look():
    descriptors = []  # kinds: socket, pipe, anon_inode; a file's path begins with /
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptors.append(os.readlink(f"/proc/self/fd/{name}").split(":")[0])
        except FileNotFoundError:
            pass
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": sorted(name if name[0] != "/" else "file" for name in descriptors),
        "hooks": len(hooks),
        "modules": sorted(name for name in sys.modules if name.startswith("nogi_otel.")),
    }

for number in range(100):
    sys.audit("app.before", number)
print(json.dumps(look()), flush=True)
sys.stdin.readline()
sys.audit("app.after")
print(json.dumps(look()), flush=True)
"""


def test_an_armed_process_runs_no_hook_thread_or_socket(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """Before the first opening: threads and descriptors of a process without us, no hook."""
    plain = start_child(
        LOAD_AND_LOOK,
        environment={**otel_environment, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "nogi"},
    )
    armed = start_child(LOAD_AND_LOOK, environment=otel_environment)
    without, with_us = plain.read_json(), armed.read_json()
    assert with_us["hooks"] == 0
    assert with_us["threads"] == without["threads"]
    assert with_us["descriptors"] == without["descriptors"]
    assert "nogi_otel.agent" in with_us["modules"]
    loaded = set(with_us["modules"])
    assert not loaded & {"nogi_otel.capture._python", "nogi_otel.outlets", "nogi_otel.otlp"}
    for child in (plain, armed):
        child.say("go")
        child.read_json()
        assert child.finish() == 0
    assert collected.logs == []


def test_the_first_opening_adds_one_hook_and_one_thread(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """SIGUSR1 adds one audit hook and one thread, and only what comes after it is recorded."""
    child = start_child(
        LOAD_AND_LOOK, environment={**otel_environment, "OTEL_PYTHON_NOGI_EVENTS": "app.*"}
    )
    before = child.read_json()
    child.kill(signal.SIGUSR1)
    collected.wait_for(lambda c: c.named("nogi.window.opened"), "the window is opened")
    child.say("go")
    after = child.read_json()
    assert after["hooks"] == before["hooks"] + 1 == 1
    assert after["threads"] == before["threads"] + 1
    assert child.finish() == 0
    assert [one["attributes"]["python.audit.event"] for one in collected.audit_logs()] == [
        "app.after"
    ]


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


def test_a_stop_before_any_start_makes_nothing(start_child: Callable[..., Any]) -> None:
    """USR2 in an armed process that was never opened starts no thread and installs no hook."""
    source = (
        PRELUDE
        + """
instrument()
threads = os.listdir("/proc/self/task")
os.kill(os.getpid(), signal.SIGUSR2)
answer(same=threads == os.listdir("/proc/self/task"), **nogi_otel.status())
"""
    )
    child = start_child(source)
    told = child.read_json()
    assert child.finish() == 0
    assert told["same"]
    assert (told["state"], told["hook_installed"], told["drain_running"]) == ("armed", False, False)


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


def test_start_open_opens_before_the_program(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """OTEL_PYTHON_NOGI_START=open captures from the first line of the program on."""
    source = """
    import sys
    sys.audit("app.first")
    import nogi_otel
    print(nogi_otel.status()["window"]["opened_by"], flush=True)
    """
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_START": "open",
        },
        instrumented=True,
    )
    assert child.read_line() == "start"
    assert child.finish() == 0
    assert len(collected.audit_logs("app.first")) == 1
    (closed,) = collected.named("nogi.window.closed")
    assert closed["attributes"]["nogi.window.closed_by"] == "exit"


def test_the_context_manager_watches_a_stretch(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """``window()`` ships on leaving, also by an exception; a nested one changes nothing."""
    source = (
        PRELUDE
        + """
instrument(events="app.*", pipeline="direct")
sys.audit("app.before")
with nogi_otel.window() as outer:
    sys.audit("app.outer", 1)
    with nogi_otel.window(events="nothing.*") as inner:
        sys.audit("app.inner")
    sys.audit("app.outer", 2)
    state = nogi_otel.status()["state"]
sys.audit("app.between")
try:
    with nogi_otel.window():
        sys.audit("app.failing")
        raise KeyError("application")
except KeyError as error:
    caught = error.args[0]
sys.audit("app.after")
answer(same=outer.window_id == inner.window_id, state=state, caught=caught,
       end=nogi_otel.status()["state"])
listen()
os._exit(0)
"""
    )
    child = start_child(source, environment=otel_environment)
    told = child.read_json()
    assert told == {"same": True, "state": "open", "caught": "application", "end": "armed"}
    names = [one["attributes"]["python.audit.event"] for one in collected.audit_logs()]
    assert names == ["app.outer", "app.inner", "app.outer", "app.failing"]
    child.say("go")
    assert child.finish() == 0


def test_open_gate_takes_settings_for_one_window(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """The settings of ``open_gate`` hold for its window; the next has the process's again."""
    source = (
        PRELUDE
        + """
instrument(events="app.usual", pipeline="direct")

def raise_both():
    sys.audit("app.usual")
    sys.audit("app.special")

nothing = nogi_otel.close_gate()
first = nogi_otel.open_gate(events="app.special")
again = nogi_otel.open_gate(events="app.usual")
raise_both()
accounts = nogi_otel.close_gate()
second = nogi_otel.open_gate()
raise_both()
nogi_otel.close_gate()
refused = []
for settings in ({"events": 3}, {"max_events": -1}, {"buffer": "1MiB"}, {"nonsense": 1}):
    try:
        nogi_otel.open_gate(**settings)
    except nogi_otel.NogiError as error:
        refused.append(str(error))
answer(windows=[first, again, second], accounts=accounts, refused=refused,
       state=nogi_otel.status()["state"], nothing=nothing)
"""
    )
    child = start_child(source, environment=otel_environment)
    told = child.read_json()
    assert child.finish() == 0
    first, again, second = told["windows"]
    assert first == again != second
    assert told["accounts"]["exported"] == 1
    seen = [
        (one["attributes"]["python.audit.event"], one["attributes"]["nogi.window.id"])
        for one in collected.audit_logs()
    ]
    assert seen == [("app.special", first), ("app.usual", second)]
    assert len(told["refused"]) == 4
    assert all(
        name in text
        for name, text in zip(
            ("events=3", "max_events=-1", "buffer", "nonsense"), told["refused"], strict=True
        )
    )
    assert told["state"] == "armed", "a refused setting must open nothing"
    assert told["nothing"] is None, "no window was ever open"


def test_status_tells_the_state(start_child: Callable[..., Any]) -> None:
    """``status()`` is plain JSON in every state: unarmed, armed, open, closed, given up."""
    source = (
        PRELUDE
        + """
def tell():
    status = nogi_otel.status()
    answer(**status)
tell()
instrument(recording=os.devnull, events="app.*")
tell()
nogi_otel.open_gate()
sys.audit("app.event")
tell()
nogi_otel.close_gate()
tell()
nogi_otel.NogiInstrumentor().uninstrument()
tell()
"""
    )
    child = start_child(source)
    unarmed, armed, opened, closed, released = (child.read_json() for _ in range(5))
    assert child.finish() == 0
    assert unarmed == released == {"state": "unarmed"}
    assert armed["state"] == "armed"
    assert armed["pid"] == child.pid
    assert armed["signals"] == ["SIGUSR1", "SIGUSR2"]
    assert (armed["window"], armed["hook_installed"], armed["drain_running"]) == (
        None,
        False,
        False,
    )
    assert (opened["state"], opened["hook_installed"]) == ("open", True)
    assert opened["core"] == "python"
    assert opened["window"]["opened_by"] == "api"
    assert opened["window"]["closed_ns"] is None
    assert (closed["state"], closed["window"]["closed_by"]) == ("armed", "api")
    assert closed["window"]["accounts"]["exported"] == 1
    assert closed["window"]["closed_ns"] > closed["window"]["opened_ns"]


ACCOUNTED = (
    PRELUDE
    + """
EACH = int(sys.argv[1])
instrument(pipeline="direct", recording=os.devnull)
nogi_otel.open_gate()          # starts the drain, whose start is an event of its own (3.12+)
nogi_otel.close_gate()

counted, counting = [], False
main = threading.main_thread()

def count(event, arguments):
    if counting and threading.current_thread().name.startswith(("Main", "app-")):
        counted.append(event)

sys.addaudithook(count)
barrier = threading.Barrier(5)

def work():
    barrier.wait()
    for number in range(EACH):
        sys.audit("app.kept", number)
        sys.audit("app.excluded", number)
        sys.audit("other.event", number)
    barrier.wait()
    barrier.wait()

threads = [threading.Thread(target=work, name=f"app-{n}", daemon=True) for n in range(4)]
for thread in threads:
    thread.start()
nogi_otel.open_gate()
counting = True
barrier.wait()
barrier.wait()
counting = False
accounts = nogi_otel.close_gate(30)
barrier.wait()
answer(accounts=accounts, counted=len(counted), kept=counted.count("app.kept"),
       after=nogi_otel.status()["window"]["accounts"], pending=nogi_otel.status()["pending"])
"""
)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"OTEL_PYTHON_NOGI_CPU_BUDGET": "0"}, None),
        ({"OTEL_PYTHON_NOGI_CPU_BUDGET": "0", "OTEL_PYTHON_NOGI_RATE_LIMIT": "50"}, "rate_limited"),
        ({"OTEL_PYTHON_NOGI_CPU_BUDGET": "0", "OTEL_PYTHON_NOGI_BUFFER": "64KiB"}, "ring_full"),
        ({"OTEL_PYTHON_NOGI_CPU_BUDGET": "0", "OTEL_PYTHON_NOGI_MAX_EVENTS": "100"}, "max_events"),
        (
            {"OTEL_PYTHON_NOGI_CPU_BUDGET": "0", "OTEL_PYTHON_NOGI_WHERE": 'event == "app.none"'},
            "filtered",
        ),
        ({"OTEL_PYTHON_NOGI_RATE_LIMIT": "400", "OTEL_PYTHON_NOGI_BUFFER": "64KiB"}, None),
    ],
    ids=["no limit", "rate limit", "tiny buffer", "max events", "condition", "all defaults"],
)
def test_every_event_is_accounted_for(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Any,
    settings: dict[str, str],
    reason: str | None,
) -> None:
    """Four threads at once: what was raised equals what was seen equals the sum of all parts."""
    each = 1500
    child = start_child(
        ACCOUNTED,
        str(each),
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_EXCLUDED_EVENTS": "app.excluded",
            **settings,
        },
    )
    told = child.read_json()
    assert child.finish() == 0, child.errors
    accounts = told["accounts"]
    parts = {name: n for name, n in accounts.items() if name not in {"seen", "dropped"}}
    assert told["kept"] == 4 * each
    assert accounts["in_flight"] == told["pending"] == 0
    assert accounts["seen"] == sum(parts.values())
    if reason == "max_events":  # there the window ends before the application does
        assert accounts["exported"] == 100
        assert accounts["seen"] <= told["counted"]
    else:
        assert accounts["seen"] == told["counted"]
        unwanted = told["counted"] - told["kept"]
        assert accounts["filtered"] - unwanted == (4 * each if reason == "filtered" else 0)
    assert accounts["exported"] == len(collected.audit_logs("app.kept"))
    assert not collected.audit_logs("app.excluded")
    if reason is None and len(settings) == 1:
        assert accounts["exported"] == 4 * each
    elif reason in accounts:
        assert accounts[reason] > 0
    gaps = [
        one["attributes"]["python.audit.dropped.count"]
        for one in collected.named("python.audit.dropped")
    ]
    assert sum(gaps) == accounts["dropped"], "the gaps told in band are all that was dropped"
    assert told["after"] == accounts


def test_what_waits_after_the_end_is_in_flight(
    start_child: Callable[..., Any], otel_environment: dict[str, str]
) -> None:
    """Closed while the receiver is silent: the accounts name what waits, and miss nothing."""
    source = (
        PRELUDE
        + """
import socket
server = socket.create_server(("127.0.0.1", 0))
instrument(events="app.*", pipeline="direct", flush_timeout=0.1,
           endpoint="http://127.0.0.1:%d" % server.getsockname()[1])
nogi_otel.open_gate()
for number in range(10):
    sys.audit("app.event", number)
told = [nogi_otel.status()["window"]["accounts"], nogi_otel.close_gate(0.1),
        nogi_otel.status()["window"]["accounts"]]
answer(told=told)
"""
    )
    child = start_child(source, environment=otel_environment)
    for accounts in child.read_json()["told"]:
        assert accounts["seen"] - accounts["filtered"] == 10
        assert accounts["in_flight"] == 10
    assert child.finish() == 0


BAD_VALUES = {
    "EVENTS": "%nonsense",
    "EXCLUDED_EVENTS": "%nonsense",
    "WHERE": 'file.path ~~ "x"',
    "EMIT": "smoke",
    "START_SIGNAL": "SIGKILL",
    "STOP_SIGNAL": "SIGNONSENSE",
    "START": "ajar",
    "MAX_DURATION": "-17",
    "MAX_EVENTS": "lots",
    "RATE_LIMIT": "fast",
    "CPU_BUDGET": "101",
    "SPAN_EVENT_LIMIT": "1.5",
    "CODE": "all",
    "REDACT": "broken=(",
    "UNREDACT": "no-such-rule",
    "RECORDING": "audit-{host}.jsonl",
    "PIPELINE": "fast",
    "ENDPOINT": "localhost:4318",
    "BUFFER": "12 bananas",
    "FLUSH_TIMEOUT": "soon",
}


def test_the_table_of_bad_values_is_complete() -> None:
    """Every variable has a value that it refuses, and a test of it."""
    assert sorted(f"OTEL_PYTHON_NOGI_{name}" for name in BAD_VALUES) == VARIABLES


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_bad_value_is_named_and_harmless(
    start_child: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """It names variable, value and what is allowed; the program runs; USR1 does not kill it."""
    source = (
        PRELUDE
        + """
instrument()
answer(ready=True)
listen()
answer(alive=True, state=nogi_otel.status()["state"])
"""
    )
    variable = f"OTEL_PYTHON_NOGI_{name}"
    child = start_child(
        source,
        environment={
            "OTEL_PYTHON_NOGI_RECORDING": str(tmp_path / "audit.jsonl"),
            "OTEL_PYTHON_NOGI_EMIT": "none",
            variable: BAD_VALUES[name],
        },
    )
    assert child.read_json() == {"ready": True}
    errors = child.errors
    assert variable in errors, "it is said when the process is armed"
    child.kill(signal.SIGUSR1)
    child.kill(signal.SIGUSR2)
    assert BAD_VALUES[name] in errors
    assert any(word in errors for word in ("Use ", "expected ", " only "))
    assert "Traceback" not in errors
    child.say("go")
    assert child.read_json() == {"alive": True, "state": "armed"}
    assert child.finish() == 0


@pytest.mark.parametrize(
    ("chosen", "number"),
    [("SIGRTMIN+3", int(signal.SIGRTMIN) + 3), ("SIGHUP", int(signal.SIGHUP))],
)
def test_a_bad_value_leaves_the_chosen_signal_harmless(
    start_child: Callable[..., Any], chosen: str, number: int
) -> None:
    """Where another setting is refused, the signal that the operator chose still does not kill."""
    source = (
        PRELUDE
        + """
instrument()
answer(signals=nogi_otel.status()["signals"])
listen()
answer(alive=True)
"""
    )
    child = start_child(
        source,
        environment={
            "OTEL_PYTHON_NOGI_START_SIGNAL": chosen,
            "OTEL_PYTHON_NOGI_STOP_SIGNAL": "none",
            "OTEL_PYTHON_NOGI_MAX_EVENTS": "lots",
        },
    )
    assert child.read_json() == {"signals": [chosen]}
    os.kill(child.pid, number)
    child.say("go")
    assert child.read_json() == {"alive": True}
    assert child.finish() == 0


def test_every_setting_is_a_flag_of_opentelemetry_instrument(
    start_child: Callable[..., Any], tmp_path: Path
) -> None:
    """``opentelemetry-instrument --nogi_events ...``: each variable has its flag."""
    given = {
        "EVENTS": "app.*",
        "EXCLUDED_EVENTS": "app.not",
        "WHERE": 'thread.name != "x"',
        "EMIT": "logs",
        "START_SIGNAL": "SIGRTMIN+4",
        "STOP_SIGNAL": "none",
        "START": "open",
        "MAX_DURATION": "17",
        "MAX_EVENTS": "18",
        "RATE_LIMIT": "19",
        "CPU_BUDGET": "20",
        "SPAN_EVENT_LIMIT": "21",
        "CODE": "location",
        "REDACT": "mine=abc",
        "UNREDACT": "*",
        "RECORDING": str(tmp_path / "flag.jsonl"),
        "PIPELINE": "provider",
        "ENDPOINT": "http://127.0.0.1:9",
        "BUFFER": "1MiB",
        "FLUSH_TIMEOUT": "0.25",
    }
    assert sorted(f"OTEL_PYTHON_NOGI_{name}" for name in given) == VARIABLES
    source = (
        PRELUDE
        + """
from nogi_otel import agent
status = nogi_otel.status()
answer(settings={key: getattr(agent.get_agent().settings, key)
                 for key in ("max_duration", "max_events", "cpu_budget", "span_event_limit",
                             "code", "recording", "pipeline", "endpoint", "buffer",
                             "flush_timeout", "events", "excluded_events", "where")},
       state=status["state"], signals=status["signals"],
       variables={key: value for key, value in os.environ.items() if "NOGI" in key})
"""
    )
    program = tmp_path / "program.py"
    program.write_text(source)
    launcher = """
    import os, sys
    tool = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    os.execv(tool, [tool, *sys.argv[1:]])
    """
    flags = [part for name, value in given.items() for part in (f"--nogi_{name.lower()}", value)]
    child = start_child(
        launcher,
        *flags,
        sys.executable,
        str(program),
        environment={"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
    )
    told = child.read_json()
    assert child.finish() == 0, child.errors
    assert told["variables"] == {f"OTEL_PYTHON_NOGI_{key}": value for key, value in given.items()}
    assert told["state"] == "open"
    assert told["signals"] == ["SIGRTMIN+4"]
    expected: dict[str, object] = {key.lower(): value for key, value in given.items()}
    expected |= {
        "max_duration": 17,
        "max_events": 18,
        "cpu_budget": 20,
        "span_event_limit": 21,
        "buffer": 1 << 20,
        "flush_timeout": 0.25,
    }
    assert told["settings"] == {key: expected[key] for key in told["settings"]}


def test_a_recording_needs_no_collector(start_child: Callable[..., Any], tmp_path: Path) -> None:
    """{pid} and {service} are filled in; the file is 0600 and holds OTLP JSON lines."""
    source = (
        PRELUDE
        + """
from opentelemetry import trace
with trace.get_tracer("test").start_as_current_span("request") as span:
    sys.audit("app.event", "v", 1 << 60)
    context = span.get_span_context()
sys.audit("app.outside")
answer(trace=f"{context.trace_id:032x}", span=f"{context.span_id:016x}")
"""
    )
    child = start_child(
        source,
        environment={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_SERVICE_NAME": "../my shop",
            "OTEL_PYTHON_NOGI_RECORDING": str(tmp_path / "new" / "{service}-{pid}.jsonl"),
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_START": "open",
        },
        instrumented=True,
    )
    ids = child.read_json()
    assert child.finish() == 0
    assert child.errors == "", child.errors
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == f"_my_shop-{child.pid}.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    records = []
    text = path.read_text()
    assert text.endswith("\n")
    for line in text.splitlines():
        data = json.loads(line)
        (resourced,) = data["resourceLogs"]
        assert {
            "key": "service.name",
            "value": {"stringValue": "../my shop"},
        } in resourced["resource"]["attributes"]
        (scoped,) = resourced["scopeLogs"]
        assert scoped["scope"]["name"] == "nogi_otel"
        records.extend(scoped["logRecords"])
    names = [record["eventName"] for record in records]
    assert names == [
        "nogi.window.opened",
        "python.audit.app.event",
        "python.audit.app.outside",
        "nogi.window.closed",
    ]
    for record in records:
        assert record["timeUnixNano"].isdecimal()
        assert record["observedTimeUnixNano"].isdecimal()
        assert record["severityNumber"] == 9
    inside, outside = records[1], records[2]
    assert (inside["traceId"], inside["spanId"]) == (ids["trace"], ids["span"])
    assert "traceId" not in outside
    attributes = {one["key"]: one["value"] for one in inside["attributes"]}
    assert attributes["python.audit.args"] == {"stringValue": f'["v",{1 << 60}]'}
    assert attributes["process.pid"] == {"intValue": str(child.pid)}


def test_without_an_sdk_there_is_one_warning(start_child: Callable[..., Any]) -> None:
    """No OpenTelemetry SDK configured: one warning when the gate first opens, nothing else."""
    source = (
        PRELUDE
        + """
instrument(events="app.*")
answer(ready=True)
for _ in range(3):
    listen()
    nogi_otel.open_gate()
    for number in range(1000):
        sys.audit("app.event", number)
    nogi_otel.close_gate()
    answer(**nogi_otel.status()["window"]["accounts"])
"""
    )
    child = start_child(source)
    child.read_json()
    assert child.errors == "", child.errors
    for _ in range(3):
        child.say("go")
        accounts = child.read_json()
        assert accounts["seen"] >= 1000
        assert accounts["exported"] == 0
    assert child.finish() == 0
    (line,) = child.errors.splitlines()
    assert line.startswith("WARNING ")
    assert "no OpenTelemetry SDK is configured" in line


def test_warnings_as_errors_change_nothing(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """A program that runs under ``-W error`` gets its window, its status and its accounts."""
    source = (
        PRELUDE
        + """
import warnings
instrument(events="app.*", pipeline="direct")
nogi_otel.open_gate()  # the exporters are imported before every warning is an error
nogi_otel.close_gate()
warnings.simplefilter("error")
nogi_otel.open_gate()
sys.audit("app.event")
nogi_otel.status()
answer(**nogi_otel.close_gate())
listen()
nogi_otel.flush()  # no request is under way when the process ends
"""
    )
    child = start_child(source, environment=otel_environment)
    accounts = child.read_json()
    assert accounts["exported"] == 1
    collected.wait_for(lambda c: len(c.named("nogi.window.closed")) == 2, "both ends")
    child.say("go")
    assert child.finish() == 0
    assert child.errors == "", child.errors


def test_uninstrument_right_after_a_start_leaves_no_window(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """``uninstrument()`` right after the first USR1 leaves no window open behind it."""
    source = (
        PRELUDE
        + """
instrument(events="app.*", pipeline="direct")
os.kill(os.getpid(), signal.SIGUSR1)
nogi_otel.NogiInstrumentor().uninstrument()
sys.audit("app.after")
instrument(events="app.*", pipeline="direct")
sys.audit("app.armed")
with nogi_otel.window():
    sys.audit("app.again")
answer(done=True)
"""
    )
    child = start_child(source, environment=otel_environment)
    child.read_json()
    assert child.finish() == 0
    names = [one["attributes"]["python.audit.event"] for one in collected.audit_logs()]
    assert names == ["app.again"]
    assert len(collected.named("nogi.window.opened")) == len(collected.named("nogi.window.closed"))
