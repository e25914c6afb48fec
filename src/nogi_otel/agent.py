"""The composition root: wires the house together, once for each process.

Arming is light: two signal handlers and nothing else. The core, the drain and the ways out are
made when the first window is asked for, by the drain itself where a signal asks, because a signal
handler must not import, lock or log.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.configuration import (
    WINDOW_SETTINGS,
    build_limits,
    compile_redactor,
    compile_settings,
)
from nogi_otel.drain import Command, Drain
from nogi_otel.errors import NogiError, SettingsError
from nogi_otel.fixtures import Fixtures, finish_with_child
from nogi_otel.settings import (
    Settings,
    load_settings,
    override_settings,
    rescue_signals,
    signal_name,
)
from nogi_otel.shipping import Machinery
from nogi_otel.signals import SignalBinding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nogi_otel.capture import RawEvent
    from nogi_otel.gate import Limits, Window
    from nogi_otel.outlets import ProcessOutlets
    from nogi_otel.record import AuditRecord
    from nogi_otel.selection import Selection

logger = logging.getLogger("nogi_otel")

BYTES_PER_EVENT = 1024
"""What the Python core counts for one event of the ring's size."""


class Agent:
    """An armed process."""

    def __init__(
        self,
        settings: Settings,
        selection: Selection | None,
        refusal: NogiError | None = None,
        handler: Callable[[str, str], object] | None = None,
    ) -> None:
        """Bind nothing yet. ``handler`` is called with each event's name and data, as text.

        With a ``refusal`` the signals are bound all the same, because an unbound SIGUSR1 kills;
        but every attempt to open says what is wrong with the settings.
        """
        self._refusal = refusal
        self._handler = handler
        self.settings = settings
        self.selection = selection
        self.drain = Drain(self.prepare, self._has_work)
        self.signals = SignalBinding()
        self._machinery: Machinery | None = None
        self._outlets: ProcessOutlets | None = None
        self._finished = False

    def arm(self) -> None:
        """Bind the signals; open at once where the settings say so."""
        _fixtures.follow_forks(_reset_in_child)
        actions = {}
        if self.settings.start_signal is not None:
            start = signal_name(self.settings.start_signal)
            actions[self.settings.start_signal] = lambda: self.open_from_signal(start)
        if self.settings.stop_signal is not None:
            stop = signal_name(self.settings.stop_signal)
            actions[self.settings.stop_signal] = lambda: self.close_from_signal(stop)
        for problem in self.signals.bind(actions) if actions else ():
            logger.warning("%s", problem)
        if self.settings.start == "open" and self._refusal is None:
            self.open("start")

    def disarm(self) -> None:
        """Close the window, ship what is captured, give the signals back."""
        for problem in self.signals.release():
            logger.warning("%s", problem)
        self.finish("uninstrument")

    @property
    def machinery(self) -> Machinery | None:
        """What works in this process, or None before the first window."""
        return self._machinery

    def open_from_signal(self, how: str) -> None:
        """Open a window from a signal handler: no import, no lock, no log line."""
        if self._finished:
            return
        machinery = self._machinery
        if machinery is not None and not self.drain.has_commands:
            machinery.gate.open(how)
        else:
            self.drain.command(Command(opens=True, how=how, timestamp_ns=time_ns()))

    def close_from_signal(self, how: str) -> None:
        """Close the window from a signal handler."""
        machinery = self._machinery
        if self.drain.has_commands:  # an opening is under way, and this comes after it
            self.drain.command(Command(opens=False, how=how, timestamp_ns=time_ns()))
        if machinery is not None:
            machinery.gate.close(how)

    def await_signals(self) -> None:
        """Wait until the wishes of signals that came before are done: this one comes after them."""
        if self.drain.has_commands:
            self.drain.request(self.settings.flush_timeout)

    def open(
        self,
        how: str,
        selection: Selection | None = None,
        limits: Limits | None = None,
    ) -> Window:
        """Open a window from ordinary code; what happens after the return is captured."""
        self._finished = False
        return self.prepare().gate.open(how, selection, limits)

    def prepare(self) -> Machinery:
        """Make the core and all behind it, once."""
        with _fixtures.importing:
            if self._machinery is None:
                self._machinery = self._build()
                _fixtures.finish_at_exit(_finish_at_exit)
            return self._machinery

    def finish(self, how: str) -> None:
        """Close, ship what is captured within the flush timeout, and stop the drain."""
        self._finished = True
        if self._machinery is None and self.drain.running:
            self.drain.request(self.settings.flush_timeout)  # a signal's wish is under way
        machinery = self._machinery
        if machinery is None:
            return
        machinery.gate.close(how)
        if not self.drain.request(self.settings.flush_timeout, stop=True) and self._outlets:
            self._outlets.abort()

    @property
    def is_open(self) -> bool:
        """Whether audit events are captured now."""
        return self._machinery is not None and self._machinery.gate.is_open

    def read_window_settings(self, keywords: Mapping[str, Any]) -> tuple[Selection, Limits]:
        """Return the selection and the limits of one window: ``keywords`` over the settings.

        Raises:
            SettingsError: a setting is not allowed, or not for one window.
        """
        unknown = sorted(set(keywords) - set(WINDOW_SETTINGS))
        if unknown:
            message = (
                f"{', '.join(unknown)}: not a setting of one window. "
                f"Use: {', '.join(WINDOW_SETTINGS)}."
            )
            raise SettingsError(message)
        settings = override_settings(self.settings, keywords)
        return compile_settings(settings), build_limits(settings)

    def _has_work(self) -> bool:
        machinery = self._machinery
        return machinery is not None and (machinery.gate.is_open or machinery.core.pending() > 0)

    def describe(self) -> dict[str, Any]:
        """Return the state of this process for ``nogi_otel.status()``."""
        machinery, loaded = self._machinery, _fixtures.loaded
        bound = [signal_name(number) for number in self.signals.bound]
        status: dict[str, Any] = {
            "state": "armed",
            "pid": os.getpid(),
            "signals": bound,
            "core": loaded.core.name if loaded else None,
            "core_reason": loaded.reason if loaded else "no window was opened yet",
            "hook_installed": bool(machinery and machinery.core.installed),
            "drain_running": self.drain.running,
            "window": None,
            "pending": 0,
        }
        if machinery is None:
            return status
        status["pending"] = machinery.core.pending()
        if machinery.gate.is_open:
            status["state"] = "open"
        window = machinery.gate.window
        if window is not None:
            accounts = machinery.gate.account(window)
            status["window"] = {
                "id": window.window_id,
                "opened_by": window.opened_by,
                "closed_by": window.closed_by or None,
                "opened_ns": window.opened_ns,
                "closed_ns": window.closed_ns,
                "settled": window.settled,
                "hook_hears": window.gate.heard,
                "events": window.selection.events,
                "accounts": {**accounts._asdict(), "dropped": accounts.dropped},
            }
        return status

    def _build(self) -> Machinery:
        if self._refusal is not None or self.selection is None:
            raise self._refusal or NogiError
        from nogi_otel.gate import Gate, Wiring
        from nogi_otel.refinement import Refinement

        core = _fixtures.load_core(
            max(self.settings.buffer // BYTES_PER_EVENT, 1), _refine_for_span
        )
        wiring = Wiring(self.drain.wake, self._build_frame_reader())
        gate = Gate(core, self.selection, build_limits(self.settings), wiring, self.drain.tell)
        self._outlets = self._build_outlets()
        refinement = Refinement(compile_redactor(self.settings))
        return Machinery(core, gate, refinement, self._outlets, self.settings.cpu_budget / 100)

    def _build_outlets(self) -> ProcessOutlets:
        from nogi_otel.outlets import ProcessOutlets

        return ProcessOutlets(
            self.settings,
            lambda: _fixtures.importing,
            lambda: _fixtures.start_in_children(_start_in_child),
            self._handler,
        )

    def _build_frame_reader(self) -> Any:
        if self.settings.code == "none":
            return None
        from nogi_otel.capture.frames import build_frame_reader

        return build_frame_reader(str(Path(__file__).parent))

    def reset_in_child(self) -> None:
        """Begin anew after a fork: thread, sockets and captured events are the parent's."""
        machinery = self._machinery
        if machinery is None:
            self.drain.reset_in_child()
            return
        core = machinery.core
        core.exclude_threads(frozenset())
        core.clear()
        self._outlets = self._build_outlets()
        self._machinery = machinery._replace(outlets=self._outlets)
        self.drain.reset_in_child()
        machinery.gate.renew_in_child()
        if not _fixtures.starting_in_children:
            _start_in_child()  # the fork came before the first window was announced
        # A child of multiprocessing clears its finalizers after this, and then calls this.
        finalizers = sys.modules.get("multiprocessing.util")
        if finalizers is not None:
            finalizers.register_after_fork(_finish_at_exit, finish_with_child)


_agent: Agent | None = None
_fixtures = Fixtures()


def _refine_for_span(raw: RawEvent) -> AuditRecord | None:
    """Return the record of an event that a span carries, or None where it is left out."""
    machinery = _agent.machinery if _agent is not None else None
    closed_ns = raw.gate.closed_ns
    if machinery is None or (closed_ns is not None and raw.timestamp_ns > closed_ns):
        return None
    return machinery.refinement.refine(raw, raw.gate.owner)


def _reset_in_child() -> None:
    if _agent is not None:
        _agent.reset_in_child()


def _start_in_child() -> None:
    if _agent is not None and _agent.machinery is not None:
        _agent.machinery.gate.resume_in_child()


def _finish_at_exit() -> None:
    if _agent is not None:
        _agent.finish("exit")


def get_agent() -> Agent | None:
    """Return the agent of this process, or None where it is not armed."""
    return _agent


def arm(
    keywords: Mapping[str, Any] | None = None,
    handler: Callable[[str, str], object] | None = None,
) -> Agent:
    """Arm this process: once; a second call returns the agent that stands.

    Raises:
        SettingsError: a setting or a selection is not allowed. The signals are bound all the
            same, with their defaults: an unbound SIGUSR1 would kill the process.
    """
    global _agent  # noqa: PLW0603 - one agent a process
    if _agent is None:
        try:
            settings = load_settings(keywords)
            selection = compile_settings(settings)
            if settings.redact or settings.unredact:
                compile_redactor(settings)  # refuse a bad rule now
        except NogiError as error:
            _agent = Agent(rescue_signals(keywords), None, error)
            _agent.arm()
            raise
        _agent = Agent(settings, selection, handler=handler)
        _agent.arm()
    return _agent


def disarm() -> None:
    """Undo ``arm``, as far as CPython lets: an audit hook that was installed stays, shut."""
    global _agent  # noqa: PLW0603
    if _agent is not None:
        _agent.disarm()
        _agent = None


def require_agent() -> Agent:
    """Return the agent of this process, armed with the environment's settings where needed."""
    return _agent if _agent is not None else arm()
