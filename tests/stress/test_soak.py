"""Everything at once for a while: windows, a flood, forks; and the books balance at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.recording.otlp_json import decode_attributes

if TYPE_CHECKING:
    from pathlib import Path

DURATION_S = 20

PROGRAM = """
import json, os, random, signal, sys, threading, time
import nogi_otel
from nogi_otel import agent

recording, duration = sys.argv[1], float(sys.argv[2])
deadline = time.monotonic() + duration
agent.arm({"events": "app.*", "emit": "none", "recording": recording, "cpu_budget": 0,
           "buffer": "64KiB", "flush_timeout": 20})
random.seed(1)
windows = []

def flood(thread):
    number = 0
    while time.monotonic() < deadline:
        for _ in range(50):
            sys.audit("app.flood", thread, number, {"key": ["value", number]})
            sys.audit("other.flood", thread)
            number += 1
        time.sleep(0.005)

def fork():
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        for number in range(5):
            sys.audit("app.child", number)
        accounts = nogi_otel.close_gate()
        child = [os.getpid(), accounts and accounts["seen"] - accounts["filtered"]]
        sys.stdout.write(json.dumps({"child": child}) + "\\n")
        sys.stdout.flush()
        os._exit(0)
    return pid

threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
statuses = []
while time.monotonic() < deadline:
    window_id = nogi_otel.open_gate()
    time.sleep(random.uniform(0, 0.1))
    if random.random() < 0.3:
        statuses.append(os.waitpid(fork(), 0)[1])
    accounts = nogi_otel.close_gate()
    windows.append([window_id, accounts])
    time.sleep(random.uniform(0, 0.02))
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps({
    "windows": windows, "statuses": statuses, "pending": nogi_otel.status()["pending"],
    "threads": len(os.listdir("/proc/self/task")), "pid": os.getpid(),
}) + "\\n")
"""


@pytest.mark.stress
def test_the_books_balance_after_a_soak(tmp_path: Path) -> None:
    """Of hundreds of windows each one's parts are its sum, and its records are in the recording."""
    template = tmp_path / "soak-{pid}.jsonl"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(template), str(DURATION_S)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DURATION_S + 120,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    parent = told.pop()
    assert parent["statuses"] == [0] * len(told)
    assert len(told) > 10
    assert [one["child"][1] for one in told] == [5] * len(told)
    for pid, _ in (one["child"] for one in told):
        assert count_recorded(tmp_path / f"soak-{pid}.jsonl", "app.child") == 5
    windows: list[tuple[str, dict[str, int]]] = parent["windows"]
    assert len(windows) > 50
    recorded = count_by_window(tmp_path / f"soak-{parent['pid']}.jsonl")
    for window_id, accounts in windows:
        parts = {key: value for key, value in accounts.items() if key not in {"seen", "dropped"}}
        assert sum(parts.values()) == accounts["seen"], accounts
        assert accounts["in_flight"] == 0, accounts
        assert accounts["exported"] == recorded[window_id], (window_id, accounts)
    assert sum(accounts["exported"] for _, accounts in windows) > 1000
    assert sum(accounts["ring_full"] for _, accounts in windows) > 0
    assert parent["threads"] == 2  # the main one and the drain
    assert parent["pending"] == 0


def read_attributes(path: Path) -> list[dict[str, Any]]:
    """Return the attributes of every audit record of a recording."""
    found = [
        decode_attributes(record["attributes"])
        for line in path.read_text().splitlines()
        for resourced in json.loads(line)["resourceLogs"]
        for scoped in resourced["scopeLogs"]
        for record in scoped["logRecords"]
    ]
    return [attributes for attributes in found if "python.audit.event" in attributes]


def count_recorded(path: Path, name: str) -> int:
    """Return how many records of an event a recording holds."""
    return sum(one["python.audit.event"] == name for one in read_attributes(path))


def count_by_window(path: Path) -> Counter[str]:
    """Return how many audit records a recording holds of each window."""
    return Counter(str(one["nogi.window.id"]) for one in read_attributes(path))
