"""How a case takes its times.

What happens in one thread is measured as that thread's CPU time, which other processes on the
machine hardly change. What waits for others, the interpreter lock too, is measured as time passed.
"""

from __future__ import annotations

import gc
import sys
from itertools import repeat
from statistics import median
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Measured

REPEATS = 7
EVENTS = 50_000
BURST = 4096
"""Events raised at once where something ships them; fewer than any of the queues holds."""
PER_SPAN = 64


def raise_event() -> None:
    """Raise the audit event that all tables are about: three arguments."""
    sys.audit("my-event", "foo", "bar", 123)


def _nothing() -> None:
    return None


def time_call(
    call: Callable[[], object],
    number: int = EVENTS,
    between: Callable[[], object] = _nothing,
    repeats: int = REPEATS,
) -> float:
    """Return the nanoseconds of one call: the median of some repeats of a loop of ``number``.

    ``between`` is called after each repeat, outside the time taken.
    """
    taken = []
    for _ in range(repeats + 1):
        gc.collect()
        begin = thread_time_ns()
        for _ in repeat(None, number):
            call()
        taken.append((thread_time_ns() - begin) / number)
        between()
    return median(taken[1:])  # the first one warms up


def time_event(between: Callable[[], object] = _nothing, number: int = EVENTS) -> Measured:
    """Return what one audit event costs, as ``time_call`` does, without a call around it."""
    taken = []
    for _ in range(REPEATS + 1):
        gc.collect()
        begin = thread_time_ns()
        for _ in repeat(None, number):
            sys.audit("my-event", "foo", "bar", 123)
        taken.append((thread_time_ns() - begin) / number)
        between()
    return {"ns": median(taken[1:])}


def time_shipping(
    begin_span: Callable[[], Callable[[], object]], ship: Callable[[], object]
) -> Measured:
    """Return what one event of a burst costs: in the thread that raises it, and in all.

    The burst is raised under spans of ``PER_SPAN`` events; ``begin_span`` makes one current and
    returns what ends it. ``ship`` returns when all of it has left. The CPU time is that of the
    whole process, all threads, from the first event to the end of ``ship``.
    """
    in_thread, in_all = [], []
    for _ in range(REPEATS + 1):
        gc.collect()
        spent_ns = 0
        cpu_begin = process_time_ns()
        for _ in range(BURST // PER_SPAN):
            end_span = begin_span()
            begin = perf_counter_ns()
            for _ in repeat(None, PER_SPAN):
                sys.audit("my-event", "foo", "bar", 123)
            spent_ns += perf_counter_ns() - begin
            end_span()
        ship()
        in_all.append((process_time_ns() - cpu_begin) / BURST)
        in_thread.append(spent_ns / BURST)
    return {"ns in the thread": median(in_thread[1:]), "ns of CPU in all": median(in_all[1:])}
