"""What a core captures: by the event's name, decided once for each name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nogi_otel.capture.gate_state import MAX_CACHED_NAMES, MAX_NAME_LENGTH

if TYPE_CHECKING:
    from tests.capture.child import Bench


def test_selected_names_are_captured_and_others_counted(bench: Bench) -> None:
    """A selected event is in the ring with its name and arguments; another one is counted."""
    bench.make()
    gate = bench.open()
    sys.audit(bench.event, "first", 1)
    sys.audit("case.other", "not this")
    sys.audit("case.other")
    sys.audit(bench.event)
    events = [(raw.event, raw.arguments) for raw in bench.take()]
    assert events == [(bench.event, ("first", 1)), (bench.event, ())], events
    assert gate.filtered.value == 2


def test_events_of_the_interpreter_are_captured(bench: Bench) -> None:
    """An event that CPython itself raises arrives like one of the application's."""
    bench.make()
    bench.open("open".__eq__)
    with open("/dev/null", "rb"):
        pass
    (raw,) = bench.take()
    assert raw.event == "open"
    assert raw.arguments[:2] == ("/dev/null", "r"), raw.arguments


def test_a_name_is_decided_once(bench: Bench) -> None:
    """The selection is asked once for each distinct name of one opening, and anew by the next."""
    asked: list[str] = []

    def select(event: str) -> bool:
        asked.append(event)
        return event == bench.event

    bench.make()
    for _ in range(2):
        bench.open(select)
        for _ in range(100):
            sys.audit(bench.event)
            sys.audit("case.other")
        bench.core.close()
    assert asked == [bench.event, "case.other"] * 2, asked
    assert len(bench.take()) == 200


def test_unknown_names_are_bounded(bench: Bench) -> None:
    """Of 5,000 distinct names a bounded number is remembered, and every event is accounted for."""
    asked = 0

    def select(event: str) -> bool:
        nonlocal asked
        asked += 1
        return event.endswith("7")

    bench.make()
    gate = bench.open(select)
    for _ in range(2):
        for number in range(5000):
            sys.audit(f"order.{number}")
    assert len(gate.decisions) <= MAX_CACHED_NAMES
    assert 5000 < asked <= 10_000, asked
    assert len(bench.take()) == 1000
    assert gate.filtered.value == 9000


def test_a_long_name_is_cut_and_not_remembered(bench: Bench) -> None:
    """A name of 100,000 characters is decided by its beginning and costs its beginning."""
    asked: list[int] = []

    def select(event: str) -> bool:
        asked.append(len(event))
        return True

    bench.make()
    gate = bench.open(select)
    remembered = len(gate.decisions)
    for _ in range(3):
        sys.audit("x" * 100_000)
    assert [raw.event for raw in bench.take()] == ["x" * MAX_NAME_LENGTH] * 3
    assert set(asked) == {MAX_NAME_LENGTH}, asked
    assert len(gate.decisions) == remembered


def test_a_closed_gate_captures_nothing(bench: Bench) -> None:
    """Before the first opening and after the end nothing is captured, counted or asked for."""
    bench.make()
    sys.audit(bench.event)
    gate = bench.open()
    assert bench.core.gate is gate
    assert bench.core.close() is gate
    assert bench.core.gate is None
    sys.audit(bench.event)
    sys.audit("case.other")
    assert bench.take() == []
    assert gate.filtered.value == 0
    assert bench.core.close() is None


def test_arguments_of_every_plain_kind_arrive(bench: Bench) -> None:
    """None, bool, int, float, str, bytes and containers of them arrive with their values."""
    bench.make()
    bench.open()
    plain = (None, True, -7, 2**62, 1.5, "text\udcff\0", b"\x00\xff", (1, "a"), {"k": (1,)})
    sys.audit(bench.event, *plain)
    sys.audit(bench.event, [1, [2, [3]]], {b"k": [None]}, {5: "five"})
    first, second = bench.take_arguments()
    assert first == plain, first
    assert second == ((1, (2, (3,))), {"k": (None,)}, {"5": "five"}), second
