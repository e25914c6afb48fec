"""How much the application's own batch processors can take from us.

Their queues are the application's: what we put in pushes its own records out when they are full.
And a flush from our thread would hold the processor's export lock for as long as a dead receiver
takes, and the process's exit with it. So we hand over while a queue is at most half full and holds
less than one batch, let the processor export at its own pace, and keep the rest in our ring.
"""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

POLL_S = 0.01
_BATCH = "_max_export_batch_size"


class Backpressure:
    """Watches the queues of a provider's batch processors."""

    def __init__(self, processors: Iterable[Any]) -> None:
        """Find the queues; a processor of another kind has none, and takes everything."""
        batches: list[Any] = [getattr(one, "_batch_processor", None) for one in processors]
        self._queues = [
            (parts["_queue"], max(min(parts["_max_queue_size"] // 2, parts[_BATCH]), 1))
            for parts in (vars(one) for one in batches if one is not None)
            if {"_queue", "_max_queue_size", _BATCH} <= set(parts)
        ]
        self._closed = _thread.allocate_lock()
        self._closed.acquire()

    def wait_for_room(self) -> bool:
        """Wait until there is room for one more; return False where it was given up."""
        while any(len(queue) >= most for queue, most in self._queues):
            if self._closed.acquire(timeout=POLL_S):
                self._closed.release()
                return False
        return True

    def give_up(self) -> None:
        """End all waiting, now and later; called from another thread."""
        if self._closed.locked():
            self._closed.release()
