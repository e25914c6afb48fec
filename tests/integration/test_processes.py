"""Forks, children of every kind and ends of every kind: no process hangs, no event is lost."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRELUDE = """
import json, os, signal, sys, threading, time
import nogi_otel

def answer(**values):
    sys.stdout.write(json.dumps(values) + "\\n")
    sys.stdout.flush()

def raise_events(name, count):
    for number in range(count):
        sys.audit(name, number)
"""

WATCHED = {
    "OTEL_PYTHON_NOGI_EVENTS": "app.*",
    "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
    "OTEL_PYTHON_NOGI_EMIT": "logs",
    "OTEL_TRACES_EXPORTER": "none",
}
ALARM_S = 25
"""A child that hangs is ended by its own alarm, and its exit status tells."""


@pytest.fixture
def environment(otel_environment: dict[str, str]) -> dict[str, str]:
    """The variables of an application that exports its own events to the receiver."""
    return {**otel_environment, **WATCHED}


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """An endpoint that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []
        done = threading.Event()

        def accept() -> None:
            server.settimeout(0.1)
            while not done.is_set():
                try:
                    held.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept, name="silent-endpoint")
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        done.set()
        thread.join()
        for one in held:
            one.close()


def count_by_process(collected: Any, event: str) -> dict[int, int]:
    """Return how many records of an event each process sent."""
    return Counter(one["attributes"]["process.pid"] for one in collected.audit_logs(event))


def wait_for_events(collected: Any, event: str, number: int) -> None:
    """Wait for exactly this number of records of an event: not one more comes with the end."""
    collected.wait_for(lambda one: len(one.audit_logs(event)) >= number, f"{number} {event}")


def assert_sums_up(accounts: dict[str, int]) -> None:
    """The parts of the accounts are what was seen."""
    parts = {key: value for key, value in accounts.items() if key not in {"seen", "dropped"}}
    assert sum(parts.values()) == accounts["seen"], accounts


def count_selected(accounts: dict[str, int]) -> int:
    """Return how many selected events were seen; ``os.fork`` itself is one that is filtered."""
    return accounts["seen"] - accounts["filtered"]


def test_a_fork_goes_on_under_its_own_accounts(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """A fork's child captures under the same selection, with its own pid, window and accounts."""
    child = start_child(
        PRELUDE
        + f"""
nogi_otel.open_gate()
raise_events("app.parent", 10)
pid = os.fork()
if pid == 0:
    signal.alarm({ALARM_S})
    raise_events("app.child", 5)
    raise_events("other.child", 5)
    nogi_otel.flush()
    answer(pid=os.getpid(), **nogi_otel.status()["window"])
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
raise_events("app.parent", 10)
window = nogi_otel.status()["window"]["id"]
answer(window=window, accounts=nogi_otel.close_gate())
""",
        environment=environment,
        instrumented=True,
    )
    forked, parent = child.read_json(), child.read_json()
    assert child.finish() == 0, child.errors
    assert count_selected(parent["accounts"]) == parent["accounts"]["exported"] == 20
    assert count_selected(forked["accounts"]) == forked["accounts"]["exported"] == 5
    assert forked["accounts"]["filtered"] == 5
    assert forked["opened_by"] == f"fork of {parent['window']}"
    assert forked["id"] != parent["window"]
    assert_sums_up(forked["accounts"])
    assert_sums_up(parent["accounts"])
    assert count_by_process(collected, "app.child") == {forked["pid"]: 5}
    assert count_by_process(collected, "app.parent") == {child.pid: 20}
    windows = {one["attributes"]["nogi.window.id"] for one in collected.audit_logs("app.child")}
    assert windows == {forked["id"]}


def test_fifty_forks_under_a_flood_lose_nothing(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """Fifty forks while four threads flood: every child ships its events, the parent all of its."""
    child = start_child(
        PRELUDE
        + f"""
done = threading.Event()
raised = [0] * 4

def flood(thread):
    while not done.is_set():
        sys.audit("app.parent", thread, raised[thread])
        raised[thread] += 1
        if raised[thread] % 20 == 0:
            time.sleep(0.01)

nogi_otel.open_gate()
threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
pids = []
statuses = []
for number in range(50):
    pid = os.fork()
    if pid == 0:
        signal.alarm({ALARM_S})
        raise_events("app.child", 3)
        os._exit(0 if nogi_otel.flush() else 3)
    pids.append(pid)
    if len(pids) - len(statuses) >= 5:
        statuses.append(os.waitpid(pids[len(statuses)], 0)[1])
for pid in pids[len(statuses):]:
    statuses.append(os.waitpid(pid, 0)[1])
done.set()
for thread in threads:
    thread.join()
answer(pids=pids, statuses=statuses, raised=sum(raised), accounts=nogi_otel.close_gate())
""",
        environment=environment,
        instrumented=True,
    )
    told = child.read_json(120)
    assert child.finish() == 0, child.errors
    assert told["statuses"] == [0] * 50
    accounts = told["accounts"]
    assert_sums_up(accounts)
    assert count_selected(accounts) == told["raised"]
    assert accounts["in_flight"] == 0
    assert count_by_process(collected, "app.child") == dict.fromkeys(told["pids"], 3)
    assert count_by_process(collected, "app.parent") == {child.pid: accounts["exported"]}


def test_a_fork_in_the_middle_of_the_first_opening_works(
    start_child: Callable[..., Any], environment: dict[str, str]
) -> None:
    """However soon a fork follows the first SIGUSR1, the child can open, ship, import and end."""
    child = start_child(
        PRELUDE
        + f"""
nogi_otel.NogiInstrumentor().instrument(pipeline="direct")
pids = []
os.kill(os.getpid(), signal.SIGUSR1)
for _ in range(40):
    sys.audit("app.parent")
    pid = os.fork()
    if pid == 0:
        signal.alarm({ALARM_S})
        nogi_otel.open_gate()
        sys.audit("app.child")
        shipped = nogi_otel.flush(20)
        import requests
        requests.Session
        os._exit(0 if shipped and nogi_otel.status()["window"]["accounts"]["exported"] == 1 else 3)
    pids.append(pid)
    time.sleep(0.01)
answer(statuses=[os.waitpid(pid, 0)[1] for pid in pids])
answer(exported=nogi_otel.close_gate()["exported"])
""",
        environment=environment,
    )
    statuses = child.read_json(120)["statuses"]
    exported = child.read_json()["exported"]
    assert child.finish() == 0, child.errors
    assert statuses == [0] * 40
    assert exported > 0, "the window came too late: no fork was in the middle of anything"


MULTIPROCESSING = (
    PRELUDE
    + """
import multiprocessing

def work(number, opens):
    if opens:
        nogi_otel.open_gate()
    raise_events("app.child", 50)

if __name__ == "__main__":
    method, opened = sys.argv[1:]
    if opened == "before":
        nogi_otel.open_gate()
    context = multiprocessing.get_context(method)
    opens = opened == "inside"
    children = [context.Process(target=work, args=(number, opens)) for number in range(3)]
    for one in children:
        one.start()
    for one in children:
        one.join()
    answer(codes=[one.exitcode for one in children], pids=[one.pid for one in children])
"""
)


@pytest.mark.parametrize("opened", ["before", "inside", "start"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_ship_all(
    method: str,
    opened: str,
    start_child: Callable[..., Any],
    collected: Any,
    environment: dict[str, str],
) -> None:
    """Three children with fifty events each: all arrive, whoever opened the window and when."""
    start = {"OTEL_PYTHON_NOGI_START": "open"} if opened == "start" else {}
    child = start_child(
        MULTIPROCESSING,
        method,
        opened,
        environment={**environment, **start},
        instrumented=True,
    )
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["codes"] == [0, 0, 0], child.errors
    waits = method != "fork" and opened == "before"  # a new interpreter inherits no window
    expected = {} if waits else dict.fromkeys(told["pids"], 50)
    assert count_by_process(collected, "app.child") == expected, child.errors


def test_a_pool_of_processes_ships_all(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """A hundred tasks of a ProcessPoolExecutor, one event each: a hundred records."""
    child = start_child(
        PRELUDE
        + """
from concurrent.futures import ProcessPoolExecutor

def work(number):
    sys.audit("app.task", number)
    return os.getpid()

if __name__ == "__main__":
    nogi_otel.open_gate()
    with ProcessPoolExecutor(4) as pool:
        pids = list(pool.map(work, range(100)))
    answer(pids=pids, accounts=nogi_otel.close_gate())
""",
        environment={**environment, "OTEL_PYTHON_NOGI_START": "open"},
        instrumented=True,
    )
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["accounts"]["exported"] == 0
    assert count_by_process(collected, "app.task") == Counter(told["pids"])
    numbers = [one["attributes"]["python.audit.args"] for one in collected.audit_logs("app.task")]
    assert sorted(json.loads(one)[0] for one in numbers) == list(range(100))


def test_a_pool_of_threads_ships_all(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """A hundred tasks of a ThreadPoolExecutor: a hundred records, each with its thread's name."""
    child = start_child(
        PRELUDE
        + """
from concurrent.futures import ThreadPoolExecutor

nogi_otel.open_gate()
with ThreadPoolExecutor(8, thread_name_prefix="worker") as pool:
    list(pool.map(lambda number: sys.audit("app.task", number), range(100)))
answer(accounts=nogi_otel.close_gate())
""",
        environment=environment,
        instrumented=True,
    )
    accounts = child.read_json()["accounts"]
    assert child.finish() == 0, child.errors
    assert accounts["exported"] == 100
    records = collected.audit_logs("app.task")
    assert len(records) == 100
    assert all(one["attributes"]["thread.name"].startswith("worker_") for one in records)
    assert not any(one.get("traceId") for one in records)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit(5)", 5),
        ("raise LookupError('unhandled')", 1),
        ("nogi_otel.flush(); os._exit(6)", 6),
        ("signal.raise_signal(signal.SIGINT)", -2),
        ("threading.Thread(target=raise_events, args=('app.tail', 0)).start()", 0),
    ],
    ids=["end", "exit", "exception", "_exit", "interrupt", "thread"],
)
def test_the_tail_is_flushed_at_the_end(
    end: str,
    code: int,
    start_child: Callable[..., Any],
    collected: Any,
    environment: dict[str, str],
) -> None:
    """Events raised right before the end of a process arrive, however it ends of its own will."""
    child = start_child(
        PRELUDE
        + f"""
nogi_otel.open_gate()
answer(ready=True)
raise_events("app.tail", 700)
{end}
""",
        environment=environment,
        instrumented=True,
    )
    child.read_json()
    assert child.finish() == code, child.errors
    assert len(collected.audit_logs("app.tail")) == 700
    (closed,) = collected.named("nogi.window.closed") or [{"attributes": {}}]
    if end and "_exit" not in end:
        assert closed["attributes"]["nogi.window.exported"] == 700
        assert closed["attributes"]["nogi.window.closed_by"] == "exit"
    assert ("unhandled" in child.errors) == ("unhandled" in end)
    assert "nogi" not in child.errors


def test_a_termination_is_the_default_one(
    start_child: Callable[..., Any], environment: dict[str, str]
) -> None:
    """SIGTERM ends a process with the gate open at once, as it always did."""
    child = start_child(
        PRELUDE
        + """
nogi_otel.open_gate()
raise_events("app.event", 100)
answer(ready=True)
while True:
    time.sleep(1)
""",
        environment=environment,
        instrumented=True,
    )
    child.read_json()
    child.kill(signal.SIGTERM)
    assert child.finish() == -signal.SIGTERM


def test_exec_begins_a_new_program_that_is_armed(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """What was flushed before ``os.execv`` arrives; the new program is armed, with no window."""
    child = start_child(
        PRELUDE
        + """
if len(sys.argv) == 1:
    nogi_otel.open_gate()
    raise_events("app.before", 10)
    nogi_otel.flush()
    os.execv(sys.executable, [sys.executable, __file__, "again"])
answer(**nogi_otel.status())
signal.raise_signal(signal.SIGUSR1)
while nogi_otel.status()["state"] != "open":
    time.sleep(0.01)
raise_events("app.after", 10)
""",
        environment=environment,
        instrumented=True,
    )
    status = child.read_json()
    assert child.finish() == 0, child.errors
    assert status["pid"] == child.pid
    assert status["state"] == "armed"
    assert status["hook_installed"] is False
    assert count_by_process(collected, "app.before") == {child.pid: 10}
    assert count_by_process(collected, "app.after") == {child.pid: 10}
    windows = {one["attributes"]["nogi.window.id"] for one in collected.audit_logs()}
    assert len(windows) == 2


def test_subprocesses_start_while_the_gate_is_open(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """With and without ``preexec_fn``, under a flood: none hangs, all are recorded."""
    child = start_child(
        PRELUDE
        + """
import subprocess
done = threading.Event()

def flood():
    while not done.is_set():
        sys.audit("app.flood")
        time.sleep(0.001)

def prepare():
    sys.audit("app.between")
    open(os.devnull).close()

nogi_otel.open_gate(events="app.*,subprocess.Popen")
thread = threading.Thread(target=flood)
thread.start()
outputs = []
for number in range(20):
    keywords = {"preexec_fn": prepare} if number % 2 else {}
    echo = ["/bin/echo", str(number)]
    outputs.append(subprocess.run(echo, stdout=-1, timeout=20, **keywords).stdout)
done.set()
thread.join()
answer(outputs=[int(one) for one in outputs], accounts=nogi_otel.close_gate())
""",
        environment=environment,
        instrumented=True,
    )
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["outputs"] == list(range(20))
    assert_sums_up(told["accounts"])
    assert count_by_process(collected, "subprocess.Popen") == {child.pid: 20}


def test_a_python_subprocess_is_armed_itself(
    start_child: Callable[..., Any], collected: Any, environment: dict[str, str]
) -> None:
    """A Python program that an instrumented one starts is armed, and opens by its own signal."""
    child = start_child(
        PRELUDE
        + """
import subprocess
if len(sys.argv) == 1:
    nogi_otel.open_gate()
    command = [sys.executable, __file__, "child"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGUSR1)
    second = json.loads(process.stdout.readline())
    answer(pid=process.pid, first=first, second=second, code=process.wait(20))
else:
    answer(state=nogi_otel.status()["state"])
    while nogi_otel.status()["state"] != "open":
        time.sleep(0.01)
    raise_events("app.child", 10)
    answer(state=nogi_otel.status()["state"])
""",
        environment=environment,
        instrumented=True,
    )
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert (told["first"], told["second"]) == ({"state": "armed"}, {"state": "open"})
    assert told["code"] == 0
    assert count_by_process(collected, "app.child") == {told["pid"]: 10}


def test_a_fork_under_a_stuck_receiver_hangs_nobody(
    start_child: Callable[..., Any], silent_endpoint: str
) -> None:
    """With an export under way that never ends, forks live, flush in vain and leave in time."""
    child = start_child(
        PRELUDE
        + f"""
nogi_otel.open_gate()
raise_events("app.parent", 1000)
drain = nogi_otel.agent.get_agent().drain
answer(flushed=nogi_otel.flush(0.5))  # so an export is under way
pids = []
for number in range(5):
    pid = os.fork()
    if pid == 0:
        signal.alarm({ALARM_S})
        raise_events("app.child", 5)
        answer(flushed=nogi_otel.flush(0.1), accounts=nogi_otel.status()["window"]["accounts"])
        sys.exit(0) if number % 2 else os._exit(0)
    pids.append(pid)
answer(statuses=[os.waitpid(pid, 0)[1] for pid in pids])
answer(accounts=nogi_otel.close_gate(0.1))
""",
        environment={
            **WATCHED,
            "OTEL_EXPORTER_OTLP_ENDPOINT": silent_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "120",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT": "0.5",
            "OTEL_PYTHON_NOGI_PIPELINE": "direct",
        },
        instrumented=True,
    )
    told = [child.read_json() for _ in range(8)]
    forked = [one["accounts"] for one in told if "accounts" in one][:-1]
    assert not any(one["flushed"] for one in told if "flushed" in one)
    (statuses,) = [one["statuses"] for one in told if "statuses" in one]
    assert statuses == [0] * 5
    assert [count_selected(one) for one in forked] == [5] * 5
    for accounts in (*forked, told[-1]["accounts"]):
        assert_sums_up(accounts)
    assert count_selected(told[-1]["accounts"]) == 1000
    assert child.finish() == 0, child.errors


def test_arming_again_audits_every_thread(start_child: Callable[..., Any]) -> None:
    """A thread that gets the ident of the drain that has ended is audited like any other."""
    child = start_child(
        PRELUDE
        + """
from nogi_otel import agent

settings = {"events": "app.*", "emit": "none", "recording": os.devnull}
recycled, seen = 0, []

def run():
    global recycled
    recycled += threading.get_ident() == drain
    nogi_otel.open_gate()
    raise_events("app.event", 10)
    seen.append(nogi_otel.close_gate()["seen"])

for _ in range(200):
    agent.arm(settings)
    nogi_otel.open_gate()
    nogi_otel.flush()
    drain = agent.get_agent().drain.thread_id
    agent.disarm()
    agent.arm(settings)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    agent.disarm()
    if recycled >= 3:
        break
answer(recycled=recycled, seen=seen)
"""
    )
    told = child.read_json(60)
    assert child.finish() == 0, child.errors
    assert told["recycled"] >= 3, "no thread got the drain's ident: nothing was tested"
    assert set(told["seen"]) == {10}, told["seen"]


def test_our_own_thread_is_not_audited(start_child: Callable[..., Any]) -> None:
    """The start and the work of the drain raise events; none of them is recorded or counted."""
    child = start_child(
        PRELUDE
        + """
import logging
from nogi_otel import agent

shown = []
settings = {"events": "everything", "emit": "none", "recording": os.devnull}
agent.arm(settings, lambda event, data: shown.append(event))
for _ in range(3):
    nogi_otel.open_gate()
    accounts = nogi_otel.close_gate()
    answer(shown=shown, seen=accounts["seen"])
"""
    )
    told = [child.read_json() for _ in range(3)]
    assert child.finish() == 0, child.errors
    assert told == [{"shown": [], "seen": 0}] * 3


def test_a_flood_of_signals_leaves_a_gate_that_works(start_child: Callable[..., Any]) -> None:
    """Signals that open and close while the program does the same leave both working."""
    child = start_child(
        PRELUDE
        + """
import random
from nogi_otel import agent

settings = {"events": "app.*", "emit": "none", "recording": os.devnull, "cpu_budget": 0}
agent.arm(settings)
random.seed(7)

def disturb(*_):
    signal.raise_signal(random.choice((signal.SIGUSR1, signal.SIGUSR2)))

signal.signal(signal.SIGALRM, disturb)
seen = []
for _ in range(60):
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    for _ in range(20):
        nogi_otel.open_gate()
        sys.audit("app.disturbed")
        nogi_otel.close_gate(0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    nogi_otel.close_gate(0)
    nogi_otel.open_gate()
    raise_events("app.event", 5)
    accounts = nogi_otel.close_gate()
    seen.append((accounts["seen"], accounts["exported"]))
nogi_otel.flush()
answer(seen=seen, state=nogi_otel.status()["state"])
"""
    )
    told = child.read_json(60)
    assert child.finish() == 0
    assert told["seen"] == [[5, 5]] * 60
    assert told["state"] == "armed"
    assert child.errors == ""
