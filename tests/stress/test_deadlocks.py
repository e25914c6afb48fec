"""The two deadlocks that an audit hook can bring into a process that uses OpenTelemetry.

The SDK's span keeps its state under a lock that is not reentrant. A finalizer or a signal handler
that runs while the application holds it, and raises an audit event, meets a hook that calls the
SDK: it waits for a lock that its own thread holds, for ever. A re-entrancy guard does not help.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

DURATION_S = 20
"""Of each of the three; the control ends as soon as it hangs."""
CONTROL_S = 60
STALL_EXIT = 3
"""How the program ends where its watchdog sees no progress."""

PROGRAM = '''
import faulthandler, gc, json, os, signal, sys, threading, time
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

hook, disturbance = sys.argv[1:3]
duration, stall = map(float, sys.argv[3:])
progress = [0, 0, 0]  # requests of each thread
# The same in smaller steps; each finalizer is a step of the thread it runs on.
steps = [0, 0, 0, 0]
numbers = {}
made = finalized = handled = 0
exported = {"spans": 0, "application": 0, "audit": 0}

class Exporter(SpanExporter):
    def export(self, spans):
        for span in spans:
            exported["spans"] += 1
            for event in span.events:
                exported["application" if event.name == "application" else "audit"] += 1
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Exporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("stress")

class Garbage:
    def __init__(self):
        self.myself = self

    def __del__(self):
        global finalized
        finalized += 1
        steps[numbers.get(threading.get_ident(), 3)] += 1
        os.close(os.open("/dev/null", os.O_RDONLY))
        sys.audit("app.finalized", [finalized])

def handle(*_):
    global handled
    handled += 1
    os.close(os.open("/dev/null", os.O_RDONLY))
    sys.audit("app.handled", {"number": handled})

def serve(thread, deadline):
    global made
    numbers[threading.get_ident()] = thread
    while time.monotonic() < deadline:
        with tracer.start_as_current_span("request") as span:
            for number in range(40):
                # Bounded: a thread that collects would run the finalizers of all that the others
                # throw away meanwhile, and never come back to its requests.
                if disturbance != "signals" and made - finalized < 200:
                    made += 1
                    Garbage()
                span.set_attribute(f"key.{number % 8}", number)
                span.add_event("application", {"number": number})
                sys.audit("app.request", number)
                steps[thread] += 1
        progress[thread] += 1

def watch(deadline):
    """End the program where one of the threads stands still."""
    seen, since = [-1] * 3, [time.monotonic()] * 3
    while time.monotonic() < deadline:
        time.sleep(0.2)
        for thread in range(3):
            if steps[thread] != seen[thread]:
                seen[thread], since[thread] = steps[thread], time.monotonic()
            elif time.monotonic() - since[thread] > stall:
                faulthandler.dump_traceback(all_threads=True)
                os._exit(3)

def install_naive():
    """A hook that calls the SDK, behind a guard against its own re-entry."""
    inside = threading.local()

    def naive(event, arguments):
        if not event.startswith(("app.", "open")) or getattr(inside, "flag", False):
            return
        inside.flag = True
        try:
            trace.get_current_span().add_event(event, {"arguments": str(arguments)})
        finally:
            inside.flag = False

    sys.addaudithook(naive)

def install_ours():
    import nogi_otel
    nogi_otel.NogiInstrumentor().instrument(
        events="app.*,open", recording=os.devnull, emit="span_events", cpu_budget=0
    )
    nogi_otel.open_gate()

install_naive() if hook == "naive" else install_ours()
if disturbance != "signals":
    gc.set_threshold(7, 2, 2)
if disturbance != "finalizers":
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
deadline = time.monotonic() + duration
threading.Thread(target=watch, args=(deadline,), daemon=True).start()
threads = [threading.Thread(target=serve, args=(number, deadline)) for number in (1, 2)]
for thread in threads:
    thread.start()
serve(0, deadline)
for thread in threads:
    thread.join(stall)
    if thread.is_alive():
        faulthandler.dump_traceback(all_threads=True)
        os._exit(3)
signal.setitimer(signal.ITIMER_REAL, 0)
gc.set_threshold(700, 10, 10)
accounts = None
if hook == "ours":
    import nogi_otel
    accounts = nogi_otel.close_gate(20)
print(json.dumps({
    "progress": sum(progress), "finalized": finalized, "handled": handled,
    "exported": exported, "accounts": accounts,
}))
'''


def run_program(
    hook: str, disturbance: str, duration_s: float, stall_s: float
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, or until its own watchdog sees no progress."""
    command = [sys.executable, "-c", PROGRAM, hook, disturbance, str(duration_s), str(stall_s)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=duration_s + stall_s + 60
    )


@pytest.mark.stress
@pytest.mark.parametrize("disturbance", ["finalizers", "signals", "both"])
def test_no_finalizer_and_no_handler_deadlocks(disturbance: str) -> None:
    """Finalizers and handlers that open files while spans are written to: the requests go on."""
    ended = run_program("ours", disturbance, DURATION_S, 15)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["progress"] > 0
    assert (told["finalized"] > 0) == (disturbance != "signals")
    assert (told["handled"] > 0) == (disturbance != "finalizers")
    exported = told["exported"]
    assert exported["spans"] == told["progress"]
    assert exported["application"] == 40 * told["progress"]
    assert exported["audit"] >= told["progress"]
    accounts = told["accounts"]
    parts = {key: value for key, value in accounts.items() if key not in {"seen", "dropped"}}
    assert sum(parts.values()) == accounts["seen"]
    assert accounts["hook_failed"] == accounts["redaction_failed"] == 0
    assert accounts["in_flight"] == 0
    # What a finalizer raises on the drain's thread, or while a span is exported, is own traffic.
    assert accounts["seen"] - accounts["filtered"] >= 40 * told["progress"]


@pytest.mark.stress
@pytest.mark.parametrize("disturbance", ["finalizers", "signals"])
def test_a_hook_that_calls_the_sdk_does(disturbance: str) -> None:
    """The control: in the same program a hook that calls ``add_event`` hangs, guard or no guard."""
    ended = run_program("naive", disturbance, CONTROL_S, 8)
    assert ended.returncode == STALL_EXIT, f"it did not hang: {ended.stdout}{ended.stderr}"
    assert "in naive" in ended.stderr
    assert "add_event" in ended.stderr
