"""The reference core: the same contract as the native one, in Python. It is the specification.

What may run inside ``hook`` is bounded by the rules of the design: no OpenTelemetry SDK call, no
lock, no logging, no import, no user code, no reference kept. A re-entry guard is not needed:
nothing here raises an audit event, and a garbage collection or a signal handler that runs in the
middle of the hook and raises one simply nests, since the hook holds nothing.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from itertools import count
from time import time_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.capture import RawEvent, SpanNotes
from nogi_otel.capture.gate_state import MAX_NAME_LENGTH
from nogi_otel.capture.snapshot import copy_arguments, has_base

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture import SpanSource
    from nogi_otel.capture.gate_state import OpenGate

NOTES_KEY = "_nogi_otel_notes"
"""Where a span carries what the hook noted on it: in its own ``__dict__``, so that the notes live
as long as the span does and no table can leak."""
PROCESSOR_KEY = "_span_processor"
"""Where a span of the SDK keeps what it is handed to when it ends (``sdk/trace/__init__.py``)."""


class PythonCore:
    """A capture core on a bounded ``deque``."""

    name = "python"

    def __init__(self, capacity: int, source: SpanSource | None) -> None:
        """Prepare a core whose ring holds ``capacity`` events; nothing is installed yet."""
        self._gate: OpenGate | None = None
        self._ring: deque[tuple[Any, ...]] = deque()
        self._capacity = capacity
        self._source = source
        self._own_threads: frozenset[int] = frozenset()
        self._install_once = threading.Lock()
        self._carry: Callable[[Any], object] | None = None

    @property
    def installed(self) -> bool:
        """Whether the hook has been added."""
        return self._install_once.locked()

    def install(self) -> None:
        """Add the audit hook, once; ``sys.addaudithook`` has no counterpart that removes it."""
        if self._install_once.acquire(blocking=False):
            sys.addaudithook(self._build_hook())

    @property
    def gate(self) -> OpenGate | None:
        """What is open now."""
        return self._gate

    def open(self, gate: OpenGate) -> None:
        """Capture what ``gate`` selects from now on."""
        self._gate = gate

    def close(self) -> OpenGate | None:
        """Stop capturing; return what was open.

        The end is stamped after the gate is shut, and what a thread that was already inside the
        hook stamps later than that is left out by the drain.
        """
        gate, self._gate = self._gate, None
        if gate is not None and gate.closed_ns is None:
            gate.closed_ns = time_ns()
        return gate

    def _end(self, gate: OpenGate, closed_ns: int, limit: str) -> None:
        """Shut a gate whose limit is reached; the drain, which may be busy, is told."""
        if self._gate is gate:
            self._gate = None
        if gate.closed_ns is None:
            gate.closed_ns = closed_ns
            gate.ended_by = limit
        gate.wake()

    def take(self, limit: int) -> list[RawEvent]:
        """Remove and return up to ``limit`` captured events, oldest first."""
        taken: list[RawEvent] = []
        pop = self._ring.popleft
        for _ in range(min(limit, len(self._ring))):
            taken.append(RawEvent._make(pop()))  # noqa: PERF401 - a ring, popped while it grows
        return taken

    def take_notes(self, span: object) -> SpanNotes | None:
        """Remove and return what was noted for ``span``."""
        notes = object.__getattribute__(span, "__dict__").pop(NOTES_KEY, None)
        if notes is None:
            return None
        entries, left_out = notes
        return SpanNotes(tuple(RawEvent._make(entry) for entry in entries), next(left_out))

    def carry_notes(self, carry: Callable[[Any], object]) -> None:
        """Note events on spans from now on; ``carry`` stands in for the processor of a span."""
        self._carry = carry

    def pending(self, gate: OpenGate | None = None) -> int:
        """Return how many captured events wait in the ring: all, or those of one opening."""
        if gate is None:
            return len(self._ring)
        # One C call copies the ring: no other thread can change it half-way.
        return sum(entry[-1] is gate for entry in list(self._ring))

    def exclude_threads(self, thread_ids: frozenset[int]) -> None:
        """Never record what these threads do."""
        self._own_threads = thread_ids

    def clear(self) -> None:
        """Empty the ring."""
        self._ring.clear()

    def _build_hook(self) -> Callable[[str, tuple[Any, ...]], None]:
        """Return the hook with everything it needs bound: module globals die before it does."""
        core = self
        ring = self._ring
        append = ring.append
        capacity = self._capacity
        common_capacity = capacity - capacity // 8  # the rest is kept for rare names
        half_full = max(capacity // 2, 1)
        get_ident = threading.get_ident
        get_thread = threading._active.get  # type: ignore[attr-defined]  # noqa: SLF001
        now_ns = time_ns
        copy = copy_arguments
        get_attribute = object.__getattribute__
        plain_thread = threading.Thread
        main_thread = type(threading.main_thread())
        find_span = build_span_finder(self._source)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:  # noqa: PLR0912 - flat is fast
            gate = core._gate
            if gate is None:
                return
            try:
                selected = gate.decisions.get(event, 0)
                if selected is None:
                    gate.heard = True
                    return
                thread_id = get_ident()
                if thread_id in core._own_threads:
                    return
                if selected is not True and (selected is False or not gate.decide(event)):
                    gate.filtered.add()
                    return
                timestamp_ns = now_ns()
                if timestamp_ns > gate.deadline_ns:
                    core._end(gate, gate.deadline_ns, "max_duration")
                    return
                span, trace_id, span_id, flags = find_span()
                if trace_id is None:  # the SDK suppresses instrumentation here: own traffic
                    return
                if gate.limited and gate.exceeds_rate(event, timestamp_ns):
                    return
                waiting = len(ring)
                full = waiting >= common_capacity and (
                    waiting >= capacity or not gate.is_rare(event, timestamp_ns)
                )
                noted = span is not None and gate.note_limit > 0 and core._carry is not None
                if full:
                    gate.ring_full.add()
                    if not noted:
                        return
                thread = get_thread(thread_id)
                kind = type(thread)
                if kind is plain_thread or kind is main_thread:
                    thread_name = thread._name  # noqa: SLF001
                else:  # of a subclass, nothing but its __dict__ is asked
                    thread_name = (
                        "" if thread is None else get_attribute(thread, "__dict__").get("_name", "")
                    )
                entry = (
                    timestamp_ns,
                    event if len(event) <= MAX_NAME_LENGTH else event[:MAX_NAME_LENGTH],
                    copy(arguments),
                    thread_id,
                    thread_name,
                    trace_id,
                    span_id,
                    flags,
                    noted,
                    gate.read_frames(gate.frame_limit)
                    if gate.frame_limit and gate.read_frames is not None
                    else (),
                    gate,
                )
                if noted:
                    note(span, entry, gate.note_limit, core._carry)
                if full:
                    return
                append(entry)
                if gate.event_limit and gate.captured.add() + 1 >= gate.event_limit:
                    core._end(gate, now_ns(), "max_events")
                if waiting == half_full:
                    gate.wake()
            except (MemoryError, RecursionError):
                # Only the interpreter raises these two. Anything else that surfaces here was
                # raised by a signal handler of the application, and belongs to it.
                for _ in gate.failed.steps:
                    break

        return hook


def note(
    attributes: dict[str, Any],
    entry: tuple[Any, ...],
    limit: int,
    carry: Callable[[Any], object] | None,
) -> None:
    """Keep an entry in a span's ``__dict__`` until the span ends, or count it as left out.

    ``dict.setdefault`` is one C call: two threads that work on one span meet in one list. Should
    both replace the span's processor, the notes are taken by whichever is told first.
    """
    notes = attributes.get(NOTES_KEY)
    if notes is None:
        notes = attributes.setdefault(NOTES_KEY, ([], count()))
        processor = attributes.get(PROCESSOR_KEY)
        if processor is not None and carry is not None:
            attributes[PROCESSOR_KEY] = carry(processor)
    entries, left_out = notes
    if len(entries) < limit:
        entries.append(entry)
    else:
        next(left_out)


def build_span_finder(
    source: SpanSource | None,
) -> Callable[[], tuple[Any, int | None, int, int]]:
    """Return the function that finds the current span without a call into OpenTelemetry.

    It returns the span's ``__dict__`` where it is recording (else None), the trace id (0: no span;
    None: the SDK suppresses instrumentation in this context), the span id and the trace flags.
    """
    nothing = (None, 0, 0, 0)
    if source is None:
        return lambda: nothing
    get_context = source.context_var.get
    context_type = source.context_type
    span_key = source.span_key
    key, plain_key = source.suppress_keys
    recording_type = source.recording_type
    recording_base = source.recording_base
    passive_type = source.passive_type
    span_context_type = source.span_context_type
    get_attribute = object.__getattribute__
    suppressed = (None, None, 0, 0)

    def find_span() -> tuple[Any, int | None, int, int]:
        context = get_context()
        if type(context) is not context_type or not context:
            return nothing
        # Compared by identity: the value may be any object of an application's.
        if key in context and context[key] is True:
            return suppressed
        if plain_key in context and context[plain_key] is True:
            return suppressed
        span: Any = context.get(span_key)
        kind = type(span)
        if kind is recording_type:
            attributes = span.__dict__
        elif kind is passive_type or has_base(kind, recording_base):
            attributes = get_attribute(span, "__dict__")
        else:
            return nothing
        span_context = attributes.get("_context")
        if type(span_context) is not span_context_type:
            return nothing
        ids: Any = span_context
        recording = (
            kind is not passive_type
            and attributes.get("_end_time", 0) is None
            and PROCESSOR_KEY in attributes
        )
        return (attributes if recording else None, ids[0], ids[1], ids[3])

    return find_span
