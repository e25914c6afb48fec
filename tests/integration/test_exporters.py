"""The ways out: they fail without harm, count what is lost, and never audit themselves."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


class Backend:
    """An HTTP server that keeps what it is sent and answers with one status."""

    def __init__(self, status: int = 200) -> None:
        backend = self
        self.requests: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                backend.requests.append((self.path, headers))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="backend")
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def backend() -> Iterator[Backend]:
    """A backend that takes everything."""
    server = Backend()
    yield server
    server.stop()


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

    With the provider's pipeline the program logs a record of its own: it waits for that without us
    as well, and no longer with us.
    """
    source = """
    import sys
    from opentelemetry import _logs
    if sys.argv[1] == "provider":
        _logs.get_logger("test").emit(_logs.LogRecord(body="own"))
    for number in range(3000):
        sys.audit("app.event", number)
    print("ready", flush=True)
    sys.stdin.readline()
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


@pytest.mark.parametrize(
    ("pipeline", "queue"), [("auto", "512"), ("provider", "2048"), ("provider", "512")]
)
def test_a_flood_pushes_out_no_log_of_the_application(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Any,
    pipeline: str,
    queue: str,
) -> None:
    """10,000 audit events beside 200 log records of its own: every one of these arrives."""
    source = (
        PRELUDE
        + """
nogi_otel.open_gate()
for number in range(200):
    logger.emit(_logs.LogRecord(body=f"own {number}"))
    for step in range(50):
        sys.audit("app.event", number, step)
    time.sleep(0.002)
answer(**nogi_otel.close_gate(20))
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_BLRP_MAX_QUEUE_SIZE": queue,
            "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "32",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
            "OTEL_PYTHON_NOGI_BUFFER": "64MiB",
            "OTEL_PYTHON_NOGI_PIPELINE": pipeline,
        },
        instrumented=True,
    )
    accounts = child.read_json()
    assert child.finish() == 0, child.errors
    own = {one["body"] for one in collected.logs if str(one["body"]).startswith("own ")}
    assert len(own) == 200
    assert accounts["exported"] == 10_000
    assert len(collected.audit_logs("app.event")) == 10_000
    assert "Queue full" not in child.errors


WATCHED = (
    PRELUDE
    + """
from opentelemetry.sdk._logs import LogRecordProcessor, export
through_provider = []
kinds = {one for one in vars(export).values() if isinstance(one, type)
         and issubclass(one, LogRecordProcessor) and "on_emit" in vars(one)}
for kind in kinds:
    def on_emit(self, record, original=kind.on_emit):
        through_provider.append(record.log_record.event_name)
        return original(self, record)
    kind.on_emit = on_emit
"""
)


@pytest.mark.parametrize(
    ("setup", "environment", "direct"),
    [
        ("", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),
        ("", {"OTEL_PYTHON_NOGI_PIPELINE": "provider"}, False),
        ("", {"OTEL_LOGS_EXPORTER": "console"}, False),
        ("", {"OTEL_LOGS_EXPORTER": "console", "OTEL_PYTHON_NOGI_PIPELINE": "direct"}, True),
        ("", {"OTEL_LOGS_EXPORTER": "otlp,console"}, False),
        ("provider.add_log_record_processor(Custom())", {}, False),
        (
            "provider.add_log_record_processor(Custom())",
            {"OTEL_PYTHON_NOGI_PIPELINE": "direct"},
            True,
        ),
    ],
    ids=[
        "plain",
        "plain, grpc",
        "provider asked for",
        "console",
        "console, direct asked for",
        "two exporters",
        "custom processor",
        "custom processor, direct asked for",
    ],
)
def test_auto_is_direct_where_the_result_is_the_same(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    receiver: Receiver,
    collected: Any,
    setup: str,
    environment: dict[str, str],
    direct: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Direct for plain OTLP; the provider for a console, a second exporter, a custom processor."""
    source = (
        WATCHED
        + f"""
class Custom(LogRecordProcessor):
    def on_emit(self, record):
        pass
    def shutdown(self):
        pass
    def force_flush(self, timeout_millis=30000):
        return True

provider = _logs.get_logger_provider()
{setup}
with nogi_otel.window():
    sys.audit("app.event")
sys.stderr.write(json.dumps(through_provider))
"""
    )
    endpoint = receiver.grpc if "OTEL_EXPORTER_OTLP_PROTOCOL" in environment else receiver.http
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.endpoint,
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            **environment,
        },
        instrumented=True,
    )
    assert child.finish() == 0, child.errors
    assert ("python.audit.app.event" in child.errors) == (not direct)
    arrives = direct or environment.get("OTEL_LOGS_EXPORTER") != "console"
    assert len(collected.audit_logs("app.event")) == int(arrives)
    names = {"nogi.window.opened", "nogi.window.closed"}
    assert {one["eventName"] for one in collected.logs if "eventName" in one} >= (
        names if arrives else set()
    )


CONFIGURED_IN_CODE = (
    PRELUDE
    + """
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

endpoint = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/logs"
provider = LoggerProvider()
provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(SETTINGS)))
_logs.set_logger_provider(provider)
nogi_otel.NogiInstrumentor().instrument(events="app.*")
with nogi_otel.window():
    sys.audit("app.event")
provider.force_flush()
"""
)


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ("headers={'x-tenant': 'mine'}", "x-tenant", "mine"),
        ("endpoint=endpoint, headers={'authorization': 'Bearer 1'}", "authorization", "Bearer 1"),
        ("compression=Compression.Gzip", "content-encoding", "gzip"),
    ],
)
def test_auto_keeps_what_the_application_configured_in_code(
    start_child: Callable[..., Any],
    backend: Backend,
    settings: str,
    header: str,
    value: str,
) -> None:
    """Headers and compression given to the exporter in code stand on audit records as well."""
    child = start_child(
        CONFIGURED_IN_CODE.replace("SETTINGS", settings),
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": backend.endpoint},
    )
    assert child.finish() == 0, child.errors
    assert backend.requests
    assert {headers.get(header) for _, headers in backend.requests} == {value}


def test_auto_follows_an_endpoint_configured_in_code(
    start_child: Callable[..., Any], backend: Backend, closed_endpoint: str
) -> None:
    """An exporter made for another endpoint than the environment's: audit records go there too."""
    child = start_child(
        CONFIGURED_IN_CODE.replace("SETTINGS", f"endpoint='{backend.endpoint}/custom/logs'"),
        environment={"OTEL_EXPORTER_OTLP_ENDPOINT": closed_endpoint},
    )
    assert child.finish() == 0, child.errors
    assert {path for path, _ in backend.requests} == {"/custom/logs"}
    assert child.errors == "", child.errors


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_endpoint_of_its_own(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    receiver: Receiver,
    collected: Any,
    protocol: str,
) -> None:
    """OTEL_PYTHON_NOGI_ENDPOINT takes audit records alone; all else goes where it always went."""
    apart = type(collected)()
    source = (
        PRELUDE
        + """
with tracer.start_as_current_span("request"), nogi_otel.window():
    sys.audit("app.event")
    logger.emit(_logs.LogRecord(body="own"))
"""
    )
    with Receiver(apart.take, http=ANY, grpc=ANY) as second:
        own, usual = (
            (one.grpc if protocol == "grpc" else one.http).endpoint for one in (second, receiver)
        )
        child = start_child(
            source,
            environment={
                **otel_environment,
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                "OTEL_EXPORTER_OTLP_ENDPOINT": usual,
                "OTEL_PYTHON_NOGI_ENDPOINT": own,
                "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            },
            instrumented=True,
        )
        assert child.finish() == 0, child.errors
        (record,) = apart.audit_logs()
        assert [one["eventName"] for one in apart.logs] == [
            "nogi.window.opened",
            "python.audit.app.event",
            "nogi.window.closed",
        ]
        assert record["resource"]["service.name"] == "tested"
        assert apart.spans == []
    (span,) = collected.spans
    assert record["spanId"] == span["spanId"]
    assert [event["name"] for event in span["events"]] == ["python.audit.app.event"]
    assert [one["body"] for one in collected.logs] == ["own"]


def test_an_endpoint_for_logs_is_followed(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    closed_endpoint: str,
    receiver: Receiver,
    collected: Any,
) -> None:
    """OTEL_EXPORTER_OTLP_LOGS_ENDPOINT and _PROTOCOL hold for the direct way out as well."""
    source = (
        PRELUDE
        + """
with nogi_otel.window():
    sys.audit("app.event")
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": closed_endpoint,
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.grpc.endpoint,
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_PIPELINE": "direct",
        },
        instrumented=True,
    )
    assert child.finish() == 0, child.errors
    assert len(collected.audit_logs("app.event")) == 1
    assert child.errors == "", child.errors


@pytest.mark.parametrize("pipeline", ["auto", "provider"])
def test_a_disabled_sdk_exports_nothing(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Any,
    pipeline: str,
) -> None:
    """OTEL_SDK_DISABLED=true switches audit records off like all other telemetry."""
    source = (
        PRELUDE
        + """
with nogi_otel.window():
    sys.audit("app.event")
"""
    )
    child = start_child(
        source,
        environment={
            **otel_environment,
            "OTEL_SDK_DISABLED": "true",
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_PIPELINE": pipeline,
        },
        instrumented=True,
    )
    assert child.finish() == 0, child.errors
    assert collected.logs == []
