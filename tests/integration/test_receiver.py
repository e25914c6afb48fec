"""The OTLP receiver over real sockets: the rules of the specification, and hostile bodies."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import re
import socket
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry._logs import LogRecord
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from nogi_otel.errors import ReceiverError, SettingsError
from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address, parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

ANY_PORT = Address("127.0.0.1", 0)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
SMALL_LIMIT = 100_000


@dataclass
class Inbox:
    """A consumer that keeps what it gets."""

    requests: list[tuple[str, Message]] = field(default_factory=list)

    def __call__(self, signal: str, message: Message) -> None:
        """Take one request."""
        self.requests.append((signal, message))


@dataclass
class Answer:
    """What an HTTP server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> Any:
        """The google.rpc.Status in the body, in the encoding that the headers name."""
        if self.headers["content-type"] == JSON:
            return Status(**json.loads(self.body))
        assert self.headers["content-type"] == PROTOBUF
        return Status.FromString(self.body)


def make_request(body: str = "hello") -> ExportLogsServiceRequest:
    """Give a request with one log record."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = body
    record.trace_id = bytes.fromhex(TRACE_ID)
    record.span_id = bytes.fromhex(SPAN_ID)
    record.time_unix_nano = (1 << 63) + 1
    return request


@pytest.fixture
def inbox() -> Inbox:
    """The consumer of the receiver under test."""
    return Inbox()


@pytest.fixture
def receiver(inbox: Inbox) -> Iterator[Receiver]:
    """A receiver with the default limit."""
    with Receiver(inbox, http=ANY_PORT, grpc=ANY_PORT) as receiver:
        yield receiver


@pytest.fixture
def small(inbox: Inbox) -> Iterator[Receiver]:
    """A receiver that takes 100,000 bytes at most."""
    with Receiver(inbox, http=ANY_PORT, grpc=ANY_PORT, max_body_bytes=SMALL_LIMIT) as receiver:
        yield receiver


def post(
    receiver: Receiver,
    body: Any,
    content_type: str | None = PROTOBUF,
    *,
    path: str = "/v1/logs",
    method: str = "POST",
    encoding: str | None = None,
    chunked: bool = False,
) -> Answer:
    """Send one request and read the answer."""
    connection = http.client.HTTPConnection(*receiver.http, timeout=30)
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    try:
        connection.request(
            method,
            path,
            body,
            {name: value for name, value in headers.items() if value is not None},
            encode_chunked=chunked,
        )
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


# --- accepted -----------------------------------------------------------------------------------


def test_a_protobuf_body_is_accepted_and_answered_in_kind(receiver: Receiver, inbox: Inbox) -> None:
    """Full success is an empty response message: partial_success is unset."""
    answer = post(receiver, make_request().SerializeToString())
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, PROTOBUF, b"")
    assert not ExportLogsServiceResponse.FromString(answer.body).HasField("partial_success")
    assert inbox.requests == [("logs", make_request())]


def test_a_json_body_is_the_same_request(receiver: Receiver, inbox: Inbox) -> None:
    """JSON has hex ids, 64-bit integers as strings or numbers, and unknown fields anywhere."""
    record: dict[str, Any] = {
        "body": {"stringValue": "hello", "future": {"traceId": "not hex"}},
        "traceId": TRACE_ID.upper(),
        "spanId": SPAN_ID,
        "timeUnixNano": str((1 << 63) + 1),
        "severityNumber": 0,
        "novelty": [1, {"spanId": 5}],
    }
    body: dict[str, Any] = {
        "resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}],
        "unknown": {"a": []},
    }
    answer = post(receiver, json.dumps(body), "application/json; charset=utf-8")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, JSON, b"{}")
    record["timeUnixNano"] = (1 << 63) + 1
    record["eventName"] = None
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].append({"traceId": None, "spanId": ""})
    post(receiver, json.dumps(body), "Application/JSON")
    (_, first), (_, second) = inbox.requests
    assert first == make_request()
    more = make_request()
    more.resource_logs[0].scope_logs[0].log_records.add()
    assert second == more


@pytest.mark.parametrize(
    ("path", "signal", "body", "kind"),
    [
        ("/v1/traces", "traces", {"resourceSpans": [{}]}, ExportTraceServiceRequest),
        ("/v1/logs", "logs", {"resourceLogs": [{}]}, ExportLogsServiceRequest),
        ("/v1/metrics", "metrics", {"resourceMetrics": [{}]}, ExportMetricsServiceRequest),
    ],
)
def test_every_signal_has_its_path(
    receiver: Receiver, inbox: Inbox, path: str, signal: str, body: dict[str, Any], kind: Any
) -> None:
    """Traces, logs and metrics are all taken, each as its own kind of request."""
    assert post(receiver, json.dumps(body), JSON, path=path).status == 200
    ((received, message),) = inbox.requests
    assert received == signal
    assert type(message) is kind
    assert len(message.ListFields()) == 1


@pytest.mark.parametrize(("body", "content_type"), [(b"", PROTOBUF), (b"{}", JSON)])
def test_an_empty_request_is_a_success(
    receiver: Receiver, inbox: Inbox, body: bytes, content_type: str
) -> None:
    """A request without data is not an error."""
    assert post(receiver, body, content_type).status == 200
    assert inbox.requests == [("logs", ExportLogsServiceRequest())]


def gzip_in_two_members(body: bytes) -> bytes:
    """Compress as two gzip files in a row, which together are a gzip file."""
    return gzip.compress(body[:10]) + gzip.compress(body[10:])


COMPRESSORS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", gzip_in_two_members),
    ("deflate", zlib.compress),
    ("identity", bytes),
    ("", bytes),
]


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_bodies_arrive_compressed_and_in_chunks(
    receiver: Receiver,
    inbox: Inbox,
    chunked: bool,  # noqa: FBT001 - a parameter of the test
    subtests: pytest.Subtests,
) -> None:
    """gzip, deflate and identity, with a length or in chunks as Node's exporters send them."""
    for encoding, compress in COMPRESSORS:
        with subtests.test(f"{encoding} {compress.__name__}"):
            body = compress(make_request("x" * 50_000).SerializeToString())
            parts = (body[i : i + 7001] for i in range(0, len(body), 7001))
            answer = post(receiver, parts if chunked else body, encoding=encoding, chunked=chunked)
            assert answer.status == 200
            assert inbox.requests.pop() == ("logs", make_request("x" * 50_000))


def test_a_connection_is_kept_for_the_next_request(receiver: Receiver, inbox: Inbox) -> None:
    """Exporters keep one connection; a refused request in between does not end it."""
    connection = http.client.HTTPConnection(*receiver.http, timeout=30)
    for body, status in ((b"", 200), (b"\xff", 400), (b"", 200)):
        connection.request("POST", "/v1/logs", body, {"Content-Type": PROTOBUF})
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()
    assert len(inbox.requests) == 2


# --- refused ------------------------------------------------------------------------------------


def make_json(record: str) -> bytes:
    """Give a JSON request with one log record of these fields."""
    return f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{record}}}]}}]}}]}}'.encode()


BAD_DATA = {
    "no protobuf": (b"\xff\xff", PROTOBUF),
    "cut": (make_request().SerializeToString()[:-1], PROTOBUF),
    "text that is not UTF-8": (b"\x0a\x03\x1a\x01\xff", PROTOBUF),
    "nothing": (b"", JSON),
    "cut JSON": (b"{", JSON),
    "array": (b"[]", JSON),
    "null": (b"null", JSON),
    "not UTF-8": (b"\xff\xfe", JSON),
    "nested arrays": (b"[" * 200_000, JSON),
    "nested objects": (b'{"resourceLogs":' * 5000 + b"1" + b"}" * 5000, JSON),
    "nested values": (
        make_json('"body":' + '{"arrayValue":{"values":[' * 200 + "]}}" * 200),
        JSON,
    ),
    "id not hex": (make_json('"traceId":"xyz"'), JSON),
    "id a number": (make_json('"traceId":12'), JSON),
    "time a word": (make_json('"timeUnixNano":"x"'), JSON),
    "time infinite": (make_json('"timeUnixNano":1e400'), JSON),
    "time too large": (make_json('"timeUnixNano":"18446744073709551616"'), JSON),
    "flags negative": (make_json('"flags":-1'), JSON),
    "two values": (make_json('"body":{"intValue":1,"boolValue":true}'), JSON),
    "surrogate": (make_json('"eventName":"\\ud800"'), JSON),
    "object for text": (make_json('"eventName":{}'), JSON),
    "long number": (b'{"resourceLogs":' + b"9" * 5000 + b"}", JSON),
}


def test_bad_data_is_400_with_a_status_in_the_same_encoding(
    receiver: Receiver, inbox: Inbox, subtests: pytest.Subtests
) -> None:
    """What is not OTLP is INVALID_ARGUMENT, which no exporter retries; nothing is consumed."""
    for name, (body, content_type) in BAD_DATA.items():
        with subtests.test(name):
            answer = post(receiver, body, content_type)
            assert answer.status == 400
            assert answer.headers["content-type"] == content_type
            assert answer.error.code == 3
            assert "the body is not " in answer.error.message
            assert inbox.requests == []


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not compressed", "gzip"),
        (gzip.compress(b"x" * 1000)[:-9], "gzip"),
        (gzip.compress(b"") + b"garbage", "gzip"),
        (gzip.compress(b"") * 1001, "gzip"),
        (b"", "gzip"),
        (gzip.compress(b""), "deflate"),
    ],
    ids=["plain", "cut", "garbage", "members", "nothing", "mixed up"],
)
def test_a_body_that_cannot_be_decompressed_is_400(
    receiver: Receiver, inbox: Inbox, body: bytes, encoding: str
) -> None:
    """A broken compressed body is bad data."""
    answer = post(receiver, body, encoding=encoding)
    assert (answer.status, answer.error.code) == (400, 3)
    assert inbox.requests == []


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-protobuf2", ""])
def test_other_content_types_are_415(
    receiver: Receiver, inbox: Inbox, content_type: str | None
) -> None:
    """The answer names what can be sent; a browser's form can never be taken for OTLP."""
    answer = post(receiver, b"", content_type)
    assert answer.status == 415
    assert "application/x-protobuf or application/json" in answer.error.message
    assert inbox.requests == []


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip", "snappy"])
def test_other_content_encodings_are_415(receiver: Receiver, inbox: Inbox, encoding: str) -> None:
    """An encoding that is not known is refused by name."""
    answer = post(receiver, b"", encoding=encoding)
    assert answer.status == 415
    assert repr(encoding) in answer.error.message
    assert inbox.requests == []


@pytest.mark.parametrize("path", ["/", "/v1/profiles", "/v1/logs/", "/v1/LOGS", "/v1/logs%00"])
def test_other_paths_are_404(receiver: Receiver, inbox: Inbox, path: str) -> None:
    """The answer names the paths that there are."""
    answer = post(receiver, b"", path=path)
    assert (answer.status, answer.error.code) == (404, 5)
    assert "/v1/traces" in answer.error.message
    assert inbox.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_405(receiver: Receiver, inbox: Inbox, method: str) -> None:
    """Only POST is served, and the answer says so."""
    answer = post(receiver, None, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "POST" in answer.error.message
    assert inbox.requests == []


def make_body(size: int, content_type: str) -> bytes:
    """Give an empty request of exactly this size."""
    if content_type == JSON:
        return b"{" + b" " * (size - 2) + b"}"
    # One unknown field, number 15, with its length in three bytes.
    length = size - 4
    return bytes([0x7A, length & 127 | 128, length >> 7 & 127 | 128, length >> 14]) + bytes(length)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_the_size_limit_counts_what_comes_out(
    small: Receiver, inbox: Inbox, content_type: str, subtests: pytest.Subtests
) -> None:
    """One byte over the limit after decompression is 413; the limit itself is not."""
    fits = make_body(SMALL_LIMIT, content_type)
    too_large = make_body(SMALL_LIMIT + 1, content_type)
    assert (len(fits), len(too_large)) == (SMALL_LIMIT, SMALL_LIMIT + 1)
    for encoding, compress in COMPRESSORS:
        for chunked in (False, True):
            for body, status in ((fits, 200), (too_large, 413)):
                with subtests.test(f"{encoding} {compress.__name__} {chunked} {status}"):
                    sent = compress(body)
                    answer = post(
                        small,
                        iter([sent]) if chunked else sent,
                        content_type,
                        encoding=encoding,
                        chunked=chunked,
                    )
                    assert answer.status == status
                    if status == 200:
                        assert inbox.requests.pop()[0] == "logs"
                        continue
                    assert answer.error.code == 8
                    assert "100000 bytes" in answer.error.message
                    assert inbox.requests == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_is_unpacked(
    small: Receiver, inbox: Inbox, encoding: str
) -> None:
    """A gigabyte of zeros in a megabyte: 413, and the memory for it is never taken."""
    compressor = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    block = bytes(1 << 20)
    parts = [compressor.compress(block) for _ in range(1024)]
    bomb = b"".join(parts) + compressor.flush()
    assert len(bomb) < 2 << 20
    before = reset_peak_bytes()
    for body in (bomb, bomb[: SMALL_LIMIT // 2]):
        answer = post(small, body, encoding=encoding)
        assert answer.status == 413
    assert read_memory_bytes("VmHWM") - before < 20 << 20
    assert inbox.requests == []


def reset_peak_bytes() -> int:
    """Forget the most memory that this process has held; give what it holds."""
    Path("/proc/self/clear_refs").write_text("5")
    return read_memory_bytes("VmRSS")


def read_memory_bytes(name: str) -> int:
    """Give a figure of /proc/self/status: what this process holds, or has held at most."""
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match.group(1)) << 10


def test_a_sender_reads_413_though_it_has_not_sent_everything(small: Receiver) -> None:
    """The answer is not lost in a connection that is reset while the sender is still writing."""
    answer = post(small, bytes(50 << 20))
    assert answer.status == 413


def test_an_announced_length_over_the_limit_costs_no_memory(small: Receiver) -> None:
    """A sender that announces a gigabyte gets its answer once the limit is passed, not after."""
    with socket.create_connection(small.http, timeout=30) as connection:
        connection.sendall(
            b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000000\r\n\r\n" + bytes(SMALL_LIMIT + 1)
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"A" * 200_000,
    ],
    ids=["bytes", "http2", "lengths", "chunk", "endless"],
)
def test_garbage_ends_its_connection_and_nothing_else(
    receiver: Receiver, inbox: Inbox, garbage: bytes
) -> None:
    """What is not HTTP is refused, and the next sender is served."""
    with socket.create_connection(receiver.http, timeout=30) as connection:
        connection.sendall(garbage)
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert post(receiver, b"").status == 200
    assert len(inbox.requests) == 1


def test_a_sender_that_leaves_half_way_is_forgotten(receiver: Receiver, inbox: Inbox) -> None:
    """Half a body is never consumed, and the next sender is served."""
    with socket.create_connection(receiver.http, timeout=30) as connection:
        connection.sendall(
            b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 100\r\n\r\nabc"
        )
    assert post(receiver, b"").status == 200
    assert inbox.requests == [("logs", ExportLogsServiceRequest())]


def test_a_sender_that_stalls_does_not_hold_up_the_others(receiver: Receiver) -> None:
    """A connection that sends half a request and waits costs nobody else anything."""
    with socket.create_connection(receiver.http, timeout=30) as connection:
        connection.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Le")
        assert post(receiver, b"").status == 200


# --- gRPC ---------------------------------------------------------------------------------------


@pytest.fixture
def channel(small: Receiver) -> Iterator[grpc.Channel]:
    """A channel to the small receiver that may send anything."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(str(small.grpc), options=options) as channel:
        yield channel


def export_logs(channel: grpc.Channel, request: Message, **options: Any) -> Any:
    """Send a request with the official stub."""
    return LogsServiceStub(channel).Export(request, **options)  # type: ignore[no-untyped-call]


def export_bytes(channel: grpc.Channel, service: str, body: bytes) -> grpc.RpcError:
    """Send bytes to a service's Export and give the error."""
    path = f"/opentelemetry.proto.collector.{service}/Export"
    export = channel.unary_unary(path, bytes, bytes)
    with pytest.raises(grpc.RpcError) as caught:
        export(body, timeout=30)
    return caught.value


def test_grpc_takes_a_request(channel: grpc.Channel, inbox: Inbox) -> None:
    """The official stub's request arrives, and partial_success is unset."""
    response = export_logs(channel, make_request(), timeout=30)
    assert not response.HasField("partial_success")
    assert inbox.requests == [("logs", make_request())]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpc_takes_compressed_requests(
    channel: grpc.Channel, inbox: Inbox, compression: grpc.Compression
) -> None:
    """Compressed requests are undone by gRPC."""
    export_logs(channel, make_request(), timeout=30, compression=compression)
    assert inbox.requests == [("logs", make_request())]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_refuses_what_is_too_large(
    channel: grpc.Channel, inbox: Inbox, compression: grpc.Compression
) -> None:
    """The limit holds after decompression: RESOURCE_EXHAUSTED."""
    with pytest.raises(grpc.RpcError) as caught:
        export_logs(channel, make_request("x" * (50 << 20)), timeout=30, compression=compression)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert inbox.requests == []


def test_grpc_refuses_bad_data(channel: grpc.Channel, inbox: Inbox) -> None:
    """What is not OTLP is INVALID_ARGUMENT, and not the INTERNAL of generated code."""
    error = export_bytes(channel, "logs.v1.LogsService", b"\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not an OTLP logs request" in str(error.details())
    assert inbox.requests == []


def test_grpc_refuses_other_services(channel: grpc.Channel) -> None:
    """A service that is not served is UNIMPLEMENTED."""
    error = export_bytes(channel, "profiles.v1development.ProfilesService", b"")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


# --- the official exporters ---------------------------------------------------------------------


def make_exporters(transport: str, receiver: Receiver, compression: str) -> tuple[Any, Any, Any]:
    """Give the SDK's own exporters for traces, logs and metrics."""
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import (
            _log_exporter as logs,
        )
        from opentelemetry.exporter.otlp.proto.grpc import (
            metric_exporter as metrics,
        )
        from opentelemetry.exporter.otlp.proto.grpc import (
            trace_exporter as traces,
        )

        options: dict[str, Any] = {
            "endpoint": receiver.grpc.endpoint,
            "insecure": True,
            "compression": {"gzip": grpc.Compression.Gzip}.get(
                compression, grpc.Compression.NoCompression
            ),
        }
        return (
            traces.OTLPSpanExporter(**options),
            logs.OTLPLogExporter(**options),
            metrics.OTLPMetricExporter(**options),
        )
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

    url = receiver.http.endpoint
    chosen = Compression(compression)
    return (
        http_traces.OTLPSpanExporter(f"{url}/v1/traces", compression=chosen),
        http_logs.OTLPLogExporter(f"{url}/v1/logs", compression=chosen),
        http_metrics.OTLPMetricExporter(f"{url}/v1/metrics", compression=chosen),
    )


@pytest.mark.parametrize(
    ("transport", "compression"),
    [("grpc", "none"), ("grpc", "gzip"), ("http", "none"), ("http", "gzip"), ("http", "deflate")],
)
def test_the_official_exporters_are_served(
    receiver: Receiver, inbox: Inbox, transport: str, compression: str
) -> None:
    """All three signals of the SDK arrive over both transports, with their ids and values."""
    span_exporter, log_exporter, metric_exporter = make_exporters(transport, receiver, compression)
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(span_exporter))
    loggers = LoggerProvider()
    loggers.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
    reader = PeriodicExportingMetricReader(metric_exporter, export_interval_millis=math.inf)
    meters = MeterProvider([reader])

    meters.get_meter("test").create_counter("orders").add(7)
    with tracers.get_tracer("test").start_as_current_span("GET /") as span:
        span.add_event("python.audit.open")
        loggers.get_logger("test").emit(
            LogRecord(timestamp=5, body="open /etc/hosts", event_name="python.audit.open")
        )
    meters.force_flush()
    for provider in (tracers, loggers, meters):
        provider.shutdown()

    received: dict[str, Any] = dict(inbox.requests)
    ids = span.get_span_context()
    log_record = received["logs"].resource_logs[0].scope_logs[0].log_records[0]
    assert log_record.event_name == "python.audit.open"
    assert log_record.trace_id.hex() == f"{ids.trace_id:032x}"
    assert log_record.span_id.hex() == f"{ids.span_id:016x}"
    sent_span = received["traces"].resource_spans[0].scope_spans[0].spans[0]
    assert sent_span.trace_id.hex() == f"{ids.trace_id:032x}"
    assert sent_span.events[0].name == "python.audit.open"
    metrics = received["metrics"].resource_metrics[0].scope_metrics
    values = {m.name: m.sum.data_points[0].as_int for scope in metrics for m in scope.metrics}
    assert values["orders"] == 7


# --- the object ---------------------------------------------------------------------------------


def test_a_failing_consumer_is_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """500 and INTERNAL, a log that says why, and the receiver goes on."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with Receiver(fail, http=ANY_PORT, grpc=ANY_PORT) as receiver:
        answer = post(receiver, b"{}", JSON)
        assert (answer.status, answer.error.code) == (500, 13)
        with grpc.insecure_channel(str(receiver.grpc)) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                export_logs(channel, make_request(), timeout=30)
            assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert post(receiver, b"{}", JSON).status == 500
    assert [record.exc_info is not None for record in caplog.records] == [True] * 3


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_taken_port_is_a_clear_error(receiver: Receiver, transport: str) -> None:
    """A second receiver never shares a port silently, and leaves nothing open when it fails."""
    taken: Address = getattr(receiver, transport)
    free = socket.create_server(("127.0.0.1", 0))
    other = Address("127.0.0.1", free.getsockname()[1])
    free.close()
    wanted: dict[str, Any] = {"http": other, "grpc": other, transport: taken}
    with pytest.raises(ReceiverError, match=rf"{taken}: .*in use.*choose another port"):
        Receiver(Inbox(), **wanted).start()
    socket.create_server(other).close()


def test_ports_are_free_again_after_stop(inbox: Inbox) -> None:
    """Stop closes both ports, and may be called twice; the same object may start again."""
    receiver = Receiver(inbox, http=ANY_PORT, grpc=ANY_PORT)
    receiver.start()
    addresses = receiver.http, receiver.grpc
    receiver.stop()
    receiver.stop()
    for address in addresses:
        socket.create_server(address).close()
    with pytest.raises(ReceiverError, match="not started"):
        _ = receiver.http
    with receiver:
        assert post(receiver, b"").status == 200


def test_stop_does_not_wait_for_an_idle_or_stalled_sender(inbox: Inbox) -> None:
    """A kept connection and half a request do not keep the receiver from ending."""
    receiver = Receiver(inbox, http=ANY_PORT, grpc=ANY_PORT)
    receiver.start()
    idle = socket.create_connection(receiver.http, timeout=30)
    stalled = socket.create_connection(receiver.http, timeout=30)
    stalled.sendall(
        b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: 100\r\n\r\nabc"
    )
    post(receiver, b"")
    receiver.stop()
    assert [thread.name for thread in threading.enumerate() if "nogi" in thread.name] == []
    idle.close()
    stalled.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused is the point
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_only_loopback_is_allowed(host: str, transport: str) -> None:
    """Senders are not authenticated, so nobody else's machine may reach the port."""
    wanted: dict[str, Any] = {"http": ANY_PORT, "grpc": ANY_PORT, transport: Address(host, 0)}
    with pytest.raises(ReceiverError, match=r"refused to listen on .*only loopback"):
        Receiver(Inbox(), **wanted).start()


def test_an_unknown_host_is_a_clear_error() -> None:
    """A name that cannot be resolved is named."""
    with pytest.raises(ReceiverError, match=r"'no\.such\.host\.invalid' is not a known host"):
        Receiver(Inbox(), http=Address("no.such.host.invalid", 0)).start()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_every_loopback_address_is_served(inbox: Inbox, host: str) -> None:
    """Names, other loopback numbers and IPv6 work for both transports."""
    with Receiver(inbox, http=Address(host, 0), grpc=Address(host, 0)) as receiver:
        assert post(receiver, b"").status == 200
        with grpc.insecure_channel(str(receiver.grpc)) as channel:
            export_logs(channel, make_request(), timeout=30)
    assert len(inbox.requests) == 2


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4318", Address("127.0.0.1", 4318)),
        (" localhost:0 ", Address("localhost", 0)),
        ("[::1]:4317", Address("::1", 4317)),
    ],
)
def test_addresses_are_read_and_written(text: str, address: Address) -> None:
    """HOST:PORT, with brackets round an IPv6 host, reads and prints alike."""
    assert parse_address(text) == address
    assert str(address) == text.strip()
    assert address.endpoint == f"http://{text.strip()}"


@pytest.mark.parametrize(
    "text",
    ["", "4318", ":4318", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "h:²"],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    """The error shows what is allowed."""
    with pytest.raises(SettingsError, match=r"is not HOST:PORT .* 127\.0\.0\.1:4318"):
        parse_address(text)
