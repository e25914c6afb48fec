"""What is captured holds no object of the application, and memory stays flat."""

from __future__ import annotations

import gc
import resource
import socket
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.capture.child import Bench


class Mortal:
    """An ordinary object of an application."""

    def method(self) -> None:
        """Do nothing."""


def build_mortals() -> Iterator[tuple[str, Any]]:
    """Yield a fresh object of every kind that can be referred to weakly."""
    yield "instance", Mortal()
    yield "bound method's owner", Mortal()
    yield "class", type("Class", (), {})
    for base in (str, list, dict, set, float, Exception, bytearray, types.ModuleType):
        arguments = ("m",) if base in {str, types.ModuleType} else ()
        yield f"{base.__name__} subclass", type("Sub", (base,), {})(*arguments)
    yield "set", {1}
    yield "frozenset", frozenset({"a", "b"})
    yield "function", types.FunctionType(build_mortals.__code__, {})
    yield "code", compile("1", "<test>", "exec")
    yield "generator", (number for number in range(0))
    yield "module", types.ModuleType("mortal")
    yield "memory", memoryview(bytearray(b"x"))
    yield "socket", socket.socket()


def is_hashable(value: object) -> bool:
    """Return whether a value can be the key of a dict."""
    try:
        hash(value)
    except (TypeError, ValueError):
        return False
    return True


def test_arguments_die_while_their_event_waits(bench: Bench) -> None:
    """Every kind of argument is gone while its entry is still in the ring, wherever it stood."""
    bench.make()
    bench.open()
    nests: tuple[Callable[[Any], tuple[Any, ...]], ...] = (
        lambda mortal: (mortal,),
        lambda mortal: (1, [mortal], (mortal,), {"key": mortal}),
        lambda mortal: (getattr(mortal, "method", mortal),),
        lambda mortal: ({mortal: 1} if is_hashable(mortal) else {"key": [mortal]},),
    )
    raised = 0
    for nest in nests:
        for name, mortal in build_mortals():
            died = weakref.ref(mortal)
            sys.audit(bench.event, *nest(mortal))
            raised += 1
            if isinstance(mortal, socket.socket):
                mortal.close()
            del mortal
            gc.collect()  # a class is a cycle of its own
            assert died() is None, name
            assert bench.core.pending() == raised
    assert len(bench.take()) == raised


def test_containers_and_their_texts_are_let_go(bench: Bench) -> None:
    """The reference counts of containers, and of what they hold, are as before the event."""
    bench.make()
    bench.open()
    inner = Mortal()
    kept: list[Any] = [
        [inner],
        (inner, [inner]),
        {"key": inner, inner: "value"},
        "x" * 5000,
        b"x" * 5000,
        1 << 200,
        type("Text", (str,), {})("short"),
        type("Number", (int,), {})(7),
        [["x" * 5000]],
    ]
    counts = [sys.getrefcount(one) for one in (*kept, inner)]
    for one in kept:
        for _ in range(3):
            sys.audit(bench.event, one, [one], {"key": (one,)})
    del one
    assert bench.core.pending() == 3 * len(kept)
    assert [sys.getrefcount(one) for one in (*kept, inner)] == counts


def test_the_argument_tuple_of_c_code_is_not_kept_mutable(bench: Bench) -> None:
    """What the application changes after the event does not change the captured one."""
    bench.make()
    bench.open()
    row: list[Any] = [1, [2], {"key": [3]}]
    sys.audit(bench.event, row)
    row[0] = row[1][0] = row[2]["key"][0] = "changed"
    row.append("more")
    assert bench.take_arguments() == [((1, (2,), {"key": (3,)}),)]


def test_memory_is_flat_over_a_million_events(bench: Bench) -> None:
    """A million captured and drained events leave the process no larger than a tenth of them."""
    bench.make(capacity=1000)
    gate = bench.open()
    taken = 0

    def run(rounds: int) -> None:
        nonlocal taken
        for number in range(rounds):
            for _ in range(500):
                sys.audit(bench.event, "text", number, b"raw")
            taken += len(bench.take())

    run(200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(1800)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert taken == 1_000_000
    assert gate.ring_full.value == 0
    assert after - before < 2048, f"{after - before} KiB more at the peak"


def test_memory_is_flat_while_the_ring_is_full(bench: Bench) -> None:
    """A ring that nobody drains grows no further: the newest events are counted and dropped."""
    bench.make(capacity=1000)
    gate = bench.open()
    for _ in range(1000):
        sys.audit(bench.event, "x" * 1000, ["y" * 1000] * 10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100_000):
        sys.audit(bench.event, "x" * 1000, ["y" * 1000] * 10)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Ten of the name in each second, while there is room in the eighth that is kept for rare ones.
    assert gate.ring_full.value + bench.core.pending() == 101_000
    assert 875 <= bench.core.pending() <= 1000
    assert after - before < 1024, f"{after - before} KiB more at the peak"
