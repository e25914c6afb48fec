"""One opening of the gate, as the hook sees it: everything it needs in one object.

Opening and closing are then one store of one reference. An ``OpenGate`` is never changed after it
is published, but for its counters, the cache of decisions and ``closed_ns``.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from nogi_otel.capture import PING_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import CodeRef

MAX_CACHED_NAMES = 1024
"""Distinct event names that a gate remembers; more are decided anew each time."""
MAX_NAME_LENGTH = 256
NO_DEADLINE_NS = 1 << 63
RARE_PER_SECOND = 10
"""Events of one name in one second that a flood of others never pushes out."""


class Counter:
    """A count that needs no lock: ``itertools.count`` steps atomically in C.

    ``+= 1`` on an attribute would lose counts on a free-threaded build and, between its load and
    its store, to a signal handler.
    """

    __slots__ = ("add", "steps")

    def __init__(self) -> None:
        """Start at 0."""
        self.steps = count()
        """A ``for`` over it steps without a call, so it works at the end of the stack too."""
        self.add = self.steps.__next__

    @property
    def value(self) -> int:
        """Read the count without stepping it: its ``repr`` is ``count(N)``."""
        return int(repr(self.steps)[6:-1])


class OpenGate:
    """What the hook works by while one window is open."""

    __slots__ = (
        "captured",
        "closed_ns",
        "deadline_ns",
        "decisions",
        "ended_by",
        "event_limit",
        "failed",
        "filtered",
        "frame_limit",
        "full_second",
        "has_name_rates",
        "heard",
        "limit_name",
        "limited",
        "name_rates",
        "note_limit",
        "owner",
        "rate_limit",
        "rate_limited",
        "rate_second",
        "read_frames",
        "ring_full",
        "sampled_out",
        "select",
        "throttle_rate",
        "wake",
    )

    def __init__(  # noqa: PLR0913 - all that the hook needs, in one object
        self,
        owner: object,
        select: Callable[[str], bool],
        wake: Callable[[], None],
        *,
        note_limit: int = 0,
        rate_limit: int = 0,
        limit_name: Callable[[str], int] | None = None,
        frame_limit: int = 0,
        read_frames: Callable[[int], tuple[CodeRef, ...]] | None = None,
    ) -> None:
        """Prepare an opening.

        ``owner`` is handed on with each event; ``select`` decides by an event's name, once for
        each distinct name; ``wake`` is called when the ring is half full; ``note_limit`` is the
        number of events noted on each span (0: none); ``rate_limit`` the number of events captured
        in each second (0: no limit), and ``limit_name`` tells that of one name; ``frame_limit`` is
        the number of stack frames that ``read_frames`` takes (0: none).
        """
        self.owner: Any = owner
        self.select = select
        self.wake = wake
        self.note_limit = note_limit
        self.rate_limit = rate_limit
        self.limit_name = limit_name
        self.has_name_rates = limit_name is not None
        self.name_rates: dict[str, int] = {}
        self.throttle_rate = 0
        self.limited = bool(rate_limit or self.has_name_rates)
        self.frame_limit = frame_limit if read_frames is not None else 0
        self.read_frames = read_frames
        self.closed_ns: int | None = None
        self.deadline_ns: int = NO_DEADLINE_NS
        """When the hook shuts the gate by itself: the drain may be busy with a slow receiver."""
        self.ended_by = ""
        """The limit by which the hook has shut it: ``max_duration`` or ``max_events``."""
        self.event_limit = 0
        """After how many captured events the hook shuts the gate by itself; 0 is no limit."""
        self.captured = Counter()
        """Counted only with an ``event_limit``."""
        self.heard = False
        """Whether the ping has reached the hook."""
        self.decisions: dict[str, bool | None] = {PING_EVENT: None}
        """Event name -> captured or not; None marks the ping."""
        self.filtered = Counter()
        self.rate_limited = Counter()
        self.sampled_out = Counter()
        self.ring_full = Counter()
        self.failed = Counter()
        """Events that the hook could not take: out of memory, or of stack."""
        self.rate_second = RateSecond(0)
        self.full_second = RateSecond(0)

    def decide(self, event: str) -> bool:
        """Decide about a name seen for the first time, and remember it."""
        selected = self.select(event[:MAX_NAME_LENGTH])
        if len(self.decisions) < MAX_CACHED_NAMES and len(event) <= MAX_NAME_LENGTH:
            self.decisions[event] = selected
        return selected

    def throttle(self, rate: int) -> None:
        """Take about ``rate`` events a second from now on; 0 lifts it. Called by the drain."""
        self.throttle_rate = rate
        self.limited = bool(rate or self.rate_limit or self.has_name_rates)

    def exceeds_rate(self, event: str, timestamp_ns: int) -> bool:
        """Count one event against the limits of its second; return whether it is beyond one.

        The first ``RARE_PER_SECOND`` of every name pass a throttle, and a tenth of the process's
        limit is kept for them, so that a flood of one name never starves a rare one. Two threads
        that meet the turn of a second may each begin a fresh count: what the slower one counted
        is then beyond the limit, never more.
        """
        second = timestamp_ns // 1_000_000_000
        current = self.rate_second
        if current.second != second:
            current = self.rate_second = RateSecond(second)
        number = current.count_name(event)
        if self.has_name_rates:
            name_rate = self.find_name_rate(event)
            if name_rate and number > name_rate:
                self.rate_limited.add()
                return True
        rare = number <= RARE_PER_SECOND
        kept = self.rate_limit // 10
        common = current.count_common()
        if self.rate_limit and common > self.rate_limit - kept:
            if rare and current.count_rare() <= kept:
                return False
            self.rate_limited.add()
            return True
        if self.throttle_rate and not rare and common > self.throttle_rate:
            self.sampled_out.add()
            return True
        return False

    def is_rare(self, event: str, timestamp_ns: int) -> bool:
        """Count one event that meets a nearly full ring; return whether its name is rare there."""
        second = timestamp_ns // 1_000_000_000
        current = self.full_second
        if current.second != second:
            current = self.full_second = RateSecond(second)
        return current.count_name(event) <= RARE_PER_SECOND

    def find_name_rate(self, event: str) -> int:
        """Return the limit of one name, 0 where it has none."""
        rate = self.name_rates.get(event)
        if rate is None:
            rate = self.limit_name(event) if self.limit_name is not None else 0
            if len(self.name_rates) < MAX_CACHED_NAMES:
                self.name_rates[event[:MAX_NAME_LENGTH]] = rate
        return rate


class RateSecond:
    """The counts of one second, for the process and for each event name."""

    __slots__ = ("_names", "count_common", "count_rare", "second")

    def __init__(self, second: int) -> None:
        """Begin at 0; ``count_common`` and ``count_rare`` step and return their count."""
        self.second = second
        self.count_common = count(1).__next__
        self.count_rare = count(1).__next__
        self._names: dict[str, Callable[[], int]] = {}

    def count_name(self, event: str) -> int:
        """Count one event; return how many of its name there are now."""
        step = self._names.get(event)
        if step is None:
            name = event if len(self._names) < MAX_CACHED_NAMES else ""
            step = self._names.setdefault(name, count(1).__next__)
        return step()
