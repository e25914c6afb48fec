"""Real backends on loopback, the shop that sends to them, and what each of them has."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.evidence import Evidence
from nogi_otel.cli.service import Service
from nogi_otel.cli.shop import build_command, build_environment, send_error, send_order
from nogi_otel.cli.spans import iterate_spans
from nogi_otel.cli.verdict import CLOSED, OPENED
from nogi_otel.recording.event import iterate_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nogi_otel.cli.shop import Visit
    from nogi_otel.recording.otlp_json import JsonObject, Signal

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
DEADLINE_S = 60.0
_LOOK_S = 0.05
"""How often a file or a store of another program is looked at; none of them can tell."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.backends)


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    """Wait until a condition holds; return what it returned, or fail."""
    deadline = monotonic() + timeout_s
    never = threading.Event()
    while not (found := condition()):
        if monotonic() > deadline:
            pytest.fail(f"{what}: not within {timeout_s:g} s")
        never.wait(_LOOK_S)
    return found


class Backend:
    """A backend's program in a process of its own, its output in a file."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._output = folder / "output.txt"
        self._skipped = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has written since it was started."""
        content = self._output.read_bytes()[self._skipped :]
        return content.decode(errors="replace")

    def wait_ready(self, ready: Callable[[], Any]) -> None:
        """Wait until it serves; fail with its output where it ends before."""

        def is_ready() -> Any:
            if self.process.poll() is not None:
                pytest.fail(f"it ended with {self.process.returncode}:\n{self.output[-4000:]}")
            return ready()

        wait_until(is_ready, f"ready; its output:\n{self.output[-2000:]}")

    def end(self) -> int:
        """End it in order."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                return self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()


class Collector:
    """A Collector with one configuration, which can be killed and started again."""

    def __init__(
        self, program: str, configuration: Path, folder: Path, variables: Mapping[str, str]
    ) -> None:
        self.grpc, self.http = find_ports(2)
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        self._command = [program, "--config", str(configuration)]
        self._folder = folder
        health, metrics = find_ports(2)
        self.metrics_url = f"http://127.0.0.1:{metrics}/metrics"
        self.variables = {
            "OTELCOL_GRPC": f"127.0.0.1:{self.grpc}",
            "OTELCOL_HTTP": f"127.0.0.1:{self.http}",
            "OTELCOL_HEALTH": f"127.0.0.1:{health}",
            "OTELCOL_METRICS_PORT": str(metrics),
            "OTELCOL_STATE": str(folder / "state"),
            "OTELCOL_FILES": str(self.files),
            **variables,
        }
        self.backend: Backend
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.backend = Backend(self._command, self.variables, self._folder)
        self.backend.wait_ready(lambda: "Everything is ready" in self.backend.output)

    def end(self) -> None:
        """End the process that runs now: it may have been killed and started again."""
        self.backend.end()

    def endpoint(self, protocol: str) -> str:
        """Where an OTLP exporter sends."""
        return f"http://127.0.0.1:{self.grpc if protocol == 'grpc' else self.http}"

    def read_evidence(self, logs: str, traces: str) -> Evidence:
        """Return what its file exporters have written."""
        evidence = Evidence()
        for kind, name in (("logs", logs), ("traces", traces)):
            for line in read_lines(self.files / name):
                add_data(evidence, kind, json.loads(line))  # type: ignore[arg-type]
        return evidence


def add_data(evidence: Evidence, signal: Signal, data: JsonObject) -> None:
    """Take one object of OTLP JSON in."""
    for event in iterate_events(signal, data):
        if not event.is_audit:
            evidence.lifecycle.append(event)
        elif event.source == "log":
            evidence.logs.append(event)
        else:
            evidence.span_events.append(event)
    if signal == "traces":
        evidence.spans.extend(iterate_spans(data))


def read_lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file that somebody may be writing."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def find_ports(number: int) -> list[int]:
    """Return ports on loopback that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def ask(url: str, **parameters: str | int) -> Any:
    """Ask an HTTP API; return its JSON, or None where it has no answer now."""
    if parameters:
        url = f"{url}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - ours
            content = response.read()
    except (OSError, urllib.error.HTTPError):
        return None
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def play(shop: Service, read: Callable[[], Evidence], orders: int = 2) -> list[Visit]:
    """Order before, in and after a window of two signals; the shop has ended after it."""
    visits = [send_order(shop, "before") for _ in range(orders)]
    shop.signal(signal.SIGUSR1)

    def is_open() -> bool:
        output = shop.read_output()
        assert "Traceback" not in output, output
        return bool(read().list_lifecycle(OPENED))

    wait_until(is_open, "a window opened")
    visits += [send_order(shop, "window") for _ in range(orders)]
    visits.append(send_error(shop, "window"))
    shop.signal(signal.SIGUSR2)
    wait_until(lambda: read().list_lifecycle(CLOSED), "the window closed")
    visits += [send_order(shop, "after") for _ in range(orders)]
    shop.end()
    return visits


@pytest.fixture(scope="session")
def programs() -> dict[str, dict[str, Any]]:
    """What ``make backends`` has built, by name."""
    command = [sys.executable, str(FOLDER / "build.py"), "--list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, dict[str, Any]] = json.loads(listed.stdout)
    return found


@pytest.fixture(scope="session")
def find_program(programs: dict[str, dict[str, Any]]) -> Callable[[str], str]:
    """Return a backend's program, or skip the test and say what builds it."""

    def find(name: str) -> str:
        one = programs[name]
        if not one["built"]:
            task = "make backends-all" if one["slow"] else "make backends"
            pytest.skip(f"{name} {one['version']} is not built: {task}")
        return str(one["path"])

    return find


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., Any]:
    """Wait until a condition holds."""
    return wait_until


@pytest.fixture(name="ask")
def _ask() -> Callable[..., Any]:
    """Ask an HTTP API."""
    return ask


@pytest.fixture(name="find_ports")
def _find_ports() -> Callable[[int], list[int]]:
    """Return ports that nobody uses."""
    return find_ports


@pytest.fixture(name="play")
def _play() -> Callable[..., list[Visit]]:
    """Order before, in and after a window."""
    return play


@pytest.fixture(scope="session")
def start_backend(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Backend]]:
    """Start a program; it is ended after all tests."""
    with contextlib.ExitStack() as stack:

        def start(name: str, command: list[str], **variables: str) -> Backend:
            backend = Backend(command, variables, tmp_path_factory.mktemp(name))
            stack.callback(backend.end)
            return backend

        yield start


@pytest.fixture
def start_collector(
    find_program: Callable[[str], str], tmp_path: Path
) -> Iterator[Callable[..., Collector]]:
    """Start a Collector: ``start(name, configuration, OTELCOL_JAEGER=...)``."""
    with contextlib.ExitStack() as stack:

        def start(name: str, configuration: Path, **variables: str) -> Collector:
            folder = tmp_path / name
            collector = Collector(find_program("otelcol"), configuration, folder, variables)
            stack.callback(collector.end)
            return collector

        yield start


class Jaeger:
    """Jaeger, with its traces in memory."""

    def __init__(self, url: str, grpc: int, http: int) -> None:
        self.url = url
        self.grpc = grpc
        self.http = http

    def read_trace(self, trace_id: str) -> Evidence:
        """Return one trace, as Jaeger's OTLP API gives it."""
        evidence = Evidence()
        answer = ask(f"{self.url}/api/v3/traces/{trace_id}")
        if isinstance(answer, dict):
            add_data(evidence, "traces", answer["result"])
        return evidence


@pytest.fixture(scope="session")
def jaeger(find_program: Callable[[str], str], start_backend: Callable[..., Backend]) -> Jaeger:
    """A real Jaeger, one for all tests: a trace id is nobody else's."""
    grpc, http, query, query_grpc = find_ports(4)
    backend = start_backend(
        "jaeger",
        [find_program("jaeger"), "--config", str(FOLDER / "jaeger.yaml")],
        JAEGER_GRPC=f"127.0.0.1:{grpc}",
        JAEGER_HTTP=f"127.0.0.1:{http}",
        JAEGER_QUERY=f"127.0.0.1:{query}",
        JAEGER_QUERY_GRPC=f"127.0.0.1:{query_grpc}",
    )
    backend.wait_ready(lambda: "Everything is ready" in backend.output)
    return Jaeger(f"http://127.0.0.1:{query}", grpc, http)


@pytest.fixture(scope="session")
def loki(
    find_program: Callable[[str], str],
    start_backend: Callable[..., Backend],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A real Loki, one for all tests; its address."""
    http, grpc = find_ports(2)
    url = f"http://127.0.0.1:{http}"
    backend = start_backend(
        "loki",
        [
            find_program("loki"),
            f"-config.file={FOLDER / 'loki.yaml'}",
            "-config.expand-env=true",
        ],
        LOKI_HTTP_PORT=str(http),
        LOKI_GRPC_PORT=str(grpc),
        LOKI_FOLDER=str(tmp_path_factory.mktemp("loki-data")),
    )
    backend.wait_ready(lambda: "ready" in str(ask(f"{url}/ready") or ""))
    return url


@pytest.fixture
def start_shop(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start the shop under opentelemetry-instrument; all it does is captured unless told."""
    with contextlib.ExitStack() as stack:

        def start(endpoint: str, protocol: str = "http/protobuf", **variables: str) -> Service:
            environment = build_environment(endpoint, protocol)
            # No budget: a busy machine must not take events out of a test that counts them.
            environment |= {"OTEL_PYTHON_NOGI_CPU_BUDGET": "0", **variables}
            number = len(list(tmp_path.glob("shop*.log")))
            service = Service(build_command(None), environment, tmp_path / f"shop{number}.log")
            stack.enter_context(service)
            return service

        yield start


@pytest.fixture
def place_orders() -> Callable[[Service, int], list[Visit]]:
    """Order something, some times; each must be answered."""
    return lambda shop, number: [send_order(shop, "window") for _ in range(number)]
