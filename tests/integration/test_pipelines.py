"""The ways out of log records: direct, through the provider, to an endpoint of their own."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
