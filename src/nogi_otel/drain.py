"""The drain: the one background thread of a process, which decodes, redacts and ships.

It starts with the first window, sleeps without waking while no window is open, and is told what
happens through a ``SimpleQueue``: ``put`` is reentrant (CPython ``Modules/_queuemodule.c``), so a
signal handler may call it. The thread is started through ``_thread``: ``threading.Thread.start``
takes a lock that the interrupted thread may hold.
"""

from __future__ import annotations

import _thread
import logging
import os
import sys
from _queue import Empty, SimpleQueue
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nogi_otel.accounts import Shipped
from nogi_otel.budget import CpuBudget
from nogi_otel.capture import PING_EVENT
from nogi_otel.errors import NogiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nogi_otel.capture import CaptureCore, RawEvent
    from nogi_otel.gate import Gate, Window
    from nogi_otel.record import AuditRecord
    from nogi_otel.refinement import Refinement

logger = logging.getLogger("nogi_otel")

TICK_S = 0.1
"""How long a captured event waits, at most, before the drain looks for it."""
GRACE_NS = 50_000_000
"""How long a closed window waits for threads that were inside the hook when it was closed."""
BATCH_SIZE = 512
KEPT_WINDOWS = 8
"""Settled windows that are remembered, for an event that comes even later."""


class Outlets(Protocol):
    """Where the drain ships to, and what it says about itself. All calls come from its thread."""

    @property
    def carries_logs(self) -> bool:
        """Whether a record becomes a log record or a line; else only span events carry it."""

    def announce(self, window: Window) -> None:
        """Make ready for a window that was opened, and tell of it."""

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Ship a batch; may block."""

    def report_drops(self, window: Window, dropped: int) -> None:
        """Tell in band that events are missing here."""

    def report_throttle(self, window: Window, rate: int) -> None:
        """Tell in band that events are sampled out from now on, to save CPU time."""

    def settle(self, window: Window) -> None:
        """Tell of the end of a window, with its final accounts, and flush."""

    def close(self) -> None:
        """Let go of sockets and files; the next announcement opens them again."""


class Machinery(NamedTuple):
    """What the drain works with, once the first window asks for it."""

    core: CaptureCore
    gate: Gate
    refinement: Refinement
    outlets: Outlets
    cpu_share: float
    """What the drain may use of one core; 0 is no limit."""


class Command(NamedTuple):
    """A signal's wish, from before there was any machinery to open or close a gate."""

    opens: bool
    how: str
    timestamp_ns: int


class Request:
    """A wish to have all that is captured shipped, which somebody may wait for."""

    __slots__ = ("_done", "stop")

    def __init__(self, *, stop: bool = False) -> None:
        """Ask; ``stop`` also ends the windows and the thread."""
        self.stop = stop
        self._done = _thread.allocate_lock()
        self._done.acquire()

    def finish(self) -> None:
        """Let the one who waits go on."""
        if self._done.locked():
            self._done.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is done; return whether it is."""
        return self._done.acquire(timeout=max(timeout_s, 0))


class Drain:
    """Runs the thread."""

    def __init__(self, prepare: Callable[[], Machinery]) -> None:
        """Start nothing; ``prepare`` is called on the thread, when the first message comes."""
        self._prepare = prepare
        self._machinery: Machinery | None = None
        self._windows: list[Window] = []
        self._queue: SimpleQueue[Window | Command | Request | None] = SimpleQueue()
        self._started = _thread.allocate_lock()
        self._thread_id = 0
        self._pid = 0
        self._budget = CpuBudget(0)
        self._commands_given = 0
        self._commands_done = 0

    @property
    def running(self) -> bool:
        """Whether the thread runs in this process."""
        return self._started.locked() and self._pid == os.getpid()

    @property
    def thread_id(self) -> int:
        """The thread's ident, or 0 before its first message."""
        return self._thread_id

    def tell(self, message: Window | Command | Request) -> None:
        """Hand something to the thread, and start it where it does not run. Never blocks."""
        self._queue.put(message)
        if self._started.acquire(blocking=False):
            self._pid = os.getpid()
            try:
                _thread.start_new_thread(self._run, ())
            except RuntimeError:  # no more threads to be had: the ring fills, and drops are counted
                self._started.release()

    def command(self, command: Command) -> None:
        """Hand on a signal's wish; called by signal handlers alone, so on the main thread."""
        self._commands_given += 1
        self.tell(command)

    @property
    def has_commands(self) -> bool:
        """Whether a signal's wish is not done yet, so that a later one must wait its turn."""
        return self._commands_given != self._commands_done

    def wake(self) -> None:
        """Have the thread look into the ring now; called from the hook."""
        self._queue.put(None)

    def request(self, timeout_s: float, *, stop: bool = False) -> bool:
        """Wait until what is captured by now is shipped; return whether it is.

        ``stop`` also ends the windows and the thread.
        """
        if not self.running or self._thread_id == _thread.get_ident():
            return True
        request = Request(stop=stop)
        self.tell(request)
        return request.wait(timeout_s)

    def reset_in_child(self, window: Window | None) -> None:
        """Begin anew in a fork's child: the thread, its queue and its sockets are the parent's."""
        self._queue = SimpleQueue()
        self._started = _thread.allocate_lock()
        self._windows = []
        self._thread_id = 0
        self._machinery = None
        self._commands_given = self._commands_done = 0
        if window is not None:
            self.tell(window)

    def _run(self) -> None:
        """Run the thread until it is told to stop."""
        self._thread_id = _thread.get_ident()
        stopped = False
        while not stopped:
            message = self._wait()
            stopped = isinstance(message, Request) and message.stop
            try:
                self._work(message)
            except NogiError as error:
                logger.error("%s", error)  # noqa: TRY400 - the message says what to do
            except Exception:  # the thread must outlive any error of an exporter or of ours
                logger.exception("The drain met an error; audit records may be missing.")
            if isinstance(message, Request) and not stopped:
                message.finish()
        try:
            if self._machinery is not None:
                self._machinery.outlets.close()
        except Exception:
            logger.exception("An exporter could not be closed.")
        self._started = _thread.allocate_lock()
        if isinstance(message, Request):
            message.finish()

    def _wait(self) -> Window | Command | Request | None:
        """Wait for a message, but no longer than a tick while events may come."""
        active = any(not window.settled for window in self._windows)
        try:
            return self._queue.get(timeout=TICK_S) if active else self._queue.get()
        except Empty:
            return None

    def _work(self, message: Window | Command | Request | None) -> None:
        """Do what the message asks for, then drain the ring and end what is over."""
        if self._machinery is None:
            self._machinery = self._prepare()
            self._machinery.core.exclude_threads(frozenset({self._thread_id}))
            self._budget = CpuBudget(self._machinery.cpu_share)
        core, gate, outlets = self._machinery[0], self._machinery[1], self._machinery[3]
        if isinstance(message, Command):
            if message.opens:
                gate.open(message.how)
            else:
                gate.close(message.how, message.timestamp_ns)
            self._commands_done += 1
        elif message is not None and not isinstance(message, Request):
            self._add_window(message)
        for window in self._windows:
            if not window.announced:
                window.announced = True
                outlets.announce(window)
                self._ping(window)
        self._drain_ring(core, gate, self._machinery, to_the_end=isinstance(message, Request))
        self._end_windows(gate)
        self._settle_windows(outlets, at_once=isinstance(message, Request) and message.stop)

    def _drain_ring(
        self,
        core: CaptureCore,
        gate: Gate,
        machinery: Machinery,
        *,
        to_the_end: bool,
    ) -> None:
        """Ship what waits in the ring, as far as the budget of CPU time goes.

        What comes while this round ships is the next round's, so that a flood cannot hold it up.
        """
        waiting = core.pending()
        budget = self._budget
        budget.charge(0)
        while waiting > 0:
            if budget.is_spent and not to_the_end and core.gate is not None:
                break
            batch = core.take(min(waiting, BATCH_SIZE))
            if not batch:
                break
            waiting -= len(batch)
            self._ship(batch, machinery)
            budget.charge(len(batch))
            self._end_windows(gate)
        was_throttling = budget.throttling
        rate = budget.choose_rate()
        opened = core.gate
        if opened is not None and opened.throttle_rate != rate:
            opened.throttle(rate)
            if budget.throttling and not was_throttling:
                machinery.outlets.report_throttle(opened.owner, rate)

    @staticmethod
    def _ping(window: Window) -> None:
        """Prove that the hook hears: another hook may have vetoed its installation silently."""
        if window.closed_ns is None:
            sys.audit(PING_EVENT)
            if not window.gate.heard and window.closed_ns is None:
                logger.warning(
                    "The audit hook hears nothing: another audit hook of this process refused it. "
                    "Start the program without that hook to audit it."
                )

    def _add_window(self, window: Window) -> None:
        if window not in self._windows:
            self._windows.append(window)

    def _ship(self, batch: list[RawEvent], machinery: Machinery) -> None:
        """Refine one batch and ship it, each event on its window's account."""
        refinement, outlets = machinery.refinement, machinery.outlets
        records: list[AuditRecord] = []
        owners: list[Window] = []
        for raw in batch:
            window = raw.gate.owner
            self._add_window(window)
            if not window.admit(raw.timestamp_ns):
                continue
            try:
                record = refinement.refine(raw, window)
            except Exception:  # noqa: BLE001 - what cannot be redacted does not leave the process
                window.redaction_failed += 1
                continue
            if record is None:
                window.filtered += 1
            elif outlets.carries_logs:
                records.append(record)
                owners.append(window)
            elif raw.on_span:
                window.exported += 1
            else:
                window.not_carried += 1
        if not records:
            return
        try:
            shipped = outlets.ship(records)
        except Exception:  # an exporter's error is the exporter's; the count is ours
            logger.exception("Exporting %d audit records failed.", len(records))
            shipped = Shipped(exported=0, failed=len(records))
        for index, window in enumerate(owners):
            if index < shipped.exported:
                window.exported += 1
            else:
                window.export_failed += 1

    def _end_windows(self, gate: Gate) -> None:
        """Close the window whose time or number of events is reached, and any left behind."""
        now_ns = time_ns()
        for window in self._windows:
            if window.closed_ns is not None:
                continue
            if window is not gate.window:
                window.end(now_ns, "another window")
            elif window.deadline_ns is not None and now_ns >= window.deadline_ns:
                gate.close("max_duration")
            elif window.is_full:
                gate.close("max_events")

    def _settle_windows(self, outlets: Outlets, *, at_once: bool) -> None:
        """Tell of gaps, and of windows that are over and have nothing more to come."""
        for window in self._windows:
            if window.settled:
                continue
            dropped = window.count_new_drops()
            if dropped:
                outlets.report_drops(window, dropped)
            closed_ns = window.closed_ns
            if closed_ns is not None and (at_once or time_ns() - closed_ns > GRACE_NS):
                window.settled = True
                outlets.settle(window)
        if len(self._windows) > KEPT_WINDOWS:
            settled = [window for window in self._windows if window.settled]
            for window in settled[: len(self._windows) - KEPT_WINDOWS]:
                self._windows.remove(window)
