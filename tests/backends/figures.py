"""How many audit events a real Collector gets a second, none lost: both ways out, side by side.

  python tests/backends/figures.py                    1,000,000 events each way
  python tests/backends/figures.py --events 100000    fewer

A program under opentelemetry-instrument raises events as fast as its drain takes them: every 256
events it looks how many wait, and rests while the ring is half full. So the rate is the highest
that loses none. The Collector writes them to a file; what arrived is counted there. CPU is user
and system time of the whole process, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import psutil

FOLDER = Path(__file__).parent
MINIMAL = FOLDER.parents[1] / "examples" / "collector" / "minimal.yaml"
EVENT = "figures.event"
LOOK_EVERY = 256
MOST_WAITING = 4000
"""Half of the default ring, which the Python core counts at 1 KiB an event."""
DEADLINE_S = 3600


def main() -> int:
    """Measure both ways, or be the program that raises events."""
    parser = argparse.ArgumentParser(description="Measure the way into a real Collector.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--protocol", choices=("http/protobuf", "grpc"), default="http/protobuf")
    parser.add_argument("--raise", dest="raises", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.raises:
        raise_events(arguments.events)
        return 0
    program = find_collector()
    if program is None:
        print("the Collector is not built: make backends")
        return 1
    rows = [measure(program, way, arguments) for way in ("direct", "provider")]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"{arguments.events:,} audit events into the Collector's file exporter, over "
        f"{arguments.protocol}; Python {sys.version.split()[0]}, "
        f"{os.cpu_count()} cores, load {load}"
    )
    print(f"{'':24}{'direct':>14}{'provider':>14}")
    for name in rows[0]:
        print(f"{name:24}" + "".join(f"{row[name]:>14,}" for row in rows))
    whole = all(row["arrived"] == row["raised"] == row["exported"] for row in rows)
    print("every event arrived" if whole else "events are MISSING")
    return 0 if whole else 1


def raise_events(number: int) -> None:
    """Raise events, no faster than they are taken; print what became of them."""
    import nogi_otel

    def count_waiting() -> int:
        return int(nogi_otel.status()["window"]["accounts"]["in_flight"])

    rest = threading.Event()
    nogi_otel.open_gate(max_duration=0)
    started, cpu = monotonic(), process_time()
    for index in range(number):
        sys.audit(EVENT, index, "/srv/data/file.txt", 12.5)
        if index % LOOK_EVERY == 0:
            while count_waiting() > MOST_WAITING:
                rest.wait(0.002)
    raised_s = monotonic() - started
    accounts = nogi_otel.close_gate(DEADLINE_S)
    print(
        json.dumps(
            {
                "raising_s": raised_s,
                "seconds": monotonic() - started,
                "cpu_s": process_time() - cpu,
                "accounts": accounts,
            }
        )
    )


def measure(program: str, way: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Run a Collector and the program once."""
    with tempfile.TemporaryDirectory(prefix="nogi-figures-") as name:
        folder = Path(name)
        grpc, http = find_ports(2)
        variables = {
            "OTELCOL_GRPC": f"127.0.0.1:{grpc}",
            "OTELCOL_HTTP": f"127.0.0.1:{http}",
            "OTELCOL_FILES": name,
            "OTELCOL_VERBOSITY": "basic",
        }
        output = folder / "collector.txt"
        with output.open("wb") as file:
            collector = subprocess.Popen(
                [program, "--config", str(MINIMAL)],
                env=os.environ | variables,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            await_ready(collector, output)
            before = psutil.Process(collector.pid).cpu_times()
            told = run_program(way, grpc if arguments.protocol == "grpc" else http, arguments)
            after = psutil.Process(collector.pid).cpu_times()
        finally:
            collector.send_signal(signal.SIGTERM)
            collector.wait(60)
        arrived = count_arrived(folder / "logs.jsonl")
    collector_s = after.user + after.system - before.user - before.system
    seconds, accounts = told["seconds"], told["accounts"]
    return {
        "raised": arguments.events,
        "exported": accounts["exported"],
        "arrived": arrived,
        "dropped": accounts["dropped"],
        "seconds": round(seconds, 1),
        "events a second": round(arguments.events / seconds),
        "process CPU s": round(told["cpu_s"], 1),
        "Collector CPU s": round(collector_s, 1),
        "process CPU us an event": round(told["cpu_s"] / arguments.events * 1e6, 1),
        "Collector CPU us/event": round(collector_s / arguments.events * 1e6, 1),
    }


def run_program(way: str, port: int, arguments: argparse.Namespace) -> Any:
    """Run the program that raises events; return what it says."""
    tool = Path(sysconfig.get_path("scripts"), "opentelemetry-instrument")
    command = [str(tool), sys.executable, str(FOLDER / "figures.py"), "--raise"]
    command += ["--events", str(arguments.events)]
    environment = {name: value for name, value in os.environ.items() if "OTEL_" not in name} | {
        "OTEL_SERVICE_NAME": "figures",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": arguments.protocol,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_PYTHON_NOGI_EVENTS": EVENT,
        "OTEL_PYTHON_NOGI_PIPELINE": way,
        "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
    }
    finished = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(finished.stdout.splitlines()[-1])


def find_collector() -> str | None:
    """Return the Collector that ``make backends`` has built."""
    command = [sys.executable, str(FOLDER / "build.py"), "--list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(listed.stdout)["otelcol"]
    return str(found["path"]) if found["built"] else None


def find_ports(number: int) -> list[int]:
    """Return ports on loopback that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def await_ready(collector: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until the Collector serves."""
    never, deadline = threading.Event(), monotonic() + 60
    while b"Everything is ready" not in output.read_bytes():
        if collector.poll() is not None or monotonic() > deadline:
            raise SystemExit(f"the Collector did not start:\n{output.read_text()}")
        never.wait(0.05)


def count_arrived(path: Path) -> int:
    """Count the audit events in a file of OTLP JSON lines."""
    mark = f'"eventName":"python.audit.{EVENT}"'.encode()
    with path.open("rb") as file:
        return sum(line.count(mark) for line in file)


if __name__ == "__main__":
    sys.exit(main())
