"""``nogi-otel demo``: a real service, two real signals, and a verdict that can fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
TOOL = Path(sysconfig.get_path("scripts")) / "nogi-otel"
DEADLINE_S = 120


def run_demo(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, with the settings of nogi_otel given by their short names."""
    variables = {f"OTEL_PYTHON_NOGI_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [TOOL, "demo", *arguments],
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
    )


def copy_shop(folder: Path, old: str, new: str) -> str:
    """Copy the shop with one thing changed in its program; give the folder."""
    shutil.copytree(SHOP, folder)
    program = folder / "app.py"
    text = program.read_text(encoding="utf-8")
    assert text.count(old) == 1
    program.write_text(text.replace(old, new), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_demo_works(protocol: str) -> None:
    """Every event is on its span, over both protocols, and the last line tells how many."""
    finished = run_demo("--protocol", protocol, "--requests", "2")
    assert finished.returncode == 0, finished.stderr
    last = finished.stdout.splitlines()[-1]
    assert re.fullmatch(r"\d+ audit events on 3 traces, 0 dropped", last)
    assert int(last.split()[0]) >= 2 * 6 + 1
    assert "nogi-otel:" not in finished.stderr


def test_traces_are_drawn_with_their_events() -> None:
    """An event stands under its span: the inner call's under it, the shop's own under the order."""
    finished = run_demo("--requests", "1", "--traces", "2")
    assert finished.returncode == 0, finished.stderr
    order, error = re.split(r"\n(?=GET /error  trace)", finished.stdout)
    lines = [line.partition(" ms  ")[2] for line in order.splitlines()]
    assert lines[2].startswith("POST /orders  ")
    assert any(re.match(r"├── GET  \d", line) for line in lines)
    assert any(line.startswith("│   ├ • socket.connect 127.0.0.1:") for line in lines)
    assert any(re.match(r"│   └── GET /stock/<item>  \d", line) for line in lines)
    assert any(re.match(r"│   {5}├ • sqlite3.connect .*shop\.db$", line) for line in lines)
    assert any(re.match(r"[├└] • shop.order.approved 2 9.0$", line) for line in lines)
    assert re.search(r"• open .*vouchers\.json", error)
    assert re.search(r"! exception FileNotFoundError: ", error)
    assert "\x1b" not in finished.stdout


def test_missing_event_fails() -> None:
    """Where an event that must be there is not, the exit code is 1 and the message names it."""
    finished = run_demo("--requests", "1", excluded_events="sqlite3.*")
    assert finished.returncode == 1
    assert "no log record for sqlite3.connect" in finished.stderr
    assert "no span event for sqlite3.connect" in finished.stderr
    assert "OTEL_PYTHON_NOGI_EXCLUDED_EVENTS" in finished.stderr
    assert "audit events on" not in finished.stdout
    assert "socket.connect of the inner call" not in finished.stderr


def test_events_before_the_signal_fail() -> None:
    """A process that records before it is told to does not pass."""
    finished = run_demo("--requests", "1", start="open")
    assert finished.returncode == 1
    assert "audit events on a request sent before the window" in finished.stderr


def test_event_on_a_wrong_span_fails(tmp_path: Path) -> None:
    """An event that is there, but on another span of its trace, does not pass."""
    shop = copy_shop(
        tmp_path / "shop",
        "    sys.audit(",
        "    from opentelemetry import trace\n"
        '    with trace.get_tracer("shop").start_as_current_span("inner"):\n'
        "        sys.audit(",
    )
    finished = run_demo("--requests", "1", "--shop", shop)
    assert finished.returncode == 1
    assert (
        "the log record for shop.order.approved with the order's number is not on the span "
        "'POST /orders'"
    ) in finished.stderr


def test_leaked_secret_fails(tmp_path: Path) -> None:
    """A secret of the shop that arrives, in whatever form, does not pass."""
    shop = copy_shop(
        tmp_path / "shop",
        'sys.audit("shop.order.approved", order_id, cents / 100)',
        'sys.audit("shop.order.approved", order_id, f"of {get_shop().stock_token[:]} today")',
    )
    finished = run_demo("--requests", "1", "--shop", shop)
    assert finished.returncode == 1
    assert "a fake secret of the shop has left it" in finished.stderr


def test_kept_files_hold_everything_but_secrets(tmp_path: Path) -> None:
    """What was received is kept for this user alone, redacted, and counts up with the report."""
    kept = tmp_path / "kept"
    finished = run_demo("--requests", "1", "--json", "--keep", str(kept))
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    report = json.loads(finished.stdout)
    assert report["complaints"] == []
    assert report["dropped"] == 0
    (accounts,) = report["accounts"]
    assert accounts.pop("seen") == sum(accounts.values())
    assert accounts["exported"] == report["audit_events"] + report["off_trace"]
    logs = (kept / "logs.jsonl").read_text(encoding="utf-8")
    traces = (kept / "traces.jsonl").read_text(encoding="utf-8")
    assert logs.count('"eventName":"python.audit.') == accounts["exported"]
    for text in (logs, traces):
        assert "python.audit.subprocess.Popen" in text
        assert "--password=" in text
        assert "fake-" not in text
    for path in kept.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_shop_that_does_not_start_is_shown(tmp_path: Path) -> None:
    """The output of a service that ends too early stands in the error's place."""
    (tmp_path / "app.py").write_text("raise SystemExit('no \\x1b[31mdatabase')", encoding="utf-8")
    finished = run_demo("--shop", str(tmp_path))
    assert finished.returncode == 1
    assert "no \\x1b[31mdatabase" in finished.stderr
    assert "the shop ended by itself, with exit code 1" in finished.stderr


def test_missing_shop_is_explained(tmp_path: Path) -> None:
    """A folder without a shop is refused with what to do, before anything is started."""
    finished = run_demo("--shop", str(tmp_path))
    assert finished.returncode == 2
    assert "examples/shop" in finished.stderr
    assert "starting" not in finished.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting", "it serves", "the window is open"])
def test_interrupted_demo_leaves_nothing_behind(
    number: signal.Signals, moment: str, tmp_path: Path
) -> None:
    """Ctrl-C or SIGTERM ends the demo, its service and their temporary files, at any moment."""
    process = subprocess.Popen(
        [TOOL, "demo", "--requests", "50"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(DEADLINE_S, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        assert any(line.startswith(moment) for line in process.stderr)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(DEADLINE_S) == 130, rest
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    # A program that the service was running at that moment ends by itself, a little later.
    _, alive = psutil.wait_procs(children, timeout=DEADLINE_S)
    assert alive == []
    assert list(tmp_path.iterdir()) == []


def test_own_environment_does_not_disturb() -> None:
    """Endpoints, exporters and proxies of whoever runs the demo do not reach the shop."""
    finished = subprocess.run(
        [sys.executable, "-m", "nogi_otel", "demo", "--requests", "1"],
        env=os.environ
        | {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces",
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_SDK_DISABLED": "true",
            "http_proxy": "http://127.0.0.1:1",
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert finished.returncode == 0, finished.stderr
