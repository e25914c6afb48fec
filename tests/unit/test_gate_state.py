"""The counters and limits of one opening."""

from __future__ import annotations

import sys
import threading
import warnings

from nogi_otel.capture.gate_state import (
    MAX_CACHED_NAMES,
    MAX_NAME_LENGTH,
    RARE_PER_SECOND,
    Counter,
    OpenGate,
)

NS_PER_S = 1_000_000_000


def build_gate(rate_limit: int = 0, name_limit: int = 0) -> OpenGate:
    """Return a gate that selects everything."""
    return OpenGate(
        None,
        lambda _: True,
        lambda: None,
        rate_limit=rate_limit,
        limit_name=(lambda event: name_limit if event == "limited" else 0) if name_limit else None,
    )


def flood(gate: OpenGate, event: str, number: int, second: int = 7) -> int:
    """Count events within one second; return how many pass."""
    return sum(not gate.exceeds_rate(event, second * NS_PER_S + one) for one in range(number))


def test_a_counter_counts_from_all_threads() -> None:
    """No step of eight threads is lost."""
    counter = Counter()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda: [counter.add() for _ in range(10_000)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counter.value == 80_000


def test_reading_a_counter_changes_and_warns_nothing() -> None:
    """A count is read as often as one likes, without a warning of a later Python."""
    counter = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [counter.value for _ in range(3)] == [0, 0, 0]
        counter.add()
        assert [counter.value for _ in range(3)] == [1, 1, 1]


def test_a_decision_is_remembered_up_to_the_cap() -> None:
    """The cache of names is bounded; beyond it the answer is the same, asked for anew."""
    asked: list[str] = []

    def select(event: str) -> bool:
        asked.append(event)
        return event.endswith("1")

    gate = OpenGate(None, select, lambda: None)
    names = [f"name.{number}" for number in range(MAX_CACHED_NAMES * 2)]
    for name in names * 2:
        assert gate.decide(name) is name.endswith("1")
    assert len(gate.decisions) == MAX_CACHED_NAMES
    assert len(asked) == 2 * len(names)


def test_a_long_name_is_decided_by_its_beginning() -> None:
    """The selection never sees more of a name than the cap, and such a name is not kept."""
    asked: list[str] = []

    def select(event: str) -> bool:
        asked.append(event)
        return True

    gate = OpenGate(None, select, lambda: None)
    before = dict(gate.decisions)
    gate.decide("n" * 10_000)
    assert asked == ["n" * MAX_NAME_LENGTH]
    assert gate.decisions == before


def test_no_limit_limits_nothing() -> None:
    """Without a limit the hook does not ask, and every event passes."""
    gate = build_gate()
    assert not gate.limited
    assert flood(gate, "event", 10_000) == 10_000
    assert gate.rate_limited.value == gate.sampled_out.value == 0


def test_the_limit_of_a_second_is_never_exceeded() -> None:
    """Whatever the names, no second passes more than the limit; the rest is counted."""
    gate = build_gate(rate_limit=100)
    assert gate.limited
    for second in range(3):
        passed = sum(flood(gate, f"event.{number % 7}", 50, second) for number in range(20))
        assert passed <= 100
    assert gate.rate_limited.value > 2000


def test_a_flood_of_one_name_leaves_room_for_rare_ones() -> None:
    """After a flood of one name has used up its share, the first of another one still pass."""
    gate = build_gate(rate_limit=100)
    assert flood(gate, "flood", 10_000) == 90
    assert flood(gate, "rare", 3) == 3
    assert flood(gate, "flood", 10) == 0


def test_a_name_has_a_limit_of_its_own() -> None:
    """A limit for one name leaves the others alone, and begins anew each second."""
    gate = build_gate(name_limit=5)
    assert gate.limited
    assert flood(gate, "limited", 100) == 5
    assert flood(gate, "other", 100) == 100
    assert flood(gate, "limited", 100, second=8) == 5
    assert gate.rate_limited.value == 190


def test_a_throttle_samples_out_and_is_lifted() -> None:
    """A throttle passes about its rate, always the first of every name, and counts the rest."""
    gate = build_gate()
    gate.throttle(50)
    assert gate.limited
    assert flood(gate, "flood", 1000) == 50
    assert flood(gate, "rare", 100) == RARE_PER_SECOND
    assert gate.sampled_out.value == 1040
    assert gate.rate_limited.value == 0
    gate.throttle(0)
    assert not gate.limited
    assert flood(gate, "flood", 1000) == 1000


def test_names_beyond_the_cap_share_one_count() -> None:
    """Distinct names cost a bounded table in each second, and the limit holds for them too."""
    gate = build_gate(rate_limit=10)
    passed = sum(flood(gate, f"order.{number}", 1) for number in range(5000))
    assert passed == 10
    assert gate.rate_limited.value == 4990
