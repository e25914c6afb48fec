"""Events raised in the middle of the hook, and what the interpreter does to it there."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from tests.capture.child import Bench

INTERVAL_S = 0.0005
DEADLINE_S = 60


def is_in_hook(frame: FrameType | None) -> bool:
    """Return whether the capture core is among the callers."""
    while frame is not None:
        if "nogi_otel" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def test_finalizers_in_the_hook_raise_events(bench: Bench) -> None:
    """Finalizers and weakref callbacks that raise events during an event lose none of them."""
    bench.make(capacity=1_000_000)
    gate = bench.open()
    finalized = 0
    nested = 0

    def finalize(_: object = None) -> None:
        nonlocal finalized, nested
        finalized += 1
        nested += is_in_hook(sys._getframe(1))
        sys.audit(bench.event, "finalized")

    class Garbage:
        def __init__(self) -> None:
            self.myself = self

        def __del__(self) -> None:
            finalize()

    class Watched:
        def __init__(self) -> None:
            self.myself = self

    raised = 0
    watching = set()
    gc.collect()
    gc.set_threshold(5, 1, 1)
    while raised < 3000 or nested < 10:
        Garbage()
        watched = Watched()
        watching.add(weakref.ref(watched, finalize))
        del watched
        sys.audit(bench.event, "raised", [raised])
        raised += 1
    gc.set_threshold(700, 10, 10)
    gc.collect()
    captured = [arguments[0] for arguments in bench.take_arguments()]
    assert captured.count("raised") == raised
    assert captured.count("finalized") == finalized > 2 * 1000
    assert gate.failed.value == 0


def test_signal_handlers_in_the_hook_raise_events(bench: Bench) -> None:
    """A signal handler that interrupts the hook and raises events itself loses none of them."""
    bench.make(capacity=10_000_000)
    gate = bench.open()
    handled = 0
    nested = 0

    def handle(_: int, frame: FrameType | None) -> None:
        nonlocal handled, nested
        handled += 1
        nested += is_in_hook(frame)
        sys.audit(bench.event, "handled")

    raised = 0
    taken: list[str] = []
    deadline = monotonic() + DEADLINE_S
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
    while nested < 50:
        assert monotonic() < deadline, (handled, nested)
        sys.audit(bench.event, "raised", [raised], {"key": "value"})
        raised += 1
        if raised % 1000 == 0:
            taken += [arguments[0] for arguments in bench.take_arguments()]
    signal.setitimer(signal.ITIMER_REAL, 0)
    taken += [arguments[0] for arguments in bench.take_arguments()]
    assert taken.count("raised") == raised
    assert taken.count("handled") == handled
    assert gate.failed.value == 0


def test_exceptions_of_signal_handlers_pass_through_the_hook(bench: Bench) -> None:
    """What a handler of the application raises inside the hook reaches the application.

    Whatever its class: one that the hook's own code could raise too is still the application's.
    """

    class AlarmError(BaseException):
        pass

    kinds = (AlarmError, RuntimeError, AttributeError, TypeError, KeyboardInterrupt)
    bench.make(capacity=1000)
    bench.open()
    raised = 0
    auditing = False
    tables = [{"key": "value"}] * 20

    def handle(_: int, frame: FrameType | None) -> None:
        nonlocal raised, auditing
        if auditing and is_in_hook(frame):
            auditing = False  # a second signal in this handler must not raise in its place
            raised += 1
            raise kinds[raised % len(kinds)]

    caught = 0
    deadline = monotonic() + DEADLINE_S
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
    while raised < 500:
        assert monotonic() < deadline, raised
        try:
            auditing = True
            sys.audit(bench.event, *tables)
            auditing = False
        except kinds:
            caught += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert caught == raised
    bench.take()
    sys.audit(bench.event, "afterwards")
    assert bench.take_arguments() == [("afterwards",)]


def test_the_gate_moves_in_a_signal_handler(bench: Bench) -> None:
    """Opening and closing from a handler that interrupts the hook loses and doubles nothing."""
    bench.make(capacity=10_000_000)
    gates: list[Any] = []
    handling = False

    def handle(_: int, __: FrameType | None) -> None:
        nonlocal handling
        if handling:  # a second signal in the handler itself: one opening would hide the other
            return
        handling = True
        if bench.core.gate is None:
            gates.append(bench.open(owner=len(gates)))
        else:
            bench.core.close()
        handling = False

    raised = 0
    deadline = monotonic() + DEADLINE_S
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
    while len(gates) < 100:
        assert monotonic() < deadline, len(gates)
        sys.audit(bench.event, raised)
        raised += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    bench.core.close()
    captured = bench.take()
    numbers: list[Any] = [raw.arguments[0] for raw in captured]
    assert numbers == sorted(set(numbers))
    assert 0 < len(numbers) < raised
    owners = [raw.gate.owner for raw in captured]
    assert owners == sorted(owners)
    assert all(gate.closed_ns is not None for gate in gates)


def test_the_end_of_the_stack_breaks_no_event(bench: Bench) -> None:
    """Near the recursion limit an open gate raises nothing that a closed one does not."""

    def descend(depth: int) -> str:
        if depth:
            return descend(depth - 1)
        try:
            sys.audit(bench.event, [1, (2, [3])], {"key": "value"})
        except RecursionError:
            return "recursion"
        return "passed"

    def probe() -> list[str]:
        outcomes = []
        for depth in range(900, 1000):
            try:
                outcomes.append(descend(depth))
            except RecursionError:
                outcomes.append("beyond")
        return outcomes

    sys.setrecursionlimit(1000)
    bench.make()
    closed = probe()
    gate = bench.open()
    opened = probe()
    bench.core.close()
    assert "passed" in closed
    assert "beyond" in closed
    assert opened == closed
    assert len(bench.take()) + gate.failed.value == opened.count("passed")
    assert gate.failed.value > 0


def test_the_end_of_memory_breaks_no_event(bench: Bench) -> None:
    """An allocation that fails inside the hook is counted, and never reaches the application."""
    try:
        from _testcapi import (  # type: ignore[import-not-found, unused-ignore]
            remove_mem_hooks,
            set_nomemory,
        )
    except ImportError:
        bench.leave("this Python was built without _testcapi, which makes an allocation fail")

    def probe() -> list[bool]:
        """Fail the n-th allocation of one event; return for each n whether the event passed."""
        passed = []
        for number in range(200):
            outcome = True
            set_nomemory(number, number + 1)
            try:
                sys.audit(bench.event, row, table)
            except MemoryError:
                outcome = False
            finally:
                remove_mem_hooks()
            passed.append(outcome)
        return passed

    row = [[1.5, 2.5], ("text", b"raw")] * 3
    table = {"key": [1.5] * 3}
    bench.make()
    probe()
    closed = probe()
    gate = bench.open()
    sys.audit(bench.event)
    bench.take()
    opened = probe()
    bench.core.close()
    assert sum(opened) >= sum(closed), (sum(opened), sum(closed))
    assert gate.failed.value > 0
    assert len(bench.take()) + gate.failed.value == sum(opened)


def test_a_flood_of_threads_and_collections_ends(bench: Bench) -> None:
    """Threads, collections with finalizers and signals together lose no event."""
    bench.make(capacity=10_000_000)
    gate = bench.open()
    finalized: list[None] = []
    handled: list[None] = []

    class Garbage:
        def __init__(self) -> None:
            self.myself = self

        def __del__(self) -> None:
            finalized.append(None)
            sys.audit(bench.event, "finalized")

    def handle(*_: object) -> None:
        handled.append(None)
        sys.audit(bench.event, "handled")

    def flood() -> None:
        for number in range(5000):
            Garbage()
            sys.audit(bench.event, "raised", [number])

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
    gc.set_threshold(20, 2, 2)
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "a thread hangs in the hook"
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.set_threshold(700, 10, 10)
    gc.collect()
    taken = [arguments[0] for arguments in bench.take_arguments()]
    assert taken.count("raised") == 20_000
    assert taken.count("finalized") == len(finalized) == 20_000
    assert taken.count("handled") == len(handled) > 0
    assert gate.failed.value == 0
