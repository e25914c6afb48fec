"""The trace context of an event, and the notes on its span, read without a call into the SDK."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.capture.child import Bench

    from nogi_otel.capture import RawEvent

THREADS = 8


def raise_under(bench: Bench, span: Any) -> RawEvent:
    """Raise one event with ``span`` current; return what was captured."""
    token = context_api.attach(set_span_in_context(span))
    try:
        sys.audit(bench.event)
    finally:
        context_api.detach(token)
    (raw,) = bench.take()
    return raw


def ids(raw: RawEvent) -> tuple[int, int, int]:
    """Return what ties an event to its span."""
    return raw.trace_id, raw.span_id, int(raw.trace_flags)


def test_no_span_gives_no_ids(bench: Bench) -> None:
    """Without a current span the ids are 0, with a source and without one."""
    for source in (None, bench.find_spans()):
        bench.make(source=source)
        bench.open(note_limit=4)
        sys.audit(bench.event)
        (raw,) = bench.take()
        assert ids(raw) == (0, 0, 0)
        assert not raw.on_span
        bench.core.close()


def test_a_recording_span_gives_its_ids(bench: Bench) -> None:
    """An event under a recording span has its ids and flags, and is on it."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = TracerProvider().get_tracer("case").start_span("recording")
    context = span.get_span_context()
    raw = raise_under(bench, span)
    assert ids(raw) == (context.trace_id, context.span_id, int(context.trace_flags))
    assert raw.on_span
    notes = bench.core.take_notes(span)
    assert notes is not None
    assert [ids(note) for note in notes.events] == [ids(raw)]
    assert notes.left_out == 0
    assert bench.core.take_notes(span) is None


def test_a_span_that_is_not_sampled_gives_its_ids(bench: Bench) -> None:
    """A non-recording span, such as a remote parent, has ids and takes no notes."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = NonRecordingSpan(SpanContext(2**127, 2**63, True, TraceFlags(0)))
    raw = raise_under(bench, span)
    assert ids(raw) == (2**127, 2**63, 0)
    assert not raw.on_span
    assert bench.core.take_notes(span) is None


def test_an_ended_span_gives_its_ids_and_takes_no_note(bench: Bench) -> None:
    """A span that has ended but is still current keeps its ids; nothing is noted any more."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = TracerProvider().get_tracer("case").start_span("ended")
    span.end()
    raw = raise_under(bench, span)
    assert raw.span_id == span.get_span_context().span_id
    assert not raw.on_span
    assert bench.core.take_notes(span) is None


def test_a_subclass_of_the_span_gives_its_ids(bench: Bench) -> None:
    """A subclass of the SDK's span that keeps its state where the SDK does is a recording span."""

    class Subclass(Span):
        def __new__(cls, *_: Any) -> Self:
            return object.__new__(cls)

        def __init__(self, context: SpanContext) -> None:
            self._context = context
            self._end_time = None
            self._span_processor = SpanProcessor()

    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = Subclass(SpanContext(7, 8, False, TraceFlags(1)))
    raw = raise_under(bench, span)
    assert ids(raw) == (7, 8, 1)
    assert raw.on_span


def test_hostile_spans_are_not_called(bench: Bench) -> None:
    """A current span of any foreign kind runs nothing of its own and breaks no event."""
    called: list[str] = []

    def record(name: str) -> Any:
        called.append(name)
        return None

    class WithoutState(Span):
        def __new__(cls) -> Self:
            return object.__new__(cls)

        def __init__(self) -> None:
            pass

    class WithProperties(WithoutState):
        _context = property(lambda _: record("_context"))
        _end_time = property(lambda _: record("_end_time"))

    class WithGetattribute(WithoutState):
        def __getattribute__(self, name: str) -> Any:
            called.append(name)
            return object.__getattribute__(self, name)

    class Foreign:
        def __getattribute__(self, name: str) -> NoReturn:
            called.append(name)
            raise RuntimeError(name)

        def __bool__(self) -> NoReturn:
            called.append("bool")
            raise RuntimeError

    class WrongContext(WithoutState):
        def __init__(self) -> None:
            self.__dict__.update(_context=(1, 2, False, 1), _end_time=None)

    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    for kind in (WithoutState, WithProperties, WithGetattribute, Foreign, WrongContext):
        span: Any = kind()
        token = context_api.attach(set_span_in_context(span))
        called.clear()
        sys.audit(bench.event)
        assert called == [], (kind, called)
        context_api.detach(token)
        (raw,) = bench.take()
        assert ids(raw) == (0, 0, 0), (kind, raw)
        assert not raw.on_span


def test_hostile_contexts_are_not_called(bench: Bench) -> None:
    """A current context that is not OpenTelemetry's own runs nothing of its own."""
    called: list[str] = []

    class Foreign(dict):  # type: ignore[type-arg]
        def __bool__(self) -> bool:
            called.append("bool")
            return True

        def __len__(self) -> int:
            called.append("len")
            return 1

        def __contains__(self, _: object) -> bool:
            called.append("contains")
            return False

        def get(self, *_: Any) -> NoReturn:
            called.append("get")
            raise RuntimeError

        __getitem__ = get

    class Value:
        def __bool__(self) -> bool:
            called.append("value")
            return False

    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    foreign: Any = Foreign({"current-span": 1})
    for context in (foreign, context_api.set_value("suppress_instrumentation", Value())):
        token = context_api.attach(context)
        called.clear()
        sys.audit(bench.event)
        assert called == [], called
        context_api.detach(token)


def test_suppressed_contexts_are_not_captured(bench: Bench) -> None:
    """Under either suppression key of OpenTelemetry nothing is captured: it is own traffic."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = TracerProvider().get_tracer("case").start_span("exporting")
    keys = (context_api._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")
    for key in keys:
        for value, expected in ((True, 0), (False, 1)):
            context = context_api.set_value(key, value, set_span_in_context(span))
            token = context_api.attach(context)
            sys.audit(bench.event)
            context_api.detach(token)
            assert len(bench.take()) == expected, (key, value)
    notes = bench.core.take_notes(span)
    assert notes is not None
    assert len(notes.events) == 2


def test_notes_keep_to_their_limit_exactly(bench: Bench) -> None:
    """With a limit of 3, a span keeps its first 3 events and the number of all others."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=3)
    tracer = TracerProvider().get_tracer("case")
    for raised in (0, 1, 3, 4, 100):
        with tracer.start_as_current_span("budget") as span:
            for number in range(raised):
                sys.audit(bench.event, number)
            notes = bench.core.take_notes(span)
            if raised == 0:
                assert notes is None
                continue
            assert notes is not None
            kept = [note.arguments for note in notes.events]
            assert kept == [(number,) for number in range(min(raised, 3))]
            assert notes.left_out == max(raised - 3, 0)
    captured = bench.take()
    assert len(captured) == 108
    assert all(raw.on_span for raw in captured)


def test_notes_of_eight_threads_on_one_span_are_exact(bench: Bench) -> None:
    """Kept and left out sum up to what was raised, though eight threads share the span."""
    bench.make(capacity=10, source=bench.find_spans())
    gate = bench.open(note_limit=64)
    span = TracerProvider().get_tracer("case").start_span("shared")
    rounds = 2000

    def flood() -> None:
        token = context_api.attach(set_span_in_context(span))
        for _ in range(rounds):
            sys.audit(bench.event)
        context_api.detach(token)

    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=flood) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = bench.core.take_notes(span)
    assert notes is not None
    assert len(notes.events) + notes.left_out == THREADS * rounds, notes.left_out
    # Threads that meet at the last place may each take one; the span's end cuts to the budget.
    assert 64 <= len(notes.events) < 64 + THREADS
    assert gate.ring_full.value + len(bench.take()) == THREADS * rounds


def test_a_full_ring_still_takes_notes(bench: Bench) -> None:
    """An event that the ring has no place for is on its span all the same."""
    bench.make(capacity=1, source=bench.find_spans())
    gate = bench.open(note_limit=64)
    with TracerProvider().get_tracer("case").start_as_current_span("full") as span:
        for number in range(5):
            sys.audit(bench.event, number)
        notes = bench.core.take_notes(span)
    assert notes is not None
    assert [note.arguments for note in notes.events] == [(number,) for number in range(5)]
    assert gate.ring_full.value == 4
    assert len(bench.take()) == 1


def test_no_budget_takes_no_notes(bench: Bench) -> None:
    """With a limit of 0 nothing is noted, and no event claims to be on its span."""
    bench.make(source=bench.find_spans())
    bench.open(note_limit=0)
    with TracerProvider().get_tracer("case").start_as_current_span("none") as span:
        sys.audit(bench.event)
        assert bench.core.take_notes(span) is None
    assert [raw.on_span for raw in bench.take()] == [False]


def test_every_flow_of_control_keeps_its_span(bench: Bench) -> None:
    """Tasks of asyncio and ``to_thread`` keep their span; a bare thread has none."""
    import asyncio

    bench.make(source=bench.find_spans())
    bench.open(note_limit=64)
    tracer = TracerProvider().get_tracer("case")
    expected: dict[str, int] = {}

    def raise_event(label: str) -> None:
        expected[label] = trace.get_current_span().get_span_context().span_id
        sys.audit(bench.event, label)

    async def serve(label: str) -> None:
        with tracer.start_as_current_span(label):
            raise_event(f"{label} task")
            await asyncio.sleep(0)
            await asyncio.to_thread(raise_event, f"{label} to_thread")
            raise_event(f"{label} again")

    async def main() -> None:
        await asyncio.gather(*(serve(f"request {number}") for number in range(10)))

    asyncio.run(main())
    with tracer.start_as_current_span("outer"):
        thread = threading.Thread(target=raise_event, args=("bare thread",))
        thread.start()
        thread.join()
    found = {str(raw.arguments[0]): raw.span_id for raw in bench.take()}
    assert found == expected
    assert found["bare thread"] == 0
    assert len(set(found.values())) == 11


def test_a_span_dies_with_its_notes(bench: Bench) -> None:
    """Neither the notes nor the ring keep a span alive."""
    import weakref

    bench.make(source=bench.find_spans())
    bench.open(note_limit=4)
    span = TracerProvider().get_tracer("case").start_span("mortal")
    token = context_api.attach(set_span_in_context(span))
    sys.audit(bench.event, span)
    context_api.detach(token)
    died: Callable[[], object] = weakref.ref(span)
    del span, token
    assert died() is None
    assert bench.core.pending() == 1
