"""An armed process: what it runs before, at and after its first opening."""

from __future__ import annotations

import signal
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
    nogi_otel.NogiInstrumentor().instrument(**settings)
"""


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
