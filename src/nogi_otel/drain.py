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
from _queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from nogi_otel.errors import NogiError
from nogi_otel.shipping import Shipping

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.gate import Gate, Window
    from nogi_otel.shipping import Machinery

logger = logging.getLogger("nogi_otel")

MAX_COMPLAINTS = 16
TICK_S = 0.1
"""How long a captured event waits, at most, before the drain looks for it."""


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

    def __init__(
        self,
        prepare: Callable[[], Machinery],
        is_wanted: Callable[[], bool],
    ) -> None:
        """Start nothing; ``prepare`` is called on the thread, when the first message comes.

        ``is_wanted`` returns whether there is anything to ship, although the thread does not run:
        in a fork's child.
        """
        self._is_wanted = is_wanted
        self._prepare = prepare
        self._machinery: Machinery | None = None
        self._shipping: Shipping | None = None
        self._queue: SimpleQueue[Window | Command | Request | None] = SimpleQueue()
        self._started = _thread.allocate_lock()
        self._thread_id = 0
        self._pid = 0
        self._born_in_fork = False
        self._complaints: set[str] = set()
        self._next_message: Window | Request | None = None
        self._opened_here: Window | None = None
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
        if self._thread_id == _thread.get_ident() or not (self.running or self._is_wanted()):
            return True
        request = Request(stop=stop)
        self.tell(request)
        return request.wait(timeout_s)

    def reset_in_child(self) -> None:
        """Begin anew in a fork's child: the thread, its queue and its sockets are the parent's."""
        self._queue = SimpleQueue()
        self._started = _thread.allocate_lock()
        self._thread_id = 0
        self._machinery = None
        self._shipping = None
        self._commands_given = self._commands_done = 0
        self._born_in_fork = True

    def _run(self) -> None:
        """Run the thread until it is told to stop."""
        self._thread_id = _thread.get_ident()
        if self._born_in_fork:
            # Other libraries' at-fork callbacks may still be making their locks anew.
            pause = _thread.allocate_lock()
            pause.acquire()
            pause.acquire(timeout=TICK_S)
        stopped = False
        while not stopped:
            message = self._wait()
            stopped = isinstance(message, Request) and message.stop
            try:
                self._work(message)
            except NogiError as error:
                logger.error("%s", error)  # noqa: TRY400 - the message says what to do
            except Exception as error:  # noqa: BLE001 - the thread outlives any error
                self._complain(error)
            if isinstance(message, Request) and not stopped:
                message.finish()
        try:
            if self._shipping is not None:
                self._shipping.close()
        except Exception:
            logger.exception("An exporter could not be closed.")
        self._started = _thread.allocate_lock()
        if isinstance(message, Request):
            message.finish()

    def _obey(self, command: Command, gate: Gate) -> None:
        """Do what signals asked for, all that have come by now, before anything is shipped."""
        message: Window | Command | Request | None = command
        while isinstance(message, Command):
            window = gate.window
            if message.opens:
                opened = gate.open(message.how)
                if opened is not window:
                    self._opened_here = opened
            elif window is self._opened_here or (
                window is not None and message.timestamp_ns >= window.opened_ns
            ):  # not a window that was opened from code after this signal
                gate.close(message.how, message.timestamp_ns)
            self._commands_done += 1
            try:
                message = self._queue.get_nowait()
            except Empty:
                return
        self._next_message = message

    def _complain(self, error: Exception) -> None:
        """Log an error once: it may come again at every tick."""
        if str(error) not in self._complaints and len(self._complaints) < MAX_COMPLAINTS:
            self._complaints.add(str(error))
            logger.error(
                "The drain met an error; audit records may be missing.",
                exc_info=error,
            )

    def _wait(self) -> Window | Command | Request | None:
        """Wait for a message, but no longer than a tick while events may come."""
        message, self._next_message = self._next_message, None
        if message is not None:
            return message
        active = self._shipping is not None and self._shipping.active
        try:
            return self._queue.get(timeout=TICK_S) if active else self._queue.get()
        except Empty:
            return None

    def _work(self, message: Window | Command | Request | None) -> None:
        """Do what the message asks for, and one round of shipping."""
        if self._machinery is None or self._shipping is None:
            self._machinery = self._prepare()
            self._shipping = Shipping(self._machinery)
        shipping, gate = self._shipping, self._machinery.gate
        shipping.exclude_own_threads()
        flush = isinstance(message, Request)
        if isinstance(message, Command):
            self._obey(message, gate)
        elif message is not None and not isinstance(message, Request):
            shipping.add_window(message)
        shipping.run_round(to_the_end=flush, at_once=isinstance(message, Request) and message.stop)
