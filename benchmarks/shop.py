"""examples/shop under load, with the gate closed and open in turns, in one process."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.live import start_receiver, wait_for

if TYPE_CHECKING:
    import queue
    from collections.abc import Iterator

    from benchmarks.case import Measured

SHOP = Path(__file__).parent.parent / "examples" / "shop" / "app.py"
EVENTS_PER_S = 1000
TURNS = 6
TURN_S = 3.0
CLIENTS = 2


def time_shop() -> Measured:
    """Return the requests a second, and the ratio of open to closed, at 1,000 events a second."""
    closed, opened, ratios = [], [], []
    with start_receiver() as (endpoint, records), start_shop(endpoint) as (address, pid):
        count_requests(address)  # warm
        for turn in range(TURNS):
            rates = {}
            for is_open in (False, True) if turn % 2 else (True, False):
                if is_open:
                    os.kill(pid, signal.SIGUSR1)
                    wait_for(records, "nogi.window.opened")
                rates[is_open] = count_requests(address) / TURN_S
                if is_open:
                    os.kill(pid, signal.SIGUSR2)
                    wait_for(records, "nogi.window.closed")
                drain(records)
            closed.append(rates[False])
            opened.append(rates[True])
            ratios.append(rates[True] / rates[False])
    return {
        "requests/s closed": median(closed),
        "requests/s open": median(opened),
        "open to closed": median(ratios),
    }


def drain(records: queue.Queue[str]) -> None:
    """Forget what has been received."""
    while not records.empty():
        records.get()


def count_requests(address: tuple[str, int]) -> int:
    """Send requests for one turn, as fast as they are answered; return how many were."""
    counts = [0] * CLIENTS
    deadline = perf_counter() + TURN_S

    def send(client: int) -> None:
        while perf_counter() < deadline:
            connection = http.client.HTTPConnection(*address)
            connection.request("GET", "/stock/pear")
            connection.getresponse().read()
            connection.close()
            counts[client] += 1

    threads = [threading.Thread(target=send, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


@contextmanager
def start_shop(endpoint: str) -> Iterator[tuple[tuple[str, int], int]]:
    """Run the shop under opentelemetry-instrument; give its address and pid."""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_PYTHON_NOGI_EVENTS": "everything",
        "OTEL_PYTHON_NOGI_RATE_LIMIT": str(EVENTS_PER_S),
        "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
    }
    instrument = Path(sys.executable).parent / "opentelemetry-instrument"
    process = subprocess.Popen(
        [instrument, sys.executable, SHOP, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        parts = urlsplit(url)
        yield (parts.hostname or "127.0.0.1", parts.port or 80), process.pid
    finally:
        process.terminate()
        process.wait()
