"""One opening of the gate, as the hook sees it: everything it needs in one object.

Opening and closing are then one store of one reference. An ``OpenGate`` is never changed after it
is published, but for its counters, the cache of decisions and ``closed_ns``.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from nogi_otel.capture import PING_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import CodeRef

MAX_CACHED_NAMES = 1024
"""Distinct event names that a gate remembers; more are decided anew each time."""
MAX_NAME_LENGTH = 256


class Counter:
    """A count that needs no lock: ``itertools.count`` steps atomically in C.

    ``+= 1`` on an attribute would lose counts on a free-threaded build and, between its load and
    its store, to a signal handler.
    """

    __slots__ = ("_count", "add")

    def __init__(self) -> None:
        """Start at 0."""
        self._count = count()
        self.add = self._count.__next__

    @property
    def value(self) -> int:
        """Read the count without stepping it; ``count.__reduce__`` holds the next number."""
        return int(self._count.__reduce__()[1][0])


class OpenGate:
    """What the hook works by while one window is open."""

    __slots__ = (
        "closed_ns",
        "decisions",
        "failed",
        "filtered",
        "frame_limit",
        "heard",
        "note_limit",
        "owner",
        "rate_limit",
        "rate_limited",
        "rate_second",
        "read_frames",
        "ring_full",
        "select",
        "wake",
    )

    def __init__(
        self,
        owner: object,
        select: Callable[[str], bool],
        wake: Callable[[], None],
        *,
        note_limit: int = 0,
        rate_limit: int = 0,
        frame_limit: int = 0,
        read_frames: Callable[[int], tuple[CodeRef, ...]] | None = None,
    ) -> None:
        """Prepare an opening.

        ``owner`` is handed on with each event; ``select`` decides by an event's name, once for
        each distinct name; ``wake`` is called when the ring is half full; ``note_limit`` is the
        number of events noted on each span (0: none); ``rate_limit`` the number of events captured
        in each second (0: no limit); ``frame_limit`` the number of stack frames that
        ``read_frames`` takes (0: none).
        """
        self.owner = owner
        self.select = select
        self.wake = wake
        self.note_limit = note_limit
        self.rate_limit = rate_limit
        self.frame_limit = frame_limit if read_frames is not None else 0
        self.read_frames = read_frames
        self.closed_ns: int | None = None
        self.heard = False
        """Whether the ping has reached the hook."""
        self.decisions: dict[str, bool | None] = {PING_EVENT: None}
        """Event name -> captured or not; None marks the ping."""
        self.filtered = Counter()
        self.rate_limited = Counter()
        self.ring_full = Counter()
        self.failed = Counter()
        """Events that the hook could not take: out of memory, or of stack."""
        self.rate_second: tuple[int, Callable[[], int]] = (0, count(1).__next__)

    def decide(self, event: str) -> bool:
        """Decide about a name seen for the first time, and remember it."""
        selected = self.select(event[:MAX_NAME_LENGTH])
        if len(self.decisions) < MAX_CACHED_NAMES and len(event) <= MAX_NAME_LENGTH:
            self.decisions[event] = selected
        return selected

    def exceeds_rate(self, timestamp_ns: int) -> bool:
        """Count one event against the limit of its second; return whether it is beyond it.

        Two threads that meet the turn of a second together may each begin a fresh count: the limit
        is then exceeded by what the slower one counted, never by more than one limit.
        """
        second = timestamp_ns // 1_000_000_000
        current = self.rate_second
        if current[0] != second:
            current = (second, count(1).__next__)
            self.rate_second = current
        return current[1]() > self.rate_limit
