"""Writes lines to standard output in a thread of its own, so that nobody waits for a terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from nogi_otel.cli.backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_PENDING_BYTES: Final = 4 << 20
_WRITE_BYTES: Final = 64 << 10
_LOOK_S: Final = 0.1


class LinePrinter:
    """Prints whole lines at once, in order; drops and counts what a slow reader leaves no room for.

    It writes to the descriptor and not through ``sys.stdout``: a thread that hangs in there when
    the process ends would bring the interpreter down with it.
    """

    def __init__(self, descriptor: int, on_failure: Callable[[], None]) -> None:
        """Begin; ``on_failure`` is called once, in the thread, when nothing can be printed."""
        self.dropped = 0
        """How many lines were not printed. Final after ``close``."""
        self.error: OSError | None = None
        """Why nothing can be printed any more: ``BrokenPipeError`` when the reader has gone."""
        self._descriptor = descriptor
        self._on_failure = on_failure
        self._backlog: Backlog[bytes] = Backlog(_MAX_PENDING_BYTES)
        self._in_flight = 0
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="nogi-printer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> bool:
        """Print one line, which ends in a line break, some time soon; False if it is dropped."""
        if self._backlog.put(line, len(line)):
            return True
        self.dropped += 1
        return False

    def close(self, timeout_s: float) -> None:
        """Print what is pending, for ``timeout_s`` at most; count the rest as dropped."""
        self._backlog.close()
        self._thread.join(timeout_s)
        self._abandoned = True
        self._thread.join(2 * _LOOK_S)
        self.dropped += len(self._backlog.discard()) + self._in_flight

    def _run(self) -> None:
        try:
            while not self._abandoned and (lines := self._backlog.take(_WRITE_BYTES)):
                self._write(lines)
        except OSError as error:
            self.error = error
            self._backlog.close()
            self._on_failure()

    def _write(self, lines: list[bytes]) -> None:
        ends = list(accumulate(map(len, lines)))
        pending = memoryview(b"".join(lines))
        written = 0
        self._in_flight = len(lines)
        while written < len(pending):
            # A pipe that is ready takes PIPE_BUF bytes without blocking, so what is printed is
            # known to the byte, and the thread can always be told to leave.
            if not select.select([], [self._descriptor], [], _LOOK_S)[1]:
                if self._abandoned:
                    return
                continue
            with contextlib.suppress(BlockingIOError):
                piece = pending[written : written + select.PIPE_BUF]
                written += os.write(self._descriptor, piece)
            self._in_flight = len(lines) - bisect_right(ends, written)
