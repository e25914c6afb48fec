"""The two signals: bound, chained to whatever the application binds, and given back.

A handler of ours stays bound however often the application binds its own: ``signal.signal`` is
watched, and what the application sets is chained, so that both run. ``signal.getsignal`` is
watched too: a program that saves a handler to call or restore it later must not get hold of ours.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wrapt

from nogi_otel.settings import signal_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class SignalBinding:
    """Binds signals to actions, on the main thread: nowhere else does CPython allow it."""

    def __init__(self) -> None:
        """Begin with nothing bound."""
        self._actions: dict[int, Callable[[], None]] = {}
        self._chained: dict[int, Any] = {}
        self._running: dict[int, list[FrameType | None]] = {}
        self._bind_signal: Callable[[int, Any], Any] = signal.signal
        self._watching = False

    @property
    def bound(self) -> tuple[int, ...]:
        """The signals that run our actions."""
        return tuple(self._actions)

    def bind(self, actions: dict[int, Callable[[], None]]) -> list[str]:
        """Bind each signal to its action; return a message for each that could not be bound."""
        if threading.current_thread() is not threading.main_thread():
            named = " and ".join(signal_name(number) for number in actions)
            message = (
                f"{named} not bound: signals can be bound on the main thread only. "
                "Call instrument() there, or use nogi_otel.open_gate() and close_gate()."
            )
            return [message]
        problems = []
        self._bind_signal = signal.signal
        for number, action in actions.items():
            previous = signal.getsignal(number)
            if previous is None or _has_c_handler(number, previous):
                problems.append(
                    f"{signal_name(number)} not bound: a handler written in C stands there and "
                    "could not be given back. Choose another signal with "
                    "OTEL_PYTHON_NOGI_START_SIGNAL and OTEL_PYTHON_NOGI_STOP_SIGNAL."
                )
                continue
            self._chained[number] = previous
            self._actions[number] = action
            self._bind_signal(number, self._handle)
        if self._actions:
            self._watch()
        return problems

    def release(self) -> list[str]:
        """Give every signal back to the handler that the application wants there.

        Returns a message where that cannot be done: off the main thread our handler stays, and
        does nothing but call the application's.
        """
        self._unwatch()
        bound = self.bound
        self._actions.clear()
        if threading.current_thread() is not threading.main_thread():
            if not bound:
                return []
            named = " and ".join(map(signal_name, bound))
            message = (
                f"{named} stay with a handler that only calls the application's own: signals can "
                "be given back on the main thread only. Call uninstrument() there."
            )
            return [message]
        for number, wanted in self._chained.items():
            if signal.getsignal(number) == self._handle:
                self._bind_signal(number, wanted)
        self._chained.clear()
        return []

    def _handle(self, number: int, frame: FrameType | None) -> Any:
        """Run our action, then the application's handler; its exceptions are its own."""
        running = self._running.setdefault(number, [])
        if any(frame is one for one in running):
            # Not a signal: the application's handler has called ours, with the frame it was given.
            return None
        running.append(frame)
        try:
            action = self._actions.get(number)
            if action is not None:
                action()
            chained = self._chained.get(number)
            return chained(number, frame) if callable(chained) else None
        finally:
            running.pop()

    def _watch(self) -> None:
        """Wrap ``signal.signal`` and ``signal.getsignal``: a later handler is chained."""
        wrapt.wrap_function_wrapper("signal", "signal", self._replace)
        wrapt.wrap_function_wrapper("signal", "getsignal", self._tell)
        self._watching = True

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            for name, wrapper in (("signal", self._replace), ("getsignal", self._tell)):
                watched: Any = getattr(signal, name)
                if getattr(watched, "_self_wrapper", None) == wrapper:
                    setattr(signal, name, watched.__wrapped__)

    def _replace(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Stand in for ``signal.signal``: keep our handler, chain the application's."""
        if len(args) + len(kwargs) != 2:  # noqa: PLR2004 - the original says what is wrong
            return wrapped(*args, **kwargs)
        number, handler = _read_arguments(*args, **kwargs)
        allowed = callable(handler) or handler in (signal.SIG_DFL, signal.SIG_IGN)
        if not self._watching or number not in self._actions or not allowed:
            return wrapped(*args, **kwargs)
        # Never bind the application's handler in between: SIG_DFL would kill in that moment. The
        # original still checks the thread, and raises as it always did.
        wrapped(number, self._handle)
        previous = self._chained[number]
        if handler != self._handle:
            self._chained[number] = handler
        return previous

    def _tell(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Stand in for ``signal.getsignal``: tell the application of its own handler."""
        handler = wrapped(*args, **kwargs)
        if handler != self._handle:
            return handler
        number, _ = _read_arguments(*args, **kwargs)
        return self._chained.get(number, handler)


def _read_arguments(*args: Any, **kwargs: Any) -> tuple[int, Any]:
    """Return the number, -1 for what is no signal, and the handler, None where there is none."""
    given = {**dict(zip(("signalnum", "handler"), args, strict=False)), **kwargs}
    number = given.get("signalnum")
    with contextlib.suppress(TypeError, ValueError):
        return int(number), given.get("handler")  # type: ignore[arg-type]
    return -1, given.get("handler")


def _has_c_handler(number: int, handler: object) -> bool:
    """Return whether the kernel knows a handler where Python knows none: faulthandler's, say.

    ``SigCgt`` in ``/proc/self/status`` is the mask of caught signals, proc(5).
    """
    if handler not in (signal.SIG_DFL, signal.SIG_IGN):
        return False
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False  # no /proc: macOS
    for line in status.splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
