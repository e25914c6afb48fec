"""The examples run as their pages say, with and without nogi_otel."""

from __future__ import annotations

import json
import signal
import sysconfig
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLE = str(EXAMPLES / "sample.py")
SHOP = str(EXAMPLES / "shop" / "app.py")
TOOL = str(Path(sysconfig.get_path("scripts")) / "nogi-otel")
DEADLINE_S = 60.0
TOKEN = "not-a-real-token"  # noqa: S105 - it says so itself

END = "-- the end"
RUN = f"""
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("{END}", flush=True)
"""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = monotonic() + DEADLINE_S
    while not condition():
        assert monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s"
        sleep(0.02)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Give the log records of a recording."""
    return [
        record
        for line in path.read_text(encoding="utf-8").splitlines()
        for resource_logs in json.loads(line)["resourceLogs"]
        for scope_logs in resource_logs["scopeLogs"]
        for record in scope_logs["logRecords"]
    ]


def is_connect(record: dict[str, Any]) -> bool:
    """Tell whether a log record is that of a connection."""
    return bool(record["eventName"] == "python.audit.socket.connect")


def fetch(url: str, order: object = None, token: str = "") -> tuple[int, dict[str, Any]]:
    """Ask the shop; give the status and what JSON it answered."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    method = "GET" if order is None else "POST"
    answer = requests.request(method, url, json=order, headers=headers, timeout=DEADLINE_S)
    return answer.status_code, answer.json() if answer.ok else {}


def test_shop_answers_without_nogi(start_child: Callable[..., Any]) -> None:
    """The shop is a service of its own: it needs neither nogi_otel nor OpenTelemetry."""
    block = "import sys; sys.modules['nogi_otel'] = sys.modules['opentelemetry'] = None\n"
    shop = start_child(f"{block}{RUN}", SHOP, "--port", "0")
    ready, url, _, pid = shop.read_line().split()
    assert (ready, int(pid)) == ("ready", shop.pid)
    status, order = fetch(f"{url}/orders", {"item": "tea", "quantity": 2})
    assert status == 201
    assert order["invoice"] == "invoice 1: 9.00 EUR"
    assert fetch(f"{url}/orders/1") == (
        200,
        {"order": 1, "item": "tea", "quantity": 2, "amount": 9.0},
    )
    assert fetch(f"{url}/stock/tea", token=TOKEN) == (
        200,
        {"item": "tea", "quantity": 99998},
    )
    assert fetch(f"{url}/slow?seconds=0") == (200, {"seconds": 0.0})
    refused = {
        400: {"item": "tea", "quantity": 0},
        404: {"item": "coffee", "quantity": 1},
        409: {"item": "pot", "quantity": 1},
    }
    for expected, wrong in refused.items():
        assert fetch(f"{url}/orders", wrong)[0] == expected
    assert fetch(f"{url}/stock/tea")[0] == 401
    assert fetch(f"{url}/error")[0] == 500
    shop.kill(signal.SIGTERM)
    assert shop.finish() == 0


@pytest.mark.parametrize("instrumented", [True, False])
def test_sample_shows_the_session_of_nogi(
    start_child: Callable[..., Any],
    tmp_path: Path,
    instrumented: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """SIGUSR1 makes the sample's connections appear as nogi's client showed them; SIGUSR2 ends it.

    With opentelemetry-instrument, and without any OpenTelemetry SDK set up.
    """
    port_file, recording = tmp_path / "ports.json", tmp_path / "recording"
    listener = start_child(
        RUN,
        *(TOOL, "listen", "--format", "nogi", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
        *("--port-file", str(port_file), "-o", str(recording)),
    )
    wait_until(port_file.exists, "a listener that listens")
    endpoint = json.loads(port_file.read_text(encoding="utf-8"))["http"]["endpoint"]
    sample = start_child(
        RUN,
        SAMPLE,
        environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
        },
        instrumented=instrumented,
    )
    introduction = sample.read_line().split()
    assert introduction[:2] == ["pid", str(sample.pid)]
    port = int(introduction[-1].split(":")[2].partition("/")[0])
    assert sample.read_line() == "200"

    sample.kill(signal.SIGUSR1)
    listener.read_until("event: socket.getaddrinfo")
    assert listener.read_line() == f"data: ('127.0.0.1', {port}, 0, 1, 0)"
    listener.read_until("event: socket.connect")
    data = listener.read_line()
    assert data.startswith("data: (<socket.socket ")
    assert data.endswith(f"('127.0.0.1', {port}))")
    listener.read_until("event: http.client.connect")
    assert listener.read_line().startswith("data: (<urllib3.connection.HTTPConnection")
    listener.read_until("event: http.client.send")
    assert listener.read_line().endswith(", '[REDACTED:http-body]')")
    listener.read_until("event: socket.__new__")
    assert listener.read_line().startswith("data: (<socket.socket family=0 type=0 proto=0>, 2, 1, ")

    sample.kill(signal.SIGUSR2)
    logs = recording / "logs.jsonl"
    wait_until(lambda: "nogi.window.closed" in logs.read_text(encoding="utf-8"), "a closed window")
    for _ in range(2):
        assert sample.read_until("200") == []
    listener.kill(signal.SIGINT)
    rest = listener.read_until(END)
    assert [line for line in rest if not line.startswith(("event: ", "data: "))] == []
    assert listener.finish() == 0
    records = read_records(logs)
    (closed,) = (one for one in records if one["eventName"] == "nogi.window.closed")
    end_ns = int(closed["timeUnixNano"])
    assert [one for one in records if int(one["timeUnixNano"]) > end_ns] == []
    audit = [one for one in records if one["eventName"].startswith("python.audit.")]
    assert all(("traceId" in one) == instrumented for one in audit if is_connect(one))
    assert sum(map(is_connect, audit)) >= 1
