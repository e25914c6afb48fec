"""Installing, opening, closing, and the end: of a process, of an interpreter, of a fork."""

from __future__ import annotations

import os
import sys
import threading
from time import time_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.capture import PING_EVENT

if TYPE_CHECKING:
    from tests.capture.child import Bench


def test_a_hundred_installations_add_one_hook(bench: Bench) -> None:
    """``install`` adds its hook once in the life of a process, whatever thread calls it."""
    added: list[str] = []

    def watch(event: str, _: tuple[Any, ...]) -> None:
        if event == "sys.addaudithook":
            added.append(event)

    sys.addaudithook(watch)
    core = bench.make()

    def install() -> None:
        for _ in range(25):
            core.install()

    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert core.installed
    assert len(added) == 1, added
    bench.open()
    sys.audit(bench.event)
    assert len(bench.take()) == 1


def test_a_core_is_not_installed_before_it_is_asked(bench: Bench) -> None:
    """Making a core adds no hook."""
    from nogi_otel.capture import load_core

    added: list[str] = []
    sys.addaudithook(lambda event, _: added.append(event) if "hook" in event else None)
    core = load_core(10, None).core
    assert core.name == bench.core_name
    assert not core.installed
    assert added == []


def test_the_ping_is_heard_and_not_captured(bench: Bench) -> None:
    """The ping says that the hook hears; it is no event, and counted nowhere."""
    bench.make()
    sys.audit(PING_EVENT)
    gate = bench.open(lambda _: True)
    assert not gate.heard
    sys.audit(PING_EVENT)
    assert gate.heard
    assert bench.take() == []
    assert gate.filtered.value == 0
    bench.core.close()
    assert not bench.open().heard


def test_a_veto_leaves_the_core_deaf(bench: Bench) -> None:
    """A hook of the application that refuses ours is found out by the ping."""

    def veto(event: str, _: tuple[Any, ...]) -> None:
        if event == "sys.addaudithook":
            raise RuntimeError(event)

    sys.addaudithook(veto)
    bench.make()
    gate = bench.open(lambda _: True)
    sys.audit(PING_EVENT)
    assert not gate.heard
    assert bench.take() == []


def test_closing_stamps_the_end(bench: Bench) -> None:
    """``close`` returns the gate with its end; a second one returns nothing and changes nothing."""
    bench.make()
    gate = bench.open()
    assert gate.closed_ns is None
    before = time_ns()
    assert bench.core.close() is gate
    assert gate.closed_ns is not None
    assert before <= gate.closed_ns <= time_ns()
    stamped = gate.closed_ns
    assert bench.core.close() is None
    assert gate.closed_ns == stamped


def test_events_belong_to_the_opening_they_were_captured_under(bench: Bench) -> None:
    """Each event names its own gate, also when the ring is drained after a later opening."""
    bench.make()
    gates = []
    for number in range(5):
        gates.append(bench.open(owner=f"window {number}"))
        sys.audit(bench.event, number)
        sys.audit("case.other")
        bench.core.close()
        sys.audit(bench.event, "between")
    captured = bench.take()
    assert [raw.gate for raw in captured] == gates
    assert [raw.gate.owner for raw in captured] == [f"window {number}" for number in range(5)]
    assert [raw.arguments for raw in captured] == [(number,) for number in range(5)]
    assert [gate.filtered.value for gate in gates] == [1] * 5


def test_opening_over_an_open_gate_replaces_it(bench: Bench) -> None:
    """The later opening captures; the earlier one captures nothing more."""
    bench.make()
    first = bench.open(owner="first")
    sys.audit(bench.event)
    second = bench.open(owner="second")
    sys.audit(bench.event)
    assert bench.core.gate is second
    assert bench.core.close() is second
    assert [raw.gate.owner for raw in bench.take()] == ["first", "second"]
    assert first.filtered.value == second.filtered.value == 0


def test_no_event_is_stamped_after_the_end_but_what_was_inside(bench: Bench) -> None:
    """Of eight threads in full flood, each has at most one event later than the end."""
    bench.make(capacity=10_000_000)
    gate = bench.open()
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            sys.audit(bench.event)

    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    while bench.core.pending() < 10_000:
        pass
    bench.core.close()
    done.set()
    for thread in threads:
        thread.join()
    assert gate.closed_ns is not None
    late = [raw.thread_id for raw in bench.take() if raw.timestamp_ns > gate.closed_ns]
    assert len(late) == len(set(late)), late


def test_a_sub_interpreter_is_left_alone(bench: Bench) -> None:
    """Events of a sub-interpreter crash nothing and are not mixed with the main one's."""
    try:
        import _interpreters as interpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters  # type: ignore[import-not-found, no-redef, unused-ignore]
        except ImportError:
            bench.leave("this Python has no module for sub-interpreters")

    bench.make()
    bench.open(lambda event: event in {bench.event, "open"})
    source = f"""
import sys
sys.audit({bench.event!r}, "sub")
with open("/dev/null") as file:
    sys.audit({bench.event!r}, ["sub"], {{"key": file}})
"""
    for number in range(5):
        interpreter = interpreters.create()
        sys.audit(bench.event, "before", number)
        interpreters.run_string(interpreter, source)
        sys.audit(bench.event, "after", number)
        interpreters.destroy(interpreter)
    mine = [raw.arguments for raw in bench.take() if raw.event == bench.event]
    assert mine == [(when, number) for number in range(5) for when in ("before", "after")]


def test_a_fork_begins_with_what_it_is_given(bench: Bench) -> None:
    """In a fork's child the hook is there already; ``clear`` empties its copy of the ring alone."""
    core = bench.make()
    bench.open()
    sys.audit(bench.event, "parent")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        core.clear()
        core.install()
        sys.audit(bench.event, "child")
        os.write(writing, repr((core.installed, bench.take_arguments())).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    assert told == repr((True, [("child",)]))
    assert bench.take_arguments() == [("parent",)]


def test_the_interpreter_ends_with_the_gate_open(bench: Bench) -> None:
    """Events that are raised while modules are torn down print nothing and break nothing."""
    import atexit

    class Late:
        def __init__(self) -> None:
            self.open = open
            self.audit = sys.audit

        def __del__(self) -> None:
            self.audit("case.event", [self], {"key": (1, "text", b"raw", Late)})
            self.open("/dev/null", "rb", 0).close()  # a text file would need codecs, which are gone

    bench.make()
    bench.open(lambda _: True)
    module: Any = sys.modules[__name__]
    module.late = Late()
    sys.late = Late()  # type: ignore[attr-defined]
    atexit.register(sys.audit, bench.event, "atexit")
    thread = threading.Thread(target=sys.audit, args=(bench.event,))
    thread.start()
    thread.join()
    # What is left to do is the end of the process itself: exit code 0, nothing on standard error.
