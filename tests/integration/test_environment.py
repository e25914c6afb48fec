"""Settings of a real process: flags, bad values, a recording, warnings as errors."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel import environment_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


VARIABLES = sorted(name for name in vars(environment_variables) if name.startswith("OTEL_"))


PRELUDE = """
import json, logging, os, signal, sys, threading, time
import nogi_otel

def answer(**values):
    print(json.dumps(values), flush=True)

def listen():
    return sys.stdin.readline().strip()

def instrument(**settings):
    logging.basicConfig(format="%(levelname)s %(message)s")
    nogi_otel.NogiInstrumentor().instrument(**settings)
"""


BAD_VALUES = {
    "EVENTS": "%nonsense",
    "EXCLUDED_EVENTS": "%nonsense",
    "WHERE": 'file.path ~~ "x"',
    "EMIT": "smoke",
    "START_SIGNAL": "SIGKILL",
    "STOP_SIGNAL": "SIGNONSENSE",
    "START": "ajar",
    "MAX_DURATION": "-17",
    "MAX_EVENTS": "lots",
    "RATE_LIMIT": "fast",
    "CPU_BUDGET": "101",
    "SPAN_EVENT_LIMIT": "1.5",
    "CODE": "all",
    "REDACT": "broken=(",
    "UNREDACT": "no-such-rule",
    "RECORDING": "audit-{host}.jsonl",
    "PIPELINE": "fast",
    "ENDPOINT": "localhost:4318",
    "BUFFER": "12 bananas",
    "FLUSH_TIMEOUT": "soon",
}


def test_the_table_of_bad_values_is_complete() -> None:
    """Every variable has a value that it refuses, and a test of it."""
    assert sorted(f"OTEL_PYTHON_NOGI_{name}" for name in BAD_VALUES) == VARIABLES


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_bad_value_is_named_and_harmless(
    start_child: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """It names variable, value and what is allowed; the program runs; USR1 does not kill it."""
    source = (
        PRELUDE
        + """
instrument()
answer(ready=True)
listen()
answer(alive=True, state=nogi_otel.status()["state"])
"""
    )
    variable = f"OTEL_PYTHON_NOGI_{name}"
    child = start_child(
        source,
        environment={
            "OTEL_PYTHON_NOGI_RECORDING": str(tmp_path / "audit.jsonl"),
            "OTEL_PYTHON_NOGI_EMIT": "none",
            variable: BAD_VALUES[name],
        },
    )
    assert child.read_json() == {"ready": True}
    errors = child.errors
    assert variable in errors, "it is said when the process is armed"
    child.kill(signal.SIGUSR1)
    child.kill(signal.SIGUSR2)
    assert BAD_VALUES[name] in errors
    assert any(word in errors for word in ("Use ", "expected ", " only "))
    assert "Traceback" not in errors
    child.say("go")
    assert child.read_json() == {"alive": True, "state": "armed"}
    assert child.finish() == 0


@pytest.mark.parametrize(
    ("chosen", "number"),
    [("SIGRTMIN+3", int(signal.SIGRTMIN) + 3), ("SIGHUP", int(signal.SIGHUP))],
)
def test_a_bad_value_leaves_the_chosen_signal_harmless(
    start_child: Callable[..., Any], chosen: str, number: int
) -> None:
    """Where another setting is refused, the signal that the operator chose still does not kill."""
    source = (
        PRELUDE
        + """
instrument()
answer(signals=nogi_otel.status()["signals"])
listen()
answer(alive=True)
"""
    )
    child = start_child(
        source,
        environment={
            "OTEL_PYTHON_NOGI_START_SIGNAL": chosen,
            "OTEL_PYTHON_NOGI_STOP_SIGNAL": "none",
            "OTEL_PYTHON_NOGI_MAX_EVENTS": "lots",
        },
    )
    assert child.read_json() == {"signals": [chosen]}
    os.kill(child.pid, number)
    child.say("go")
    assert child.read_json() == {"alive": True}
    assert child.finish() == 0


def test_every_setting_is_a_flag_of_opentelemetry_instrument(
    start_child: Callable[..., Any], tmp_path: Path
) -> None:
    """``opentelemetry-instrument --nogi_events ...``: each variable has its flag."""
    given = {
        "EVENTS": "app.*",
        "EXCLUDED_EVENTS": "app.not",
        "WHERE": 'thread.name != "x"',
        "EMIT": "logs",
        "START_SIGNAL": "SIGRTMIN+4",
        "STOP_SIGNAL": "none",
        "START": "open",
        "MAX_DURATION": "17",
        "MAX_EVENTS": "18",
        "RATE_LIMIT": "19",
        "CPU_BUDGET": "20",
        "SPAN_EVENT_LIMIT": "21",
        "CODE": "location",
        "REDACT": "mine=abc",
        "UNREDACT": "*",
        "RECORDING": str(tmp_path / "flag.jsonl"),
        "PIPELINE": "provider",
        "ENDPOINT": "http://127.0.0.1:9",
        "BUFFER": "1MiB",
        "FLUSH_TIMEOUT": "0.25",
    }
    assert sorted(f"OTEL_PYTHON_NOGI_{name}" for name in given) == VARIABLES
    source = (
        PRELUDE
        + """
from nogi_otel import agent
status = nogi_otel.status()
answer(settings={key: getattr(agent.get_agent().settings, key)
                 for key in ("max_duration", "max_events", "cpu_budget", "span_event_limit",
                             "code", "recording", "pipeline", "endpoint", "buffer",
                             "flush_timeout", "events", "excluded_events", "where")},
       state=status["state"], signals=status["signals"],
       variables={key: value for key, value in os.environ.items() if "NOGI" in key})
"""
    )
    program = tmp_path / "program.py"
    program.write_text(source)
    launcher = """
    import os, sys
    tool = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    os.execv(tool, [tool, *sys.argv[1:]])
    """
    flags = [part for name, value in given.items() for part in (f"--nogi_{name.lower()}", value)]
    child = start_child(
        launcher,
        *flags,
        sys.executable,
        str(program),
        environment={"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
    )
    told = child.read_json()
    assert child.finish() == 0, child.errors
    assert told["variables"] == {f"OTEL_PYTHON_NOGI_{key}": value for key, value in given.items()}
    assert told["state"] == "open"
    assert told["signals"] == ["SIGRTMIN+4"]
    expected: dict[str, object] = {key.lower(): value for key, value in given.items()}
    expected |= {
        "max_duration": 17,
        "max_events": 18,
        "cpu_budget": 20,
        "span_event_limit": 21,
        "buffer": 1 << 20,
        "flush_timeout": 0.25,
    }
    assert told["settings"] == {key: expected[key] for key in told["settings"]}


def test_a_recording_needs_no_collector(start_child: Callable[..., Any], tmp_path: Path) -> None:
    """{pid} and {service} are filled in; the file is 0600 and holds OTLP JSON lines."""
    source = (
        PRELUDE
        + """
from opentelemetry import trace
with trace.get_tracer("test").start_as_current_span("request") as span:
    sys.audit("app.event", "v", 1 << 60)
    context = span.get_span_context()
sys.audit("app.outside")
answer(trace=f"{context.trace_id:032x}", span=f"{context.span_id:016x}")
"""
    )
    child = start_child(
        source,
        environment={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_SERVICE_NAME": "../my shop",
            "OTEL_PYTHON_NOGI_RECORDING": str(tmp_path / "new" / "{service}-{pid}.jsonl"),
            "OTEL_PYTHON_NOGI_EVENTS": "app.*",
            "OTEL_PYTHON_NOGI_START": "open",
        },
        instrumented=True,
    )
    ids = child.read_json()
    assert child.finish() == 0
    assert child.errors == "", child.errors
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == f"_my_shop-{child.pid}.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    records = []
    text = path.read_text()
    assert text.endswith("\n")
    for line in text.splitlines():
        data = json.loads(line)
        (resourced,) = data["resourceLogs"]
        assert {
            "key": "service.name",
            "value": {"stringValue": "../my shop"},
        } in resourced["resource"]["attributes"]
        (scoped,) = resourced["scopeLogs"]
        assert scoped["scope"]["name"] == "nogi_otel"
        records.extend(scoped["logRecords"])
    names = [record["eventName"] for record in records]
    assert names == [
        "nogi.window.opened",
        "python.audit.app.event",
        "python.audit.app.outside",
        "nogi.window.closed",
    ]
    for record in records:
        assert record["timeUnixNano"].isdecimal()
        assert record["observedTimeUnixNano"].isdecimal()
        assert record["severityNumber"] == 9
    inside, outside = records[1], records[2]
    assert (inside["traceId"], inside["spanId"]) == (ids["trace"], ids["span"])
    assert "traceId" not in outside
    attributes = {one["key"]: one["value"] for one in inside["attributes"]}
    assert attributes["python.audit.args"] == {"stringValue": f'["v",{1 << 60}]'}
    assert attributes["process.pid"] == {"intValue": str(child.pid)}


def test_warnings_as_errors_change_nothing(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """A program that runs under ``-W error`` gets its window, its status and its accounts."""
    source = (
        PRELUDE
        + """
import warnings
instrument(events="app.*", pipeline="direct")
nogi_otel.open_gate()  # the exporters are imported before every warning is an error
nogi_otel.close_gate()
warnings.simplefilter("error")
nogi_otel.open_gate()
sys.audit("app.event")
nogi_otel.status()
answer(**nogi_otel.close_gate())
listen()
nogi_otel.flush()  # no request is under way when the process ends
"""
    )
    child = start_child(source, environment=otel_environment)
    accounts = child.read_json()
    assert accounts["exported"] == 1
    collected.wait_for(lambda c: len(c.named("nogi.window.closed")) == 2, "both ends")
    child.say("go")
    assert child.finish() == 0
    assert child.errors == "", child.errors
