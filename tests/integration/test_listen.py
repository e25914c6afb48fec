"""``nogi-otel listen`` as people run it: a child process, real senders, real pipes and signals."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from nogi_otel.recording.event import iterate_events
from nogi_otel.recording.otlp_json import decode_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

DEADLINE_S = 60.0
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
LISTEN = [sys.executable, "-m", "nogi_otel", "listen"]
ANY_PORTS = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]


class Listener:
    """A running ``nogi-otel listen`` that has opened its ports."""

    def __init__(self, process: subprocess.Popen[bytes], port_file: Path) -> None:
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdout = LineReader(process.stdout)
        self._stderr = LineReader(process.stderr)
        self.greeting = [self._stderr.read_line()]
        while "Ctrl-C ends" not in self.greeting[-1]:
            self.greeting.append(self._stderr.read_line())
        self.addresses = json.loads(port_file.read_text())

    def send(self, message: Message) -> None:
        """Send one request over HTTP and see it accepted."""
        address = self.addresses["http"]
        connection = http.client.HTTPConnection(
            address["host"], address["port"], timeout=DEADLINE_S
        )
        path = "/v1/logs" if isinstance(message, ExportLogsServiceRequest) else "/v1/traces"
        body = message.SerializeToString()
        connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().status == 200
        connection.close()

    def read_line(self) -> str:
        """Give the next line of standard output; the process goes on."""
        return self._stdout.read_line()

    def end(self, number: int | None = signal.SIGINT) -> tuple[int, str, str]:
        """End it, or wait until it ends by itself; give exit code, the rest of both streams."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(DEADLINE_S)
        return code, self._stdout.read_rest(), self._stderr.read_rest()


class LineReader:
    """Reads a pipe line by line, with a deadline."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._descriptor = pipe.fileno()
        self._pending = b""

    def read_line(self) -> str:
        """Give the next line."""
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            ready = select.select([self._descriptor], [], [], max(left, 0))[0]
            assert ready, f"no line came; so far: {self._pending!r}"
            chunk = os.read(self._descriptor, 65536)
            assert chunk, f"the pipe ended; so far: {self._pending!r}"
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def read_rest(self) -> str:
        """Give what is left once the process has ended."""
        while chunk := os.read(self._descriptor, 65536):
            self._pending += chunk
        rest, self._pending = self._pending, b""
        return rest.decode()


@contextmanager
def listen(directory: Path, *options: str, **popen: Any) -> Iterator[Listener]:
    """Run ``nogi-otel listen`` on free ports."""
    port_file = directory / "ports.json"
    command = [*LISTEN, *ANY_PORTS, "--port-file", str(port_file), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield Listener(process, port_file)
        finally:
            process.kill()


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def make_logs(*names: str, body: str = "", arguments: str = "[]") -> ExportLogsServiceRequest:
    """Give a request with an audit record of each name, or a lifecycle record."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope_logs = resource_logs.scope_logs.add()
    for number, name in enumerate(names):
        record = scope_logs.log_records.add()
        is_audit = not name.startswith("nogi.")
        record.event_name = f"python.audit.{name}" if is_audit else name
        record.time_unix_nano = 1_700_000_000_000_000_000 + number
        record.trace_id = bytes.fromhex(TRACE_ID)
        record.span_id = bytes.fromhex(SPAN_ID)
        record.body.string_value = body
        record.attributes.add(key="python.audit.args").value.string_value = arguments
    return request


def make_span(*names: str) -> ExportTraceServiceRequest:
    """Give a request with one span that has the events of ``make_logs``."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id = bytes.fromhex(TRACE_ID)
    span.span_id = bytes.fromhex(SPAN_ID)
    for number, name in enumerate(names):
        time_ns = 1_700_000_000_000_000_000 + number
        span.events.add(name=f"python.audit.{name}", time_unix_nano=time_ns)
    return request


def make_sdk(listener: Listener, transport: str) -> tuple[LoggerProvider, TracerProvider]:
    """Give the SDK's providers, set up to send to the listener."""
    endpoint = listener.addresses[transport]["endpoint"]
    log_exporter: Any
    span_exporter: Any
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter, trace_exporter

        log_exporter = _log_exporter.OTLPLogExporter(endpoint, insecure=True)
        span_exporter = trace_exporter.OTLPSpanExporter(endpoint, insecure=True)
    else:
        from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

        log_exporter = http_logs.OTLPLogExporter(f"{endpoint}/v1/logs")
        span_exporter = http_traces.OTLPSpanExporter(f"{endpoint}/v1/traces")
    resource_ = Resource.create({"service.name": "shop"})
    loggers = LoggerProvider(resource=resource_)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
    tracers = TracerProvider(resource=resource_)
    tracers.add_span_processor(SimpleSpanProcessor(span_exporter))
    return loggers, tracers


# --- printing and recording ---------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_the_sdk_sends_and_a_line_appears_at_once(tmp_path: Path, transport: str) -> None:
    """A line with the span's own ids is there while the sender still runs; files hold the rest."""
    recording = tmp_path / "incident"
    with listen(tmp_path, "-o", str(recording)) as listener:
        loggers, tracers = make_sdk(listener, transport)
        with tracers.get_tracer("app").start_as_current_span("GET /") as span:
            loggers.get_logger("nogi_otel").emit(
                LogRecord(
                    timestamp=time.time_ns(),
                    severity_text="WARN",
                    body="socket.connect 127.0.0.1:443",
                    event_name="python.audit.socket.connect",
                    attributes={"process.pid": 1234, "thread.name": "MainThread"},
                )
            )
            loggers.get_logger("app").emit(LogRecord(body="the application's own"))
            context = span.get_span_context()
            ids = f"trace={context.trace_id:032x} span={context.span_id:016x}"
            line = listener.read_line()
        assert re.fullmatch(
            rf"\d\d:\d\d:\d\d\.\d{{3}} shop\[1234\] WARN socket\.connect 127\.0\.0\.1:443"
            rf"  {ids} thread=MainThread",
            line,
        )
        loggers.shutdown()
        tracers.shutdown()
        code, out, err = listener.end()
    assert (code, out) == (0, "")
    assert err == (f"1 audit event on 1 trace, 0 lines dropped, 3 lines recorded in {recording}\n")
    assert sorted(path.name for path in recording.iterdir()) == [
        "logs.jsonl",
        "metrics.jsonl",
        "traces.jsonl",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in recording.iterdir()} == {0o600}
    first, second = (recording / "logs.jsonl").read_bytes().splitlines()
    (event,) = iterate_events(*decode_line(first))
    assert f"trace={event.trace_id} span={event.span_id}" == ids
    assert b"the application's own" in second
    (trace_line,) = (recording / "traces.jsonl").read_text().splitlines()
    span_data = json.loads(trace_line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert f"trace={span_data['traceId']} span={span_data['spanId']}" == ids


def test_the_greeting_tells_what_to_set(tmp_path: Path) -> None:
    """Standard error names both endpoints; the port file has them for programs."""
    with listen(tmp_path) as listener:
        text = "\n".join(listener.greeting)
        for name in ("http", "grpc"):
            address = listener.addresses[name]
            assert address["endpoint"] == f"http://{address['host']}:{address['port']}"
            assert f"OTEL_EXPORTER_OTLP_ENDPOINT={address['endpoint']}" in text
        assert listener.addresses["pid"] == listener.process.pid
        assert list(tmp_path.iterdir()) == [tmp_path / "ports.json"]


def test_nogi_format_prints_what_nogis_client_prints(tmp_path: Path) -> None:
    """Two lines an event are all of standard output; its two banner lines are on stderr."""
    with listen(tmp_path, "--format", "nogi") as listener:
        assert listener.greeting[0] == "Starting the audit listener"
        arguments = '["<socket.socket>",["185.15.58.224",443]]'
        listener.send(make_logs("nogi.window.opened", "socket.connect", arguments=arguments))
        listener.send(make_logs("socket.getaddrinfo", arguments='["host",443,0,1,0]'))
        lines = [listener.read_line() for _ in range(4)]
        code, out, err = listener.end()
    assert lines == [
        "event: socket.connect",
        "data: (<socket.socket>, ('185.15.58.224', 443))",
        "event: socket.getaddrinfo",
        "data: ('host', 443, 0, 1, 0)",
    ]
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "Audit client listening...",
        "2 audit events on 1 trace, 0 lines dropped",
    ]


@pytest.mark.parametrize("option", [["--format", "json"], ["--json"]], ids=["format", "json"])
def test_json_format_is_one_object_a_line(tmp_path: Path, option: list[str]) -> None:
    """NDJSON on standard output, windows included."""
    with listen(tmp_path, *option) as listener:
        listener.send(make_logs("nogi.window.opened", "open", arguments='["/etc/hosts","r",0]'))
        lifecycle, audit = (json.loads(listener.read_line()) for _ in range(2))
        listener.end()
    assert (lifecycle["type"], lifecycle["event"]) == ("lifecycle", "nogi.window.opened")
    assert (audit["type"], audit["event"], audit["trace_id"]) == ("audit", "open", TRACE_ID)
    assert audit["arguments"] == ["/etc/hosts", "r", 0]


def test_globs_choose_audit_events_and_windows_stay(tmp_path: Path) -> None:
    """One matching glob is enough; case counts; lifecycle records are no audit events."""
    with listen(tmp_path, "-e", "socket.*", "--event", "open", "--json") as listener:
        listener.send(
            make_logs("socket.connect", "opening", "open", "Socket.x", "nogi.window.closed")
        )
        names = [json.loads(listener.read_line())["event"] for _ in range(3)]
        _, out, err = listener.end()
    assert names == ["socket.connect", "open", "nogi.window.closed"]
    assert out == ""
    assert err == "2 audit events on 1 trace, 0 lines dropped\n"


@pytest.mark.parametrize("logs_first", [True, False], ids=["logs first", "spans first"])
def test_an_event_on_both_carriers_is_printed_once(tmp_path: Path, logs_first: bool) -> None:  # noqa: FBT001
    """With span events shown, twins are paired whichever comes first; equal events both stay."""
    logs = make_logs("open", "exec")
    logs.resource_logs[0].scope_logs[0].log_records.append(
        logs.resource_logs[0].scope_logs[0].log_records[0]
    )
    span = make_span("open", "exec", "only.on.span")
    with listen(tmp_path, "--span-events", "--json") as listener:
        for message in (logs, span) if logs_first else (span, logs):
            listener.send(message)
        printed = [json.loads(listener.read_line()) for _ in range(4)]
        _, out, err = listener.end()
    names = sorted(event["event"] for event in printed)
    assert names == ["exec", "only.on.span", "open", "open"]
    assert out == ""
    assert err == "4 audit events on 1 trace, 0 lines dropped\n"


def test_span_events_alone_are_not_printed_by_default(tmp_path: Path) -> None:
    """Audit events come from logs unless span events are asked for."""
    with listen(tmp_path) as listener:
        listener.send(make_span("open"))
        assert listener.end() == (0, "", "0 audit events on 0 traces, 0 lines dropped\n")


@pytest.mark.parametrize("form", ["line", "nogi", "json"])
def test_a_traced_program_cannot_act_on_the_terminal(tmp_path: Path, form: str) -> None:
    """Escape sequences, line breaks and reordering characters arrive as escapes."""
    nasty = "x\x1b[2J\r\n\x07\x9b31m\u202e\u2028\x7f"
    with listen(tmp_path, "--format", form) as listener:
        listener.send(make_logs(nasty, "end", body=nasty, arguments=json.dumps([nasty])))
        lines = [listener.read_line() for _ in range(4 if form == "nogi" else 2)]
        _, out, _ = listener.end()
    assert out == ""
    assert all(line.isprintable() for line in lines)
    assert (
        r"\u001b[2J" in lines[0] if form == "json" else r"\x1b[2J\r\n\x07\x9b31m\u202e" in lines[0]
    )


def test_a_terminal_gets_colours_and_lines_of_its_width(tmp_path: Path) -> None:
    """On a terminal the line is coloured, and the sender's escapes are still text."""
    controller, worker = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    port_file = tmp_path / "ports.json"
    command = [*LISTEN, *ANY_PORTS, "--port-file", str(port_file)]
    with subprocess.Popen(
        command, stdout=worker, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(worker)
        try:
            assert process.stderr is not None
            reader = LineReader(process.stderr)
            while "Ctrl-C ends" not in reader.read_line():
                pass
            with os.fdopen(controller, "rb", buffering=0) as terminal:
                address = json.loads(port_file.read_text())["http"]
                connection = http.client.HTTPConnection(address["host"], address["port"])
                body = make_logs("open", body="open \x1b[31m").SerializeToString()
                headers = {"Content-Type": "application/x-protobuf"}
                connection.request("POST", "/v1/logs", body, headers)
                assert connection.getresponse().status == 200
                connection.close()
                line = LineReader(terminal).read_line()
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
    assert "\x1b[1m" in line
    assert r"\x1b[31m" in line
    assert "\x1b[31m" not in line


# --- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_summary(tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM are how one ends it: exit 0, and what has arrived is still printed."""
    with listen(tmp_path) as listener:
        listener.send(make_logs(*["open"] * 100))
        code, out, err = listener.end(number)
    assert (code, out.count("\n")) == (0, 100)
    assert err == "100 audit events on 1 trace, 0 lines dropped\n"


def test_it_ends_after_a_number_of_events(tmp_path: Path) -> None:
    """Exactly so many audit events are printed, windows not counted, and it ends by itself."""
    with listen(tmp_path, "--max-events", "3", "--format", "nogi") as listener:
        listener.send(make_logs("nogi.window.opened", "a", "b"))
        listener.send(make_logs("c", "d", "e"))
        code, out, err = listener.end(None)
    assert code == 0
    assert re.findall("event: (.)", out) == ["a", "b", "c"]
    assert err.splitlines()[-1] == "3 audit events on 1 trace, 0 lines dropped"


def test_it_ends_after_a_time(tmp_path: Path) -> None:
    """A duration ends it by itself, with the summary and exit 0."""
    with listen(tmp_path, "--duration", "0.1") as listener:
        assert listener.end(None) == (0, "", "0 audit events on 0 traces, 0 lines dropped\n")


def test_a_reader_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    """With a full pipe every request is still answered; each line is printed or counted."""
    batches, size = 60, 500
    with listen(tmp_path, "-o", str(tmp_path / "r")) as listener:
        for _ in range(batches):
            listener.send(make_logs(*["open"] * size, body="open " + "x" * 200))
        code, out, err = listener.end(signal.SIGTERM)
    assert code == 0
    events, dropped = map(
        int,
        re.match(r"(\d+) audit events on 1 trace, (\d+) lines dropped", err).groups(),  # type: ignore[union-attr]
    )
    assert events == batches * size
    assert dropped > 0
    assert out.count("\n") + dropped == events
    assert f"{batches} lines recorded" in err


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    """``nogi-otel listen | head -1``: no traceback, and exit 0 as for any other end."""
    with listen(tmp_path) as listener:
        assert listener.process.stdout is not None
        listener.process.stdout.close()
        listener.send(make_logs("open"))
        code = listener.process.wait(DEADLINE_S)
        assert listener.process.stderr is not None
        err = listener.process.stderr.read().decode()
    assert code == 0
    assert err == "1 audit event on 1 trace, 1 line dropped\n"


def test_a_second_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever cannot wait for the last lines presses Ctrl-C again: exit 130."""
    with listen(tmp_path) as listener:
        for _ in range(60):
            listener.send(make_logs(*["open"] * 500, body="open " + "x" * 200))
        # The pipe is full, so the first one has to wait for its reader.
        listener.process.send_signal(signal.SIGINT)
        wait_until_closed(listener)
        code, _, _ = listener.end(signal.SIGINT)
    assert code == 130


def wait_until_closed(listener: Listener) -> None:
    """Wait until the listener no longer accepts connections."""
    address = listener.addresses["http"]
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address["host"], address["port"])).close()
        except OSError:
            return
        select.select([], [], [], 0.01)
    raise AssertionError


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_taken_port_is_a_clear_error(tmp_path: Path, transport: str) -> None:
    """A second listener names the address and what to do, and ends with exit code 4."""
    with listen(tmp_path) as listener:
        address = listener.addresses[transport]
        taken = f"{address['host']}:{address['port']}"
        second = run(*LISTEN, *ANY_PORTS, f"--{transport}", taken)
        as_json = run(*LISTEN, *ANY_PORTS, f"--{transport}", taken, "--json")
        assert listener.end()[0] == 0
    assert (second.returncode, second.stdout) == (4, "")
    (line,) = second.stderr.splitlines()
    name = {"http": "OTLP/HTTP", "grpc": "OTLP/gRPC"}[transport]
    assert line.startswith(f"nogi-otel: cannot listen for {name} on {taken}: ")
    assert "choose another port" in line
    report = json.loads(as_json.stderr)
    assert (report["error"], report["exit_code"]) == ("ReceiverError", 4)
    assert f"nogi-otel: {report['message']}" == line


def test_an_address_that_is_not_loopback_is_refused() -> None:
    """Exit code 4, with the reason and a way out."""
    refused = run(*LISTEN, "--http", "0.0.0.0:0")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "refused to listen on 0.0.0.0:0: only loopback" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--http", "4318"], "is not HOST:PORT"),
        (["--max-events", "0"], "'0' is not a whole number above 0"),
        (["--max-events", "x"], "'x' is not a whole number above 0"),
        (["--duration", "0"], "'0' is not a number of seconds above 0"),
        (["--duration", "nan"], "'nan' is not a number of seconds above 0"),
        (["--format", "xml"], "invalid choice: 'xml'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_option_is_named(options: list[str], message: str) -> None:
    """Exit code 2, with the option, the value and what is allowed."""
    refused = run(*LISTEN, *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"argument {options[0]}: " in refused.stderr
    assert message in refused.stderr


def test_a_recording_that_cannot_be_opened_ends_it_before_it_listens(tmp_path: Path) -> None:
    """Exit code 5, with the path and what to do."""
    (tmp_path / "file").touch()
    refused = run(*LISTEN, *ANY_PORTS, "-o", str(tmp_path / "file"))
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "cannot open the recording" in refused.stderr
    assert "choose another path" in refused.stderr


def test_a_disk_that_fills_up_stops_the_recording_and_not_the_view(tmp_path: Path) -> None:
    """The live view goes on, the file ends with a whole line, and the exit code is 5."""
    recording = tmp_path / "r"
    with listen(tmp_path, "-o", str(recording)) as listener:
        listener.send(make_logs("open", body="first"))
        assert "first" in listener.read_line()
        limit = (recording / "logs.jsonl").stat().st_size + 100
        resource.prlimit(listener.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        for body in ("second", "third"):
            listener.send(make_logs("open", body=body))
            assert body in listener.read_line()
        code, _, err = listener.end()
    assert code == 5
    assert err.count("recording has stopped, the live view goes on") == 1
    assert "3 audit events on 1 trace, 0 lines dropped, 1 line recorded" in err
    (line,) = (recording / "logs.jsonl").read_bytes().splitlines(keepends=True)
    decode_line(line)
    assert line.endswith(b"\n")


def test_a_port_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """The error names the file; nothing is left behind."""
    refused = run(*LISTEN, *ANY_PORTS, "--port-file", str(tmp_path / "no" / "ports"))
    assert refused.returncode == 1
    assert "cannot write the port file" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_full_device_as_standard_output_is_a_clear_error(tmp_path: Path) -> None:
    """Lines that cannot be written end it with the reason, and exit code 1."""
    with Path("/dev/full").open("wb") as full:
        command = [*LISTEN, *ANY_PORTS, "--port-file", str(tmp_path / "ports.json")]
        with subprocess.Popen(command, stdout=full, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            reader = LineReader(process.stderr)
            while "Ctrl-C ends" not in reader.read_line():
                pass
            address = json.loads((tmp_path / "ports.json").read_text())["http"]
            connection = http.client.HTTPConnection(address["host"], address["port"])
            body = make_logs("open").SerializeToString()
            headers = {"Content-Type": "application/x-protobuf"}
            connection.request("POST", "/v1/logs", body, headers)
            assert connection.getresponse().status == 200
            connection.close()
            code = process.wait(DEADLINE_S)
            err = reader.read_rest()
    assert code == 1
    assert "cannot write to standard output: No space left on device" in err


def test_closed_standard_output_is_a_clear_error() -> None:
    """With nowhere to print, it does not begin."""
    refused = run("sh", "-c", f"exec {sys.executable} -m nogi_otel listen >&-")
    assert refused.returncode == 1
    assert "standard output is closed" in refused.stderr


def test_without_the_extra_the_error_says_what_to_install() -> None:
    """The server comes with an extra: exit code 2 and the command that installs it."""
    script = (
        "import sys; sys.modules['uvicorn'] = None; from nogi_otel.cli.main import run;"
        "sys.exit(run(['listen', '--http', '127.0.0.1:0', '--grpc', '127.0.0.1:0']))"
    )
    refused = run(sys.executable, "-c", script)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "nogi-otel: receiving OTLP needs uvicorn: pip install 'nogi-otel[cli]'\n"
    )


HELP = """
import sys
from nogi_otel.cli.main import run
for arguments in (["--help"], ["listen", "--help"], ["--version"]):
    try:
        run(arguments)
    except SystemExit as end:
        assert end.code == 0
heavy = {"opentelemetry", "grpc", "google", "uvicorn", "wrapt", "asyncio"}
print("loaded:", sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_help_is_light() -> None:
    """Neither the command line nor its help loads OpenTelemetry, gRPC or a server."""
    helped = run(sys.executable, "-c", HELP)
    assert helped.stdout.splitlines()[-1] == "loaded: []"
    assert "nogi-otel listen -e 'socket.*' -e open" in helped.stdout
    assert helped.stderr == ""
