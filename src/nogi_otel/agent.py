"""The composition root: wires the house together, once for each process.

Arming is light: two signal handlers and nothing else. The core, the drain and the ways out are
made when the first window is asked for, by the drain itself where a signal asks, because a signal
handler must not import, lock or log.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from nogi_otel.drain import Command, Drain, Machinery
from nogi_otel.errors import NogiError, SettingsError
from nogi_otel.settings import Settings, load_settings, override_settings, signal_name
from nogi_otel.signals import SignalBinding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.capture import CaptureCore, LoadedCore, RawEvent
    from nogi_otel.gate import Limits, Window
    from nogi_otel.outlets import ProcessOutlets
    from nogi_otel.record import AuditRecord
    from nogi_otel.selection import Selection

logger = logging.getLogger("nogi_otel")

BYTES_PER_EVENT = 1024
"""What the Python core counts for one event of the ring's size."""
STACK_FRAMES = 16
_FRAME_LIMITS = {"none": 0, "location": 1, "stack": STACK_FRAMES}


WINDOW_SETTINGS = (
    "events",
    "excluded_events",
    "where",
    "max_duration",
    "max_events",
    "rate_limit",
)
"""The settings that may differ from window to window."""


def compile_settings(settings: Settings) -> Selection:
    """Return the selection that the settings describe.

    Raises:
        SelectionError: a term or the condition cannot be read.
    """
    from nogi_otel.selection import compile_selection  # noqa: PLC0415 - not needed to import

    return compile_selection(settings.events, settings.excluded_events, settings.where or None)


def build_limits(settings: Settings) -> Limits:
    """Return the limits that the settings describe."""
    from nogi_otel.gate import Limits  # noqa: PLC0415 - not needed to arm

    return Limits(
        duration_ns=int(settings.max_duration * 1e9),
        events=settings.max_events,
        rate=settings.rate_limit,
        span_events=settings.span_event_limit if "span_events" in settings.emit else 0,
        frames=_FRAME_LIMITS[settings.code],
    )


class Fixtures:
    """What stays in a process for good once it is there: CPython removes no audit hook, an
    OpenTelemetry provider no processor, and ``os.register_at_fork`` no callback.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.loaded: LoadedCore | None = None
        self.span_processor: Any = None
        self.span_providers: list[Any] = []
        self.hooked_process = False

    def load_core(self, capacity: int) -> CaptureCore:
        """Return the core of this process, made when it is first asked for."""
        if self.loaded is None:
            from nogi_otel.capture import load_core  # noqa: PLC0415 - not needed to arm
            from nogi_otel.carriers.context import find_span_source  # noqa: PLC0415

            self.loaded = load_core(capacity, find_span_source())
        return self.loaded.core

    def attach_spans(self, core: CaptureCore) -> bool:
        """Have the application's spans carry events; return whether they can.

        An application may set its provider after it was armed, so this is asked at each opening.
        """
        from opentelemetry.trace import get_tracer_provider  # noqa: PLC0415

        provider: Any = get_tracer_provider()
        if not hasattr(provider, "add_span_processor"):
            return False
        if not any(one is provider for one in self.span_providers):
            from nogi_otel.carriers.span_events import SpanEventProcessor  # noqa: PLC0415

            if self.span_processor is None:
                self.span_processor = SpanEventProcessor(core, _refine_for_span)
            provider.add_span_processor(self.span_processor)
            self.span_providers.append(provider)
        return True

    def hook_process(self) -> None:
        """Follow forks, and the end of the process."""
        if not self.hooked_process:
            self.hooked_process = True
            os.register_at_fork(after_in_child=_reset_in_child)
            atexit.register(_finish_at_exit)


class Agent:
    """An armed process."""

    def __init__(
        self,
        settings: Settings,
        selection: Selection | None,
        refusal: NogiError | None = None,
    ) -> None:
        """Bind nothing yet.

        With a ``refusal`` the signals are bound all the same, because an unbound SIGUSR1 kills;
        but every attempt to open says what is wrong with the settings.
        """
        self._refusal = refusal
        self.settings = settings
        self.selection = selection
        self.drain = Drain(self.prepare)
        self.signals = SignalBinding()
        self._machinery: Machinery | None = None
        self._outlets: ProcessOutlets | None = None
        # Never taken by a signal handler.
        self._prepare_lock = threading.Lock()
        self._finished = False

    def arm(self) -> None:
        """Bind the signals; open at once where the settings say so."""
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
        self.signals.release()
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
        if machinery is not None:
            machinery.gate.open(how)
        else:
            self.drain.tell(Command(opens=True, how=how))

    def close_from_signal(self, how: str) -> None:
        """Close the window from a signal handler."""
        machinery = self._machinery
        if machinery is not None:
            machinery.gate.close(how)
        elif self.drain.running:
            self.drain.tell(Command(opens=False, how=how))

    def open(
        self,
        how: str,
        selection: Selection | None = None,
        limits: Limits | None = None,
    ) -> Window:
        """Open a window from ordinary code; what happens after the return is captured."""
        self._finished = False
        return self.prepare().gate.open(how, selection, limits)

    def close(self, how: str) -> Window | None:
        """Close the window from ordinary code."""
        machinery = self._machinery
        return machinery.gate.close(how) if machinery is not None else None

    def prepare(self) -> Machinery:
        """Make the core and all behind it, once."""
        with self._prepare_lock:
            if self._machinery is None:
                self._machinery = self._build()
                if "span_events" in self.settings.emit:
                    _fixtures.attach_spans(self._machinery.core)
                _fixtures.hook_process()
            return self._machinery

    def finish(self, how: str) -> None:
        """Close, ship what is captured within the flush timeout, and stop the drain."""
        self._finished = True
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
            pending = status["pending"] if window.closed_ns is None else 0
            accounts = window.account(pending)
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
        from nogi_otel.gate import Gate, Wiring  # noqa: PLC0415 - not needed to arm
        from nogi_otel.outlets import ProcessOutlets  # noqa: PLC0415
        from nogi_otel.redaction import build_redactor  # noqa: PLC0415
        from nogi_otel.refinement import Refinement  # noqa: PLC0415

        core = _fixtures.load_core(max(self.settings.buffer // BYTES_PER_EVENT, 1))
        wiring = Wiring(self.drain.wake, self._build_frame_reader())
        gate = Gate(core, self.selection, build_limits(self.settings), wiring, self.drain.tell)
        self._outlets = ProcessOutlets(self.settings, lambda: _fixtures.attach_spans(core))
        return Machinery(core, gate, Refinement(build_redactor((), ())), self._outlets)

    def _build_frame_reader(self) -> Any:
        if self.settings.code == "none":
            return None
        from nogi_otel.capture.frames import build_frame_reader  # noqa: PLC0415 - loads ctypes

        return build_frame_reader(os.path.dirname(os.path.abspath(__file__)))

    def reset_in_child(self) -> None:
        """Begin anew after a fork: the parent's thread, sockets and captured events stay its own."""
        self._prepare_lock = threading.Lock()
        machinery = self._machinery
        if machinery is None:
            self.drain.reset_in_child(None)
            return
        from nogi_otel.outlets import ProcessOutlets  # noqa: PLC0415 - loaded already

        core = machinery.core
        core.exclude_threads(frozenset())
        core.clear()
        self._outlets = ProcessOutlets(self.settings, lambda: _fixtures.attach_spans(core))
        self._machinery = machinery._replace(outlets=self._outlets)
        self.drain.reset_in_child(machinery.gate.reopen_in_child())
        # A child of multiprocessing leaves by os._exit and runs no atexit (before 3.13), but its
        # finalizers, which it clears after this and before it registers its own.
        finalizers = sys.modules.get("multiprocessing.util")
        if finalizers is not None:
            finalizers.register_after_fork(self, _finish_at_child_exit)


_agent: Agent | None = None
_fixtures = Fixtures()


def _refine_for_span(raw: RawEvent) -> AuditRecord | None:
    """Return the record of an event that a span carries, or None where it is left out."""
    machinery = _agent.machinery if _agent is not None else None
    closed_ns = raw.gate.closed_ns
    if machinery is None or (closed_ns is not None and raw.timestamp_ns > closed_ns):
        return None
    window: Window = raw.gate.owner
    return machinery.refinement.refine(raw, window)


def _reset_in_child() -> None:
    if _agent is not None:
        _agent.reset_in_child()


def _finish_at_exit() -> None:
    if _agent is not None:
        _agent.finish("exit")


def _finish_at_child_exit(agent: Agent) -> None:
    from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already

    Finalize(None, agent.finish, args=("exit",), exitpriority=0)


def get_agent() -> Agent | None:
    """Return the agent of this process, or None where it is not armed."""
    return _agent


def arm(keywords: Mapping[str, Any] | None = None) -> Agent:
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
        except NogiError as error:
            _agent = Agent(Settings(), None, error)
            _agent.arm()
            raise
        _agent = Agent(settings, selection)
        _agent.arm()
    return _agent


def disarm(self) -> None:
        """Close the window, ship what is captured, give the signals back."""
        self.signals.release()
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
        if machinery is not None:
            machinery.gate.open(how)
        else:
            self.drain.tell(Command(opens=True, how=how))

    def close_from_signal(self, how: str) -> None:
        """Close the window from a signal handler."""
        machinery = self._machinery
        if machinery is not None:
            machinery.gate.close(how)
        elif self.drain.running:
            self.drain.tell(Command(opens=False, how=how))

    def open(
        self,
        how: str,
        selection: Selection | None = None,
        limits: Limits | None = None,
    ) -> Window:
        """Open a window from ordinary code; what happens after the return is captured."""
        self._finished = False
        return self.prepare().gate.open(how, selection, limits)

    def close(self, how: str) -> Window | None:
        """Close the window from ordinary code."""
        machinery = self._machinery
        return machinery.gate.close(how) if machinery is not None else None

    def prepare(self) -> Machinery:
        """Make the core and all behind it, once."""
        with self._prepare_lock:
            if self._machinery is None:
                self._machinery = self._build()
                if "span_events" in self.settings.emit:
                    _fixtures.attach_spans(self._machinery.core)
                _fixtures.hook_process()
            return self._machinery

    def finish(self, how: str) -> None:
        """Close, ship what is captured within the flush timeout, and stop the drain."""
        self._finished = True
        machinery = self._machinery
        if machinery is None:
            return
        machinery.gate.close(how)
        if not self.drain.request(self.settings.flush_timeout, stop=True) and self._outlets:
            self._outlets.abort()

    def build_limits(self, overrides: Mapping[str, Any] | None = None) -> Limits:
        """Return the limits of the settings, with those of one window over them."""
        from nogi_otel.gate import Limits  # noqa: PLC0415 - not needed to arm

        settings = self.settings
        values = {
            "max_duration": settings.max_duration,
            "max_events": settings.max_events,
            "rate_limit": settings.rate_limit,
            **(overrides or {}),
        }
        return Limits(
            duration_ns=int(values["max_duration"] * 1e9),
            events=values["max_events"],
            rate=values["rate_limit"],
            span_events=settings.span_event_limit if "span_events" in settings.emit else 0,
            frames=_FRAME_LIMITS[settings.code],
        )

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
            pending = status["pending"] if window.closed_ns is None else 0
            accounts = window.account(pending)
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
        from nogi_otel.gate import Gate, Wiring  # noqa: PLC0415 - not needed to arm
        from nogi_otel.outlets import ProcessOutlets  # noqa: PLC0415
        from nogi_otel.redaction import build_redactor  # noqa: PLC0415
        from nogi_otel.refinement import Refinement  # noqa: PLC0415

        core = _fixtures.load_core(max(self.settings.buffer // BYTES_PER_EVENT, 1))
        wiring = Wiring(self.drain.wake, self._build_frame_reader())
        gate = Gate(core, self.selection, build_limits(self.settings), wiring, self.drain.tell)
        self._outlets = ProcessOutlets(self.settings, lambda: _fixtures.attach_spans(core))
        return Machinery(core, gate, Refinement(build_redactor((), ())), self._outlets)

    def _build_frame_reader(self) -> Any:
        if self.settings.code == "none":
            return None
        from nogi_otel.capture.frames import build_frame_reader  # noqa: PLC0415 - loads ctypes

        return build_frame_reader(os.path.dirname(os.path.abspath(__file__)))

    def reset_in_child(self) -> None:
        """Begin anew after a fork: the parent's thread, sockets and captured events stay its own."""
        self._prepare_lock = threading.Lock()
        machinery = self._machinery
        if machinery is None:
            self.drain.reset_in_child(None)
            return
        from nogi_otel.outlets import ProcessOutlets  # noqa: PLC0415 - loaded already

        core = machinery.core
        core.exclude_threads(frozenset())
        core.clear()
        self._outlets = ProcessOutlets(self.settings, lambda: _fixtures.attach_spans(core))
        self._machinery = machinery._replace(outlets=self._outlets)
        self.drain.reset_in_child(machinery.gate.reopen_in_child())
        # A child of multiprocessing leaves by os._exit and runs no atexit (before 3.13), but its
        # finalizers, which it clears after this and before it registers its own.
        finalizers = sys.modules.get("multiprocessing.util")
        if finalizers is not None:
            finalizers.register_after_fork(self, _finish_at_child_exit)


_agent: Agent | None = None
_fixtures = Fixtures()


def _refine_for_span(raw: RawEvent) -> AuditRecord | None:
    """Return the record of an event that a span carries, or None where it is left out."""
    machinery = _agent.machinery if _agent is not None else None
    closed_ns = raw.gate.closed_ns
    if machinery is None or (closed_ns is not None and raw.timestamp_ns > closed_ns):
        return None
    window: Window = raw.gate.owner
    return machinery.refinement.refine(raw, window)


def _reset_in_child() -> None:
    if _agent is not None:
        _agent.reset_in_child()


def _finish_at_exit() -> None:
    if _agent is not None:
        _agent.finish("exit")


def _finish_at_child_exit(agent: Agent) -> None:
    from multiprocessing.util import Finalize  # noqa: PLC0415 - loaded already

    Finalize(None, agent.finish, args=("exit",), exitpriority=0)


def get_agent() -> Agent | None:
    """Return the agent of this process, or None where it is not armed."""
    return _agent


def arm(keywords: Mapping[str, Any] | None = None) -> Agent:
    """Arm this process: once; a second call returns the agent that stands.

    Raises:
        SettingsError: a setting or a selection is not allowed.
    """
    global _agent  # noqa: PLW0603 - one agent a process
    if _agent is None:
        from nogi_otel.selection import compile_selection  # noqa: PLC0415

        settings = load_settings(keywords)
        selection = compile_selection(
            settings.events, settings.excluded_events, settings.where or None
        )
        _agent = Agent(settings, selection)
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
