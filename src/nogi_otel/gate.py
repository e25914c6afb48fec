"""The gate and its windows: opening, closing, limits and accounts.

Opening and closing may come from a signal handler that interrupted any thread of any library at
any bytecode. So nothing here takes a Python lock: the state is one reference, and the drain is
told through a ``SimpleQueue``, whose ``put`` is reentrant in C.
"""

from __future__ import annotations

import os
from itertools import count
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from nogi_otel.accounts import Accounts
from nogi_otel.capture.gate_state import OpenGate

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture import CaptureCore
    from nogi_otel.capture.values import CodeRef
    from nogi_otel.selection import Selection
    from nogi_otel.settings import Rates

_numbers = count(1)


class Wiring(NamedTuple):
    """What the hook calls while a gate is open, besides the core itself."""

    wake: Callable[[], None]
    read_frames: Callable[[int], tuple[CodeRef, ...]] | None


class Limits(NamedTuple):
    """What ends a window by itself, and what bounds it while it is open."""

    duration_ns: int
    """0 is no limit."""
    events: int
    rates: Rates
    span_events: int
    frames: int


class Window:
    """One stretch with the gate open."""

    def __init__(self, selection: Selection, limits: Limits, how: str, wiring: Wiring) -> None:
        """Open nothing yet; ``how`` says who asks for it: ``SIGUSR1``, ``api``, ``start``."""
        self.opened_ns = time_ns()
        self.window_id = f"{os.getpid():x}-{self.opened_ns // 1_000_000:x}-{next(_numbers):x}"
        self.selection = selection
        self.limits = limits
        self.opened_by = how
        self._closed_by = ""
        self.gate = OpenGate(
            self,
            selection.selects,
            wiring.wake,
            note_limit=limits.span_events,
            rate_limit=limits.rates.total,
            limit_name=limits.rates.limit_name if limits.rates.by_pattern else None,
            frame_limit=limits.frames,
            read_frames=wiring.read_frames,
        )
        if limits.duration_ns:
            self.gate.deadline_ns = self.opened_ns + limits.duration_ns
        if not selection.has_condition:
            self.gate.event_limit = limits.events
        # Written by the drain alone.
        self.taken = 0
        self.filtered = 0
        self.over_limit = 0
        self.redaction_failed = 0
        self.redaction_errors = 0
        self.stacks: set[str] = set()
        """The stacks that were told in full; bounded by ``MAX_STACKS``."""
        self.exported = 0
        self.export_failed = 0
        self.not_carried = 0
        self._reported_drops = 0
        self.announced = False
        self.pinged = False
        self.settled = False
        """Whether its end has been announced, with its final accounts."""

    @property
    def closed_ns(self) -> int | None:
        """When it was closed, or None while it is open."""
        return self.gate.closed_ns

    @property
    def admitted(self) -> int:
        """How many events were let in."""
        return self.taken - self.filtered - self.over_limit

    @property
    def is_full(self) -> bool:
        """Whether the number of events is reached after which it closes by itself."""
        return bool(self.limits.events) and self.admitted >= self.limits.events

    def admit(self, timestamp_ns: int) -> bool:
        """Count one event that came out of the ring; return whether it still belongs here."""
        full = self.is_full
        self.taken += 1
        if full or (self.closed_ns is not None and timestamp_ns > self.closed_ns):
            self.over_limit += 1
            return False
        return True

    @property
    def closed_by(self) -> str:
        """Who or what closed it: a signal's name, ``api``, ``exit``, a limit; "" while open."""
        return self._closed_by or self.gate.ended_by

    def name_end(self, how: str) -> None:
        """Say who closed it; the first one stays."""
        if not self.closed_by:
            self._closed_by = how

    def end(self, closed_ns: int, how: str) -> None:
        """Mark the end of a window that no gate belongs to any more."""
        self.gate.closed_ns = closed_ns
        self._closed_by = how

    def count_new_drops(self) -> int:
        """Return how many events were dropped since the last call."""
        dropped = self.account(0).dropped
        new, self._reported_drops = dropped - self._reported_drops, dropped
        return new

    def account(self, pending: int) -> Accounts:
        """Return the accounts; ``pending`` of its events wait in the ring."""
        gate = self.gate
        done = (
            self.filtered
            + self.over_limit
            + self.redaction_failed
            + self.exported
            + self.export_failed
            + self.not_carried
        )
        parts = {
            "filtered": gate.filtered.value + self.filtered,
            "rate_limited": gate.rate_limited.value,
            "sampled_out": gate.sampled_out.value,
            "over_limit": self.over_limit,
            "ring_full": gate.ring_full.value,
            "hook_failed": gate.failed.value,
            "redaction_failed": self.redaction_failed,
            "exported": self.exported,
            "export_failed": self.export_failed,
            "not_carried": self.not_carried,
            "in_flight": pending + self.taken - done,
        }
        return Accounts(seen=sum(parts.values()), **parts)


class Gate:
    """Opens and closes windows on a capture core."""

    def __init__(
        self,
        core: CaptureCore,
        selection: Selection,
        limits: Limits,
        wiring: Wiring,
        tell: Callable[[Window], None],
    ) -> None:
        """Begin closed; ``tell`` hands a window that was opened or closed to the drain."""
        self._wiring = wiring
        self._core = core
        self._selection = selection
        self._limits = limits
        self._tell = tell
        self._window: Window | None = None
        self._resumes = False

    @property
    def window(self) -> Window | None:
        """The window that is open, or the last one."""
        return self._window

    @property
    def is_open(self) -> bool:
        """Whether audit events are captured now."""
        return self._core.gate is not None

    def open(
        self,
        how: str,
        selection: Selection | None = None,
        limits: Limits | None = None,
    ) -> Window:
        """Open a window, or return the one that is open.

        Where a signal handler opens another in the middle of this, the later store wins and the
        drain ends the earlier window.
        """
        current = self._window
        if current is not None and self._core.gate is current.gate:
            return current
        window = Window(selection or self._selection, limits or self._limits, how, self._wiring)
        self._core.install()
        self._window = window
        self._publish(window)
        return window

    def close(self, how: str, closed_ns: int | None = None) -> Window | None:
        """Close the window that is open; return it, or None where none is.

        ``closed_ns`` is when it was asked for, where that was earlier than now.
        """
        window = self._window
        gate = self._core.close()
        if window is None or gate is None:
            return None
        if closed_ns is not None:
            gate.closed_ns = max(closed_ns, window.opened_ns)
        window.name_end(how)
        self._tell(window)
        return window

    def account(self, window: Window) -> Accounts:
        """Return the accounts of a window, with what of it waits in the ring."""
        return window.account(self._core.pending(window.gate))

    def renew_in_child(self) -> None:
        """Shut a fork's child's copy of the gate; the same selection and end go on later.

        ``resume_in_child`` opens it again: what starts the drain there is not the application's.
        """
        parent = self._window
        if parent is None or self._core.gate is not parent.gate:
            return
        self._core.close()
        window = Window(
            parent.selection, parent.limits, f"fork of {parent.window_id}", self._wiring
        )
        window.opened_ns = parent.opened_ns
        window.gate.deadline_ns = parent.gate.deadline_ns
        self._window = window
        self._resumes = True

    def resume_in_child(self) -> None:
        """Open the gate that ``renew_in_child`` made, under its own accounts."""
        if self._resumes and self._window is not None:
            self._resumes = False
            self._publish(self._window)

    def _publish(self, window: Window) -> None:
        # The drain first: where this starts its thread, that is no event of the application's.
        self._tell(window)
        self._core.open(window.gate)
