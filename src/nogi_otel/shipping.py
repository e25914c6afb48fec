"""Shipping: what the drain does in one round, from the ring to the outlets, and every window's end.

All of it runs on the drain's thread, so the accounts that it keeps need no lock.
"""

from __future__ import annotations

import logging
import sys
import threading
from _thread import get_ident
from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nogi_otel.accounts import Shipped
from nogi_otel.budget import CpuBudget
from nogi_otel.capture import PING_EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nogi_otel.capture import CaptureCore, RawEvent
    from nogi_otel.gate import Gate, Window
    from nogi_otel.record import AuditRecord
    from nogi_otel.refinement import Refinement

logger = logging.getLogger("nogi_otel")

GRACE_NS = 50_000_000
"""How long a closed window waits for threads that were inside the hook when it was closed."""
BATCH_SIZE = 512
_EXPORTING_THREADS = ("OtelBatch", "OtelPeriodic")
"""How the SDK names them: ``sdk/_shared_internal``, ``sdk/metrics/_internal/export``."""
MAX_STACKS = 1024
KEPT_WINDOWS = 8
"""Settled windows that are remembered, for an event that comes even later."""


class Outlets(Protocol):
    """Where the drain ships to, and what it says about itself. All calls come from its thread."""

    @property
    def carries_logs(self) -> bool:
        """Whether a record becomes a log record or a line; else only span events carry it."""

    def announce(self, window: Window) -> None:
        """Make ready for a window that was opened, and tell of it."""

    def refresh(self) -> None:
        """Look for providers that the application has set meanwhile."""

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Ship a batch; may block."""

    def report_drops(self, window: Window, dropped: int) -> None:
        """Tell in band that ``dropped`` more events are missing, and those not yet told of."""

    def report_throttle(self, window: Window, rate: int) -> None:
        """Tell in band that events are sampled out from now on, to save CPU time."""

    def settle(self, window: Window) -> None:
        """Tell of the end of a window, with its final accounts."""

    def flush(self) -> None:
        """Have the application's providers export what was handed over."""

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


class Shipping:
    """The rounds of one drain."""

    def __init__(self, machinery: Machinery) -> None:
        """Begin without a window; call it on the thread whose CPU time the budget is about."""
        self._core, self._gate, self._refinement, self._outlets, share = machinery
        self._budget = CpuBudget(share)
        self._windows: list[Window] = []

    @property
    def active(self) -> bool:
        """Whether a window is open or not settled yet, so that events may come."""
        return any(not window.settled for window in self._windows)

    def exclude_own_threads(self) -> None:
        """Keep the telemetry's own traffic out of what is captured."""
        self._core.exclude_threads(self._list_own_threads())

    def run_round(self, *, to_the_end: bool, at_once: bool) -> None:
        """Announce windows, drain the ring, end what is over.

        ``to_the_end`` ships all that waits, whatever the budget says, because somebody waits for
        it; ``at_once`` is the last round, which settles windows that were closed just now, and
        leaves the flush to the providers themselves.
        """
        for window in self._windows:
            if not window.announced:
                window.announced = True
                self._outlets.announce(window)
            if not window.pinged:
                self._ping(window)
        self._outlets.refresh()
        self._drain_ring(to_the_end=to_the_end)
        self._end_windows()
        self._settle_windows(at_once=at_once)
        if to_the_end and not at_once:
            self._outlets.flush()

    def close(self) -> None:
        """Let go of sockets and files, and of the thread's ident, which will be given to others."""
        self._core.exclude_threads(frozenset())
        self._outlets.close()

    def _drain_ring(self, *, to_the_end: bool) -> None:
        """Ship what waits in the ring, as far as the budget of CPU time goes.

        What comes while this round ships is the next round's, so that a flood cannot hold it up.
        """
        core, budget = self._core, self._budget
        waiting = core.pending()
        budget.charge(0)
        while waiting > 0:
            if budget.is_spent and not to_the_end and core.gate is not None:
                break
            batch = core.take(min(waiting, BATCH_SIZE))
            if not batch:
                break
            waiting -= len(batch)
            self._ship(batch)
            budget.charge(len(batch))
            self._end_windows()
        was_throttling = budget.throttling
        rate = budget.choose_rate()
        opened = core.gate
        if opened is not None and opened.throttle_rate != rate:
            opened.throttle(rate)
            if budget.throttling and not was_throttling:
                self._outlets.report_throttle(opened.owner, rate)

    def _list_own_threads(self) -> frozenset[int]:
        """Return the threads that carry telemetry: this one, and the SDK's exporting threads."""
        return frozenset(
            {
                get_ident(),
                *(
                    thread.ident
                    for thread in threading.enumerate()
                    if thread.ident is not None and thread.name.startswith(_EXPORTING_THREADS)
                ),
            }
        )

    def _ping(self, window: Window) -> None:
        """Prove that the hook hears: another hook may have vetoed its installation silently."""
        if self._core.gate is window.gate:
            window.pinged = True
            sys.audit(PING_EVENT)
            if not window.gate.heard and self._core.gate is window.gate:
                logger.warning(
                    "The audit hook hears nothing: another audit hook of this process refused it. "
                    "Start the program without that hook to audit it."
                )

    def add_window(self, window: Window) -> None:
        """Take care of a window from now on."""
        if window not in self._windows:
            self._windows.append(window)

    def _ship(self, batch: list[RawEvent]) -> None:
        """Refine one batch and ship it, each event on its window's account."""
        refinement, outlets = self._refinement, self._outlets
        records: list[AuditRecord] = []
        owners: list[Window] = []
        for raw in batch:
            window = raw.gate.owner
            self.add_window(window)
            if not window.admit(raw.timestamp_ns):
                continue
            try:
                record = refinement.refine(raw, window)
            except Exception:  # noqa: BLE001 - what cannot be redacted does not leave the process
                window.redaction_failed += 1
                continue
            if record is not None:
                window.redaction_errors += record.redaction_errors
            if record is None:
                window.filtered += 1
                continue
            if record.stack_id:
                record = shorten_stack(record, window.stacks)
            if outlets.carries_logs:
                records.append(record)
                owners.append(window)
            elif raw.on_span:
                window.exported += 1
            else:
                window.not_carried += 1
        if records:
            self._ship_records(records, owners)

    def _ship_records(self, records: list[AuditRecord], owners: list[Window]) -> None:
        """Ship records; ``owners`` are their windows, one for each."""
        try:
            shipped = self._outlets.ship(records)
        except Exception:  # an exporter's error is the exporter's; the count is ours
            logger.exception("Exporting %d audit records failed.", len(records))
            shipped = Shipped(exported=0, failed=len(records))
        for index, window in enumerate(owners):
            if index < shipped.exported:
                window.exported += 1
            else:
                window.export_failed += 1

    def _end_windows(self) -> None:
        """Close the window whose time or number of events is reached, and any left behind."""
        gate = self._gate
        now_ns = time_ns()
        for window in self._windows:
            late = now_ns >= window.gate.deadline_ns
            if window.closed_ns is not None:
                continue
            if window is not gate.window:
                window.end(now_ns, "another window")
            elif late:
                gate.close("max_duration", window.gate.deadline_ns)
            elif window.is_full:
                gate.close("max_events")

    def _settle_windows(self, *, at_once: bool) -> None:
        """Tell of gaps, and of windows that are over and have nothing more to come."""
        for window in self._windows:
            if window.settled:
                continue
            self._outlets.report_drops(window, window.count_new_drops())
            closed_ns = window.closed_ns
            if closed_ns is None:
                continue
            over = time_ns() - closed_ns > GRACE_NS and not self._core.pending(window.gate)
            if over or at_once:
                window.settled = True
                self._outlets.settle(window)
        if len(self._windows) > KEPT_WINDOWS:
            settled = [window for window in self._windows if window.settled]
            for window in settled[: len(self._windows) - KEPT_WINDOWS]:
                self._windows.remove(window)


def shorten_stack(record: AuditRecord, told: set[str]) -> AuditRecord:
    """Return the record with its first frame alone where its stack was told in this window.

    Its id says which one it was. Records leave in order, so the stack has gone before.
    """
    if record.stack_id in told:
        return replace(record, frames=record.frames[:1])
    if len(told) < MAX_STACKS:
        told.add(record.stack_id)
    return record
