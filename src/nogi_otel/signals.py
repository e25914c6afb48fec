"""The two signals: bound, chained to whatever the application binds, and given back.

A handler of ours stays bound however often the application binds its own: ``signal.signal`` is
watched, and what the application sets is chained, so that both run. What ``signal.signal`` returns
to it is its own previous handler, never ours.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import wrapt

from nogi_otel.settings import signal_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

class SignalBinding:
    """Binds signals to actions. ``bind`` and ``release`` must run on the main thread."""

    def __init__(self) -> None:
        """Begin with nothing bound."""
        self._actions: dict[int, Callable[[], None]] = {}
        self._chained: dict[int, Any] = {}
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
            return [
                f"{named} not bound: signals can be bound on the main thread only. "
                "Call instrument() there, or use nogi_otel.open_gate() and close_gate()."
            ]
        problems = []
        self._bind_signal = signal.signal
        for number, action in actions.items():
            previous = signal.getsignal(number)
            if previous is None:
                problems.append(
                    f"{signal_name(number)} not bound: a handler written in C stands there and "
                    "could not be given back. Choose another signal with "
                    "OTEL_PYTHON_NOGI_START_SIGNAL and OTEL_PYTHON_NOGI_STOP_SIGNAL."
                )
                continue
            self._actions[number] = action
            self._chained[number] = previous
            self._bind_signal(number, self._handle)
        if self._actions:
            self._watch()
        return problems

    def release(self) -> None:
        """Give every signal back to the handler that the application wants there."""
        self._unwatch()
        for number, wanted in self._chained.items():
            if signal.getsignal(number) == self._handle:
                self._bind_signal(number, wanted)
        self._actions.clear()
        self._chained.clear()

    def _handle(self, number: int, frame: FrameType | None) -> Any:
        """Run our action, then the application's handler; its exceptions are its own."""
        action = self._actions.get(number)
        if action is not None:
            action()
        chained = self._chained.get(number)
        if callable(chained):
            return chained(number, frame)
        return None

    def _watch(self) -> None:
        """Wrap ``signal.signal``, so that a later handler of the application is chained."""
        wrapt.wrap_function_wrapper("signal", "signal", self._replace)
        self._watching = True

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            watched: Any = signal.signal
            if isinstance(watched, wrapt.ObjectProxy) and watched._self_wrapper == self._replace:
                signal.signal = watched.__wrapped__

    def _replace(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        """Stand in for ``signal.signal``: keep our handler, chain the application's."""
        number, handler = _read_arguments(*args, **kwargs)
        allowed = callable(handler) or handler in (signal.SIG_DFL, signal.SIG_IGN)
        if not self._watching or number not in self._actions or not allowed:
            return wrapped(*args, **kwargs)
        # Never bind the application's handler in between: SIG_DFL would kill in that moment. The
        # original still checks the thread, and raises as it always did.
        wrapped(number, self._handle)
        previous, self._chained[number] = self._chained[number], handler
        return previous


def _read_arguments(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Return the number and the handler, or None for what is missing or is no signal."""
    names = ("signalnum", "handler")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    try:
        number = int(given.get("signalnum"))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = -1
    return number, given.get("handler")
