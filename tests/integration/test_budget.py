"""The drain's budget of CPU time, and the rate limits, on a process that is flooded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Collected

FLOOD = """
import json, sys, time
from nogi_otel import NogiInstrumentor, close_gate, open_gate, status
NogiInstrumentor().instrument(events="flood,rare.*", pipeline="direct")
open_gate()
raised = 0
rounds = 0
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    for _ in range(500):
        sys.audit("flood", raised)
        raised += 1
    time.sleep(0.01)
    accounts = status()["window"]["accounts"]
    if accounts["sampled_out"] + accounts["rate_limited"] > 2000:
        break
rare = 5
for number in range(rare):
    sys.audit("rare.event", number)
accounts = close_gate(30)
print(json.dumps({"raised": raised + rare, **accounts}), flush=True)
"""


def check_accounts(told: dict[str, int]) -> None:
    """The parts sum up to what was seen, and what was seen is what was raised."""
    parts = {key: value for key, value in told.items() if key not in {"raised", "seen", "dropped"}}
    assert sum(parts.values()) == told["seen"]
    assert told["seen"] - told["filtered"] == told["raised"]


def test_the_budget_slows_the_drain_and_says_so(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Collected,
) -> None:
    """Beyond the budget events are sampled out, the record of it comes in band, rare ones pass."""
    child = start_child(FLOOD, environment={**otel_environment, "OTEL_PYTHON_NOGI_CPU_BUDGET": "1"})
    told = child.read_json(90)
    assert child.finish() == 0, child.errors
    check_accounts(told)
    assert told["sampled_out"] > 0
    (throttled,) = collected.wait_for(
        lambda all_: all_.named("nogi.window.throttled")[:1], "the record of the throttle"
    )
    assert throttled["attributes"]["nogi.window.cpu_budget"] == 1.0
    assert len(collected.audit_logs("rare.event")) == 5


def test_a_rate_limit_holds_and_keeps_room_for_rare_names(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Collected,
) -> None:
    """What is beyond the limit is counted; a name that is rare in its second still passes."""
    child = start_child(
        FLOOD,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
            "OTEL_PYTHON_NOGI_RATE_LIMIT": "100",
        },
    )
    told = child.read_json(90)
    assert child.finish() == 0, child.errors
    check_accounts(told)
    assert told["rate_limited"] > 2000
    assert len(collected.audit_logs("rare.event")) == 5
    seconds: dict[int, int] = {}
    for record in collected.audit_logs():
        second = int(record["timeUnixNano"]) // 1_000_000_000
        seconds[second] = seconds.get(second, 0) + 1
    assert max(seconds.values()) <= 100


def test_a_limit_of_one_name(
    start_child: Callable[..., Any],
    otel_environment: dict[str, str],
    collected: Collected,
) -> None:
    """A glob limits every name that it matches, and no other."""
    child = start_child(
        FLOOD,
        environment={
            **otel_environment,
            "OTEL_PYTHON_NOGI_CPU_BUDGET": "0",
            "OTEL_PYTHON_NOGI_RATE_LIMIT": "fl*=7",
        },
    )
    told = child.read_json(90)
    assert child.finish() == 0, child.errors
    check_accounts(told)
    assert len(collected.audit_logs("rare.event")) == 5
    seconds: dict[int, int] = {}
    for record in collected.audit_logs("flood"):
        second = int(record["timeUnixNano"]) // 1_000_000_000
        seconds[second] = seconds.get(second, 0) + 1
    assert max(seconds.values()) == 7
