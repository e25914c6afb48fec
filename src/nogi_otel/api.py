"""What a program calls: open and close the gate, watch a stretch of code, ask for the state."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nogi_otel import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogi_otel.gate import Window


def open_gate(**settings: Any) -> str:
    """Open a window and return its id; where one is open already, return that one's.

    What happens after the return is captured. The settings are for this window only: ``events``,
    ``excluded_events``, ``where``, ``max_duration`` (seconds), ``max_events``, ``rate_limit``.

    Raises:
        SettingsError: a setting is not allowed.
    """
    return _open(settings).window_id


def close_gate(timeout: float | None = None) -> dict[str, int] | None:
    """Close the window, ship what it captured, and return its accounts.

    A window that has ended by itself, by a limit or a signal, is shipped and told of all the same;
    None means that none was ever opened.

    ``timeout`` is how many seconds to wait for the shipping; by default the setting
    ``flush_timeout``. With 0 it does not wait.
    """
    current = agent.get_agent()
    machinery = current.machinery if current is not None else None
    if machinery is None or machinery.gate.window is None:
        return None
    if current is not None:
        current.await_signals()
    window = machinery.gate.close("api") or machinery.gate.window
    flush(timeout)
    accounts = machinery.gate.account(window)
    return {**accounts._asdict(), "dropped": accounts.dropped}


def flush(timeout: float | None = None) -> bool:
    """Wait until what is captured by now is shipped; return whether it is.

    ``timeout`` is in seconds, by default the setting ``flush_timeout``. Call it before
    ``os._exit``.
    """
    current = agent.get_agent()
    if current is None:
        return True
    return current.drain.request(current.settings.flush_timeout if timeout is None else timeout)


@contextmanager
def window(**settings: Any) -> Iterator[Window]:
    """Audit a stretch of code: opens a window, closes it and ships what it captured.

    Takes the settings of ``open_gate``. In a window that is open already it changes nothing.
    """
    current = agent.get_agent()
    nested = current is not None and current.is_open
    opened = _open(settings)
    try:
        yield opened
    finally:
        if not nested:
            close_gate()


def status() -> dict[str, Any]:
    """Return the state of this process: plain values, fit for JSON.

    ``state`` is ``unarmed``, ``armed`` or ``open``; ``window`` tells of the last one, with its
    accounts, whose parts sum up to ``seen``.
    """
    current = agent.get_agent()
    return current.describe() if current is not None else {"state": "unarmed"}


def _open(settings: dict[str, Any]) -> Window:
    current = agent.require_agent()
    current.await_signals()
    if not settings:
        return current.open("api")
    selection, limits = current.read_window_settings(settings)
    return current.open("api", selection, limits)
