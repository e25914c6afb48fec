"""Every event is captured or counted, exactly, whatever the threads do."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from time import time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.capture.child import Bench

NS_PER_S = 1_000_000_000
THREADS = 8
ROUNDS = 3000


def test_seen_is_the_sum_from_eight_threads(bench: Bench) -> None:
    """Eight threads that race for a small ring: captured + filtered + ring full = raised."""
    bench.make(capacity=500)
    taken = 0
    begin = threading.Event()

    def flood(thread: int) -> None:
        begin.wait()
        for number in range(ROUNDS):
            sys.audit(bench.event, thread, number)
            sys.audit("case.other")

    sys.setswitchinterval(1e-5)
    threads = start_threads(flood)
    gate = bench.open()
    begin.set()
    while any(thread.is_alive() for thread in threads):
        taken += len(bench.core.take(100))
    taken += len(bench.take())
    assert gate.filtered.value == THREADS * ROUNDS
    assert taken + gate.ring_full.value == THREADS * ROUNDS, (taken, gate.ring_full.value)
    assert gate.ring_full.value > 0
    assert gate.failed.value == 0


def test_a_full_ring_drops_the_newest(bench: Bench) -> None:
    """What does not fit is counted; what was there first stays."""
    bench.make(capacity=10)
    gate = bench.open()
    for number in range(25):
        sys.audit(bench.event, number)
    assert bench.core.pending() == 10
    assert bench.take_arguments() == [(number,) for number in range(10)]
    assert gate.ring_full.value == 15
    assert bench.core.pending() == 0


def test_a_ring_grows_by_no_more_than_its_threads(bench: Bench) -> None:
    """Threads that meet at the last free place add one event each, at most."""
    bench.make(capacity=50)
    bench.open()
    sys.setswitchinterval(1e-6)

    def flood(_: int) -> None:
        for _ in range(ROUNDS):
            sys.audit(bench.event)

    for thread in start_threads(flood):
        thread.join()
    assert 50 <= bench.core.pending() < 50 + THREADS


def test_the_drain_is_woken_at_half(bench: Bench) -> None:
    """A ring that is half full wakes the drain, once on its way up."""
    bench.make(capacity=100)
    woken: list[int] = []
    gate = bench.open()
    gate.wake = lambda: woken.append(bench.core.pending())
    for _ in range(100):
        sys.audit(bench.event)
    assert len(woken) == 1, woken
    assert 50 <= woken[0] <= 51, woken


def test_the_rate_is_limited_within_a_second(bench: Bench) -> None:
    """With a limit of 10 a second, each second captures 10; the rest is counted."""
    bench.make()
    gate = bench.open(rate_limit=10)
    raised = 0
    seconds = {time_ns() // NS_PER_S}
    while len(seconds) < 3:
        sys.audit(bench.event)
        raised += 1
        seconds.add(time_ns() // NS_PER_S)
    captured = bench.take()
    per_second = Counter(raw.timestamp_ns // NS_PER_S for raw in captured)
    whole = sorted(seconds)[:2]  # the third has hardly begun
    assert [per_second[second] for second in whole] == [10, 10], per_second
    assert gate.rate_limited.value == raised - len(captured)


def test_events_of_one_thread_keep_their_order(bench: Bench) -> None:
    """Each thread's events come out in the order in which it raised them, under its own name."""
    bench.make(capacity=2 * THREADS * ROUNDS)
    bench.open()
    sys.setswitchinterval(1e-5)

    def flood(thread: int) -> None:
        for number in range(ROUNDS):
            sys.audit(bench.event, thread, number, threading.get_ident())

    for thread in start_threads(flood):
        thread.join()
    captured = bench.take()
    for number in range(THREADS):
        mine = [raw for raw in captured if raw.arguments[0] == number]
        assert [raw.arguments[1] for raw in mine] == list(range(ROUNDS))
        assert {raw.thread_id for raw in mine} == {mine[0].arguments[2]}
        assert {raw.thread_name for raw in mine} == {f"flood-{number}"}
        stamps = [raw.timestamp_ns for raw in mine]
        assert stamps == sorted(stamps)


def test_own_threads_are_not_captured(bench: Bench) -> None:
    """What an excluded thread raises is neither captured nor counted as lost."""
    bench.make()
    gate = bench.open()
    inside = threading.Event()
    go_on = threading.Event()

    def raise_own() -> None:
        inside.set()
        go_on.wait()
        sys.audit(bench.event, "own")

    thread = threading.Thread(target=raise_own)
    thread.start()
    inside.wait()
    assert thread.ident is not None
    bench.core.exclude_threads(frozenset({thread.ident}))
    go_on.set()
    thread.join()
    sys.audit(bench.event, "application")
    assert bench.take_arguments() == [("application",)]
    assert gate.ring_full.value == gate.failed.value == gate.rate_limited.value == 0
    bench.core.exclude_threads(frozenset())
    sys.audit(bench.event, "again")
    assert bench.take_arguments() == [("again",)]


def test_a_thread_unknown_to_threading_is_captured(bench: Bench) -> None:
    """A thread started by ``_thread`` has an ident and no name."""
    import _thread

    bench.make()
    bench.open()
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        sys.audit(bench.event, _thread.get_ident())
        done.release()

    _thread.start_new_thread(run, ())
    done.acquire()
    (raw,) = bench.take()
    assert raw.thread_id == raw.arguments[0]
    assert raw.thread_name == ""


def test_take_returns_the_oldest_up_to_its_limit(bench: Bench) -> None:
    """``take`` keeps to its limit, oldest first; ``clear`` empties the ring."""
    bench.make()
    bench.open()
    for number in range(10):
        sys.audit(bench.event, number)
    assert [raw.arguments[0] for raw in bench.core.take(3)] == [0, 1, 2]
    assert bench.core.take(0) == []
    assert bench.core.pending() == 7
    bench.core.clear()
    assert bench.core.pending() == 0
    assert bench.take() == []


def start_threads(flood: Callable[[int], object]) -> list[threading.Thread]:
    """Start the threads that flood, each with its number."""
    threads = [
        threading.Thread(target=flood, args=(number,), name=f"flood-{number}")
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    return threads


def test_a_nearly_full_ring_keeps_room_for_rare_names(bench: Bench) -> None:
    """The last eighth of the ring is for names that are rare there: a flood leaves them room."""
    bench.make(capacity=800)
    gate = bench.open(select=lambda _: True)
    for number in range(5000):
        sys.audit("flood", number)
    for number in range(5):
        sys.audit("rare.event", number)
    names = [raw.event for raw in bench.take()]
    assert names.count("rare.event") == 5
    assert 700 <= names.count("flood") < 800
    assert gate.ring_full.value == 5000 - names.count("flood")
