"""Knows an audit event that was seen already, on its span or in its log record."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nogi_otel.recording.event import Event

_MAX_REMEMBERED: Final = 65_536


class Twins:
    """Pairs each log record with the span event of the same audit event, whichever comes first.

    Both carry the same name, time and ids. Two audit events may agree in all of them, so copies
    are counted: of ``n`` log records and ``m`` span events, ``max(n, m)`` are new. The 65,536 most
    recent are remembered.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, int, str, str], list[int]] = OrderedDict()

    def meet(self, event: Event) -> bool:
        """Count an event and tell whether its twin was here before."""
        key = (event.name, event.timestamp_ns, event.trace_id, event.span_id)
        counts = self._counts.setdefault(key, [0, 0])
        self._counts.move_to_end(key)
        mine, other = (0, 1) if event.source == "log" else (1, 0)
        counts[mine] += 1
        if len(self._counts) > _MAX_REMEMBERED:
            self._counts.popitem(last=False)
        return counts[mine] <= counts[other]
