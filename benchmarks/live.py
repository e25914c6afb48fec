"""A live process, opened by its signal, and a real receiver."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from contextlib import contextmanager
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.case import Measured

WINDOWS = 5
DEADLINE_S = 30
ANY = Address("127.0.0.1", 0)
PROGRAM = """
import sys, threading
import nogi_otel
nogi_otel.NogiInstrumentor().instrument(events="my-event", pipeline="direct", endpoint=sys.argv[1])
print("ready", flush=True)
done = threading.Event()
while not done.wait(0.001):
    sys.audit("my-event", "foo", "bar", 123)
"""


def time_signal(*, again: bool) -> Measured:
    """Return the time from the signal to the first audit record of its window."""
    taken = []
    with start_receiver() as (endpoint, records):
        for _ in range(1 if again else WINDOWS):
            with start_program(endpoint) as pid:
                for window in range(WINDOWS + 1 if again else 1):
                    spent_ms = open_window(pid, records)
                    if window or not again:
                        taken.append(spent_ms)
    return {"ms": median(taken)}


def open_window(pid: int, records: queue.Queue[str]) -> float:
    """Open a window, wait for its first record, close it, wait for its end; return ms."""
    begin = perf_counter_ns()
    os.kill(pid, signal.SIGUSR1)
    wait_for(records, "python.audit.my-event")
    spent_ns = perf_counter_ns() - begin
    os.kill(pid, signal.SIGUSR2)
    wait_for(records, "nogi.window.closed")
    return spent_ns / 1e6


def wait_for(records: queue.Queue[str], event_name: str) -> None:
    """Wait for a record of this name."""
    while records.get(timeout=DEADLINE_S) != event_name:
        pass


@contextmanager
def start_receiver() -> Iterator[tuple[str, queue.Queue[str]]]:
    """Start a receiver; give its endpoint, and the event names of what it gets."""
    records: queue.Queue[str] = queue.Queue()

    def take(_: str, message: Any) -> None:
        for resourced in message.resource_logs:
            for scoped in resourced.scope_logs:
                for record in scoped.log_records:
                    records.put(record.event_name)

    receiver = Receiver(take, http=ANY, grpc=ANY)
    receiver.start()
    yield receiver.http.endpoint, records
    receiver.stop()


@contextmanager
def start_program(endpoint: str) -> Iterator[int]:
    """Start the process that is opened; give its pid, end it afterwards."""
    command = [sys.executable, "-c", PROGRAM, endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()
