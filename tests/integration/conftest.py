"""Child processes that a test talks to, and a real receiver that they export to."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import textwrap
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address
from nogi_otel.receiver.proto_json import encode_message
from nogi_otel.recording.otlp_json import LEVELS, decode_attributes

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DEADLINE_S = 30.0
ANY = Address("127.0.0.1", 0)


class Child:
    """A Python program in a process of its own, spoken to line by line."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        self._errors = (directory / f"stderr-{len(os.listdir(directory))}.txt").open("a+b")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            cwd=directory,
            text=True,
            bufsize=1,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="child-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def errors(self) -> str:
        """What it has written to standard error by now."""
        self._errors.flush()
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def read_line(self, timeout_s: float = DEADLINE_S) -> str:
        """Return the next line of its output; fail where there is none in time."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            pytest.fail(f"no line within {timeout_s} s; standard error:\n{self.errors}")
        if line is None:
            pytest.fail(f"the child ended ({self.process.wait()}); stderr:\n{self.errors}")
        return line

    def read_until(self, expected: str, timeout_s: float = DEADLINE_S) -> list[str]:
        """Return the lines up to ``expected``, without it."""
        deadline = monotonic() + timeout_s
        lines: list[str] = []
        while (line := self.read_line(deadline - monotonic())) != expected:
            lines.append(line)
        return lines

    def read_json(self, timeout_s: float = DEADLINE_S) -> Any:
        """Return the next line, which is JSON."""
        return json.loads(self.read_line(timeout_s))

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to its pid."""
        os.kill(self.pid, number)

    def finish(self, timeout_s: float = DEADLINE_S) -> int:
        """Close its input, wait for its end and return its exit code."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the child did not end within {timeout_s} s; stderr:\n{self.errors}")

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()


class Collected:
    """What a receiver got, record by record, in the shape of OTLP JSON with plain attributes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records: dict[str, list[dict[str, Any]]] = {"logs": [], "traces": [], "metrics": []}

    def take(self, signal_name: str, message: Any) -> None:
        """Be the receiver's consumer."""
        data = encode_message(message)
        outer, middle, inner = LEVELS[signal_name]  # type: ignore[index]
        with self._changed:
            for resourced in data.get(outer, ()):
                resource = decode_attributes(resourced.get("resource", {}).get("attributes"))
                for scoped in resourced.get(middle, ()):
                    for record in scoped.get(inner, ()):
                        self._records[signal_name].append(_flatten(record, resource))
            self._changed.notify_all()

    def of(self, signal_name: str) -> list[dict[str, Any]]:
        """All records of one signal: ``logs``, ``traces`` or ``metrics``."""
        with self._changed:
            return list(self._records[signal_name])

    @property
    def logs(self) -> list[dict[str, Any]]:
        """All log records."""
        with self._changed:
            return list(self._records["logs"])

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All spans."""
        with self._changed:
            return list(self._records["traces"])

    def audit_logs(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log records of audit events, or of one event."""
        return [
            record
            for record in self.logs
            if "python.audit.event" in record["attributes"]
            and event in {None, record["attributes"]["python.audit.event"]}
        ]

    def named(self, event_name: str) -> list[dict[str, Any]]:
        """The log records of one event name."""
        return [record for record in self.logs if record.get("eventName") == event_name]

    def wait_for(
        self,
        condition: Callable[[Collected], Any],
        what: str,
        timeout_s: float = DEADLINE_S,
    ) -> Any:
        """Wait until a condition holds; return what it returned."""
        deadline = monotonic() + timeout_s
        with self._changed:
            while not (found := condition(self)):
                if not self._changed.wait(deadline - monotonic()):
                    names = sorted({str(one.get("eventName")) for one in self.logs})
                    pytest.fail(f"{what}: not within {timeout_s} s; received: {names}")
        return found


def _flatten(record: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    flat = dict(record)
    flat["resource"] = resource
    flat["attributes"] = decode_attributes(record.get("attributes"))
    flat["events"] = [
        {**event, "attributes": decode_attributes(event.get("attributes"))}
        for event in record.get("events", ())
    ]
    body = record.get("body") or {}
    flat["body"] = body.get("stringValue", "")
    return flat


@pytest.fixture
def collected() -> Collected:
    """What the receiver of this test got."""
    return Collected()


@pytest.fixture
def receiver(collected: Collected) -> Iterator[Receiver]:
    """A real OTLP receiver on loopback, over HTTP and gRPC."""
    server = Receiver(collected.take, http=ANY, grpc=ANY)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def otel_environment(receiver: Receiver) -> dict[str, str]:
    """The variables of an application that exports to the receiver, over HTTP."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "tested",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_BLRP_SCHEDULE_DELAY": "50",
    }


@pytest.fixture
def start_child(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Start Python source in a child process; ``instrumented`` under opentelemetry-instrument."""
    children: list[Child] = []

    def start(
        source: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        instrumented: bool = False,
    ) -> Child:
        script = tmp_path / f"child_{len(children)}.py"
        script.write_text(textwrap.dedent(source))
        command = [sys.executable, str(script), *arguments]
        if instrumented:
            command = [
                os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument"),
                *command,
            ]
        child = Child(command, {**os.environ, **(environment or {})}, tmp_path)
        children.append(child)
        return child

    yield start
    for child in children:
        child.end()
