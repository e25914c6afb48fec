"""What a program calls: it opens, closes and watches windows, and asks for the state."""

from __future__ import annotations

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
