"""Receivers that fail: without harm to the application, and with every loss counted."""

from __future__ import annotations

import socket
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ANY = Address("127.0.0.1", 0)


PRELUDE = """
import json, logging, os, signal, socket, sys, threading, time
import nogi_otel
from opentelemetry import _logs, trace

def answer(**values):
    print(json.dumps(values), flush=True)

def listen():
    return sys.stdin.readline().strip()

def account():
    return nogi_otel.status()["window"]["accounts"]

tracer = trace.get_tracer("test")
logger = _logs.get_logger("test")
"""


RECEIVER = """
import sys
from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address
server = Receiver(lambda signal, message: None,
                  http=Address("127.0.0.1", 0), grpc=Address("127.0.0.1", 0))
server.start()
print(server.http.endpoint, flush=True)
print(server.grpc.endpoint, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """An address whose connections are accepted, and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_endpoint() -> str:
    """An address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


PACED = (
    PRELUDE
    + """
SLICE_S = 0.15

def request():
    with tracer.start_as_current_span("request"):
        for number in range(5):
            sys.audit("app.step", number, "some text")
        sum(range(30_000))  # about a millisecond of work

def count_requests():
    done, longest, last = 0, 0.0, time.monotonic()
    end = last + SLICE_S
    while last < end:
        request()
        done += 1
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return done, longest

nogi_otel.open_gate()   # what is made once is made before the comparison
nogi_otel.close_gate(0)
count_requests()
closed, opened, longest = 0, 0, 0.0
answer(ready=True)
for round in range(6):
    closed += count_requests()[0]
    nogi_otel.open_gate()
    if round == 2:
        answer(half=True)
    done, pause = count_requests()
    opened, longest = opened + done, max(longest, pause)
    nogi_otel.close_gate(0)
answer(closed=closed, opened=opened, longest=longest)
listen()
"""
)


@pytest.mark.parametrize(
    ("fault", "protocol"),
    [
        ("unreachable", "http/protobuf"),
        ("silent", "http/protobuf"),
        ("silent", "grpc"),
        ("killed", "http/protobuf"),
        ("killed", "grpc"),
    ],
)
def test_a_broken_receiver_slows_nothing(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    closed_endpoint: str,
    silent_endpoint: str,
    fault: str,
    protocol: str,
) -> None:
    """Unreachable, silent or killed in mid-window: as many requests as with a closed gate.

    As many means more than a third: the capture has its cost, and the machine may be busy. A wait
    for the receiver would leave next to none, and one pause of a second and more.
    """
    server = None
    endpoint = {"unreachable": closed_endpoint, "silent": silent_endpoint}.get(fault, "")
    if fault == "killed":
        server = start_child(RECEIVER)
        endpoints = server.read_line(), server.read_line()
        endpoint = endpoints[protocol == "grpc"]
    child = start_child(
        PACED,
        environment={
            **otel_environment,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "8",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT": "0.2",
        },
        instrumented=True,
    )
    child.read_json()
    child.read_json()
    if server is not None:
        server.process.kill()
    told = child.read_json()
    assert told["opened"] > told["closed"] / 3
    assert told["longest"] < 0.8
    child.end()


@pytest.mark.parametrize(
    ("fault", "pipeline", "protocol"),
    [
        ("unreachable", "direct", "http/protobuf"),
        ("unreachable", "direct", "grpc"),
        ("silent", "direct", "http/protobuf"),
        ("silent", "direct", "grpc"),
        ("silent", "provider", "http/protobuf"),
        ("unreachable", "provider", "grpc"),
    ],
)
def test_a_broken_receiver_delays_the_exit_by_no_more_than_the_deadline(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    closed_endpoint: str,
    silent_endpoint: str,
    fault: str,
    pipeline: str,
    protocol: str,
) -> None:
    """FLUSH_TIMEOUT=0.5 and a receiver that is no good: the program ends within that, and slack.

    With the provider's pipeline the program logs records of its own, before and at its end, and
    waits without us as well: for the export that is under way and for the next one. It waits no
    longer with us.
    """
    source = """
    import sys
    from opentelemetry import _logs

    def log():
        if sys.argv[1] == "provider":
            _logs.get_logger("test").emit(_logs.LogRecord(body="own"))

    log()
    if sys.argv[1] == "provider":
        (processor,) = (
            _logs.get_logger_provider()._multi_log_record_processor._log_record_processors
        )
        while processor._batch_processor._queue:  # until the first export is under way
            pass
    for number in range(3000):
        sys.audit("app.event", number)
    print("ready", flush=True)
    sys.stdin.readline()
    log()
    """
    # The slack is less than what one export may take here: an exit that waits for one more than
    # the program itself has to is found out.
    timeout_s, slack_s = (3, 2) if pipeline == "provider" else (6, 3)
    environment = {
        **otel_environment,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": closed_endpoint
        if fault == "unreachable"
        else silent_endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(timeout_s),
        "OTEL_PYTHON_NOGI_EVENTS": "app.*",
        "OTEL_PYTHON_NOGI_START": "open",
        "OTEL_PYTHON_NOGI_PIPELINE": pipeline,
        "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT": "0.5",
    }
    took = []
    for disabled in ("nogi", ""):
        child = start_child(
            source,
            pipeline,
            environment={**environment, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled},
            instrumented=True,
        )
        assert child.read_line() == "ready"
        began = monotonic()
        assert child.finish() == 0, child.errors
        took.append(monotonic() - began)
    without, with_us = took
    assert with_us < without + 0.5 + slack_s


def test_what_a_dying_receiver_loses_is_counted(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """It dies in the window and comes back: received = exported, the rest is told as dropped."""
    source = (
        PRELUDE
        + """
raised = 0

def raise_some(count):
    global raised
    for _ in range(count):
        sys.audit("app.event", raised)
        raised += 1

nogi_otel.NogiInstrumentor().instrument(events="app.*", pipeline="direct", cpu_budget=0)
nogi_otel.open_gate()
raise_some(700)
nogi_otel.flush(20)
answer(**account())
listen()
raise_some(700)
nogi_otel.flush(20)
answer(**account())
listen()
raise_some(700)
nogi_otel.flush(20)
answer(raised=raised, **nogi_otel.close_gate(20))
"""
    )
    with Receiver(collected.take, http=ANY, grpc=ANY) as server:
        address = server.http
        child = start_child(
            source,
            environment={
                **otel_environment,
                "OTEL_EXPORTER_OTLP_ENDPOINT": address.endpoint,
                "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            },
        )
        first = child.read_json()
        assert (first["exported"], first["dropped"]) == (700, 0)
    child.say("the receiver is gone")
    second = child.read_json()
    assert (second["exported"], second["export_failed"]) == (700, 700)
    with Receiver(collected.take, http=Address(address.host, address.port), grpc=ANY):
        child.say("it is back")
        last = child.read_json()
        assert child.finish() == 0, child.errors
    assert last["raised"] == 2100 == last["seen"] - last["filtered"]
    assert last["in_flight"] == 0
    assert last["exported"] == 1400 == len(collected.audit_logs("app.event"))
    assert last["dropped"] == last["export_failed"] == 700
    gaps = collected.named("python.audit.dropped")
    assert sum(one["attributes"]["python.audit.dropped.count"] for one in gaps) == 700
    (closed,) = collected.named("nogi.window.closed")
    assert closed["attributes"]["nogi.window.dropped"] == 700


def test_the_end_is_told_after_all_that_came_before_it(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """Closed while an export hangs: the tail is shipped first, then the end with its accounts."""
    source = (
        PRELUDE
        + """
nogi_otel.NogiInstrumentor().instrument(events="app.*", pipeline="direct", cpu_budget=0)
nogi_otel.open_gate()
for number in range(10):
    sys.audit("app.event", number)
listen()  # the receiver holds the first batch
for number in range(10, 20):
    sys.audit("app.event", number)
signal.raise_signal(signal.SIGUSR2)
while nogi_otel.status()["state"] != "armed":
    pass
answer(closed=True)
listen()
answer(**account())
"""
    )
    holding, goes_on = threading.Event(), threading.Event()

    def take(signal_name: str, message: Any) -> None:
        collected.take(signal_name, message)
        if collected.audit_logs():
            holding.set()
            goes_on.wait(30)

    with Receiver(take, http=ANY, grpc=ANY) as server:
        child = start_child(
            source,
            environment={**otel_environment, "OTEL_EXPORTER_OTLP_ENDPOINT": server.http.endpoint},
        )
        assert holding.wait(30)
        child.say("held")
        child.read_json()
        # Longer than a closed window waits for threads that were inside the hook.
        assert not goes_on.wait(0.3)
        goes_on.set()
        (closed,) = collected.wait_for(lambda c: c.named("nogi.window.closed"), "the end")
        before = [record["eventName"] for record in collected.logs]
        child.say("go")
        accounts = child.read_json()
        assert child.finish() == 0, child.errors
    assert before == ["nogi.window.opened", *["python.audit.app.event"] * 20, "nogi.window.closed"]
    assert closed["attributes"]["nogi.window.exported"] == 20 == accounts["exported"]
    assert closed["attributes"]["nogi.window.in_flight"] == 0


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("pipeline", ["direct", "provider"])
def test_the_exports_themselves_are_never_audited(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    receiver: Receiver,
    collected: Any,
    protocol: str,
    pipeline: str,
) -> None:
    """EVENTS=everything: only what the application's own threads do is seen, over many exports."""
    source = (
        PRELUDE
        + """
from opentelemetry import metrics
metrics.get_meter("test").create_counter("beat").add(1)

def work():
    for number in range(40):
        with tracer.start_as_current_span("request"):
            sys.audit("app.work", number)
            logger.emit(_logs.LogRecord(body=f"own {number}"))
        time.sleep(0.01)

def measure():
    before = account()
    listen()
    return before, account()

os.kill(os.getpid(), signal.SIGUSR1)
while nogi_otel.status()["state"] != "open":
    time.sleep(0.001)
thread = threading.Thread(target=work, name="worker")
thread.start()
thread.join()
nogi_otel.flush()
answer(ready=True)
account()
before, after = measure()
answer(before=before, after=after, threads=[threading.main_thread().ident, thread.ident])
"""
    )
    endpoint = receiver.grpc if protocol == "grpc" else receiver.http
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.endpoint,
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": "40",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "OTEL_BLRP_SCHEDULE_DELAY": "20",
            "OTEL_PYTHON_NOGI_EVENTS": "everything",
            "OTEL_PYTHON_NOGI_PIPELINE": pipeline,
            "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
        },
        instrumented=True,
    )
    child.read_json()
    seen = len(collected.of("metrics"))
    collected.wait_for(lambda c: len(c.of("metrics")) >= seen + 20, "twenty more exports")
    child.say("go")
    told = child.read_json()
    assert child.finish() == 0, child.errors
    idle = {name: told["after"][name] - count for name, count in told["before"].items()}
    assert idle == dict.fromkeys(idle, 0), "an idle application was audited"
    records = collected.audit_logs()
    assert len(collected.audit_logs("app.work")) == 40
    foreign = [
        (one["attributes"]["python.audit.event"], one["attributes"].get("thread.name"))
        for one in records
        if one["attributes"]["thread.id"] not in told["threads"]
    ]
    assert foreign == []
    assert len([one for one in collected.logs if str(one["body"]).startswith("own ")]) == 40
