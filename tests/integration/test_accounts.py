"""The accounts of a window: what was raised, seen, and became of it, to the last event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

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
