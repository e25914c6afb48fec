"""The capture core: what sits in the audit hook, and the contract that every core keeps.

Nothing in this package imports anything but the standard library, and nothing it runs inside the
hook calls the OpenTelemetry SDK, ``logging``, user code or a lock. ``load_core`` chooses a core
and says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar

    from nogi_otel.capture.gate_state import OpenGate
    from nogi_otel.capture.values import CodeRef, Value

PING_EVENT = "nogi_otel.ping"
"""The event that proves that the hook hears: another hook can veto an installation silently."""


class RawEvent(NamedTuple):
    """One captured audit event as it leaves the ring: plain values only, nothing decoded yet."""

    timestamp_ns: int
    event: str
    arguments: tuple[Value, ...]
    thread_id: int
    thread_name: str
    trace_id: int
    """0 where no span was current."""
    span_id: int
    trace_flags: int
    on_span: bool
    """The event was noted on its recording span, or counted there as left out."""
    frames: tuple[CodeRef, ...]
    """Innermost first; empty unless the settings ask for code locations."""
    gate: OpenGate
    """The opening under which it was captured, with its counters, its end and its owner."""


class SpanNotes(NamedTuple):
    """What the hook noted for one span."""

    events: tuple[RawEvent, ...]
    left_out: int
    """How many more there were than the budget allows."""


class SpanSource(NamedTuple):
    """Where the hook finds the current span, so that it needs no OpenTelemetry import.

    OpenTelemetry keeps one ``contextvars.ContextVar`` whose value is a ``dict`` subclass; the
    current span stands in it under a key (``opentelemetry/trace/propagation/__init__.py``).
    """

    context_var: ContextVar[dict[str, object]]
    context_type: type
    span_key: str
    suppress_keys: tuple[str, str]
    """Either one, when true, marks the SDK's own traffic."""
    recording_type: type
    """Spans of exactly this type, or of a subclass of ``recording_base``."""
    recording_base: type
    passive_type: type
    """The non-recording span: its ``_context`` is read, nothing is noted on it."""
    span_context_type: type
    has_recording_spans: bool
    """Whether the SDK is there, whose spans carry events."""


class CaptureCore(Protocol):
    """What the rest of the house needs of a core. Every method may be called from any thread."""

    name: str

    def install(self) -> None:
        """Add the audit hook, once in the life of a process; later calls do nothing."""

    @property
    def installed(self) -> bool:
        """Whether ``install`` has run in this process or, before a fork, in its parent."""

    def open(self, gate: OpenGate) -> None:
        """Capture what ``gate`` selects from now on. One store; safe in a signal handler."""

    def close(self) -> OpenGate | None:
        """Stop capturing; return what was open. One store; safe in a signal handler."""

    @property
    def gate(self) -> OpenGate | None:
        """What is open now."""

    def take(self, limit: int) -> list[RawEvent]:
        """Remove and return up to ``limit`` captured events, oldest first."""

    def take_notes(self, span: object) -> SpanNotes | None:
        """Remove and return what was noted for ``span``; None where nothing was."""

    def carry_notes(self, carry: Callable[[Any], object]) -> None:
        """Note events on spans from now on.

        When the first event of a span is noted, its processor is replaced by ``carry(processor)``,
        which is told when the span ends, and takes the notes. So spans of every provider carry
        their events, whenever it was configured, and none pays for it that has no event.
        """

    def pending(self, gate: OpenGate | None = None) -> int:
        """How many captured events wait in the ring: all, or those of one opening."""

    def exclude_threads(self, thread_ids: frozenset[int]) -> None:
        """Never record what these threads do: they carry this package's own traffic."""

    def clear(self) -> None:
        """Empty the ring, in a fork's child: what it holds is its parent's."""


class LoadedCore(NamedTuple):
    """The core in use, and why that one."""

    core: CaptureCore
    reason: str


def load_core(capacity: int, source: SpanSource | None) -> LoadedCore:
    """Return the capture core to use, its ring for ``capacity`` events, and why that core."""
    from nogi_otel.capture._python import PythonCore

    return LoadedCore(PythonCore(capacity, source), "the only core in this version")
