"""A queue between two threads that is bounded by size, and refuses what does not fit."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """Takes items with a size, from any thread, and gives them in order; ``put`` never waits."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._size = 0
        self._items: deque[tuple[Item, int]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item, size: int) -> bool:
        """Take an item; False if it does not fit. One alone always fits, of whatever size."""
        with self._changed:
            if self._closed or (self._items and self._size + size > self._max_size):
                return False
            self._items.append((item, size))
            self._size += size
            self._changed.notify()
            return True

    def take(self, max_size: int) -> list[Item]:
        """Wait for items and give the oldest, as many as fit in ``max_size`` and one at least.

        Empty means closed, and nothing left.
        """
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            taken: list[Item] = []
            taken_size = 0
            while self._items and (not taken or taken_size + self._items[0][1] <= max_size):
                item, size = self._items.popleft()
                taken.append(item)
                taken_size += size
            self._size -= taken_size
            return taken

    def close(self) -> None:
        """Refuse everything from now on; what is in it can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def discard(self) -> list[Item]:
        """Close, and give what nobody has taken."""
        with self._changed:
            self._closed = True
            left = [item for item, _ in self._items]
            self._items.clear()
            self._size = 0
            self._changed.notify_all()
            return left
