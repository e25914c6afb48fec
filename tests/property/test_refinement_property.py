"""From any captured event to its record: always one, within every limit, and it can be encoded."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from nogi_otel import catalogue
from nogi_otel.capture import RawEvent
from nogi_otel.capture.gate_state import OpenGate
from nogi_otel.capture.snapshot import MAX_ARGUMENTS, copy_arguments
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.carriers.attributes import MAX_VALUE_BYTES, build_attributes
from nogi_otel.carriers.logs import LogRecords
from nogi_otel.record import render_arguments
from nogi_otel.redaction import build_redactor
from nogi_otel.refinement import Refinement
from nogi_otel.selection import Selection, compile_selection

SCOPE = InstrumentationScope("test")
RESOURCE = Resource.get_empty()
GATE = OpenGate(None, bool, lambda: None)
REFINEMENT = Refinement(build_redactor())
MAX_BODY_CHARACTERS = 512


class Window:
    """What a refinement needs of a window."""

    def __init__(self, condition: str | None = None) -> None:
        self.window_id = "w1"
        self.selection: Selection = compile_selection("*", "", condition)


EVERYTHING = Window()
CONDITIONED = Window('file.path =~ "/etc/*" or thread.id > 5 or body != ""')

TEXT = st.text(st.characters(codec=None), max_size=60)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(),
    TEXT,
    st.text(min_size=900, max_size=1024),
    st.binary(max_size=100),
    TEXT.map(Opaque),
    st.builds(CodeRef, TEXT, TEXT, st.integers(-5, 2**31)),
    st.builds(SocketRef, TEXT, st.integers(), st.integers(), st.integers()),
    st.builds(Clipped, TEXT, st.integers(60, 2**40)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map(tuple),
        st.dictionaries(TEXT, inner, max_size=6),
        st.builds(Clipped, st.lists(inner, max_size=4).map(tuple), st.integers(64, 2**40)),
    ),
    max_leaves=20,
)
NAMES = st.one_of(
    st.sampled_from(sorted(catalogue.CATALOGUE)),
    st.text(st.characters(codec="utf-8"), max_size=256),
    st.sampled_from(["", ".", "a" * 256, "é" * 256, "nogi_otel.ping", "python.audit.other"]),
)
RAWS = st.builds(
    RawEvent,
    timestamp_ns=st.integers(0, 2**63 - 1),
    event=NAMES,
    arguments=st.lists(VALUES, max_size=MAX_ARGUMENTS).map(tuple),
    thread_id=st.integers(0, 2**63 - 1),
    thread_name=st.one_of(TEXT, st.text(min_size=500, max_size=3000)),
    trace_id=st.integers(0, 2**128 - 1),
    span_id=st.integers(0, 2**64 - 1),
    trace_flags=st.integers(0, 255),
    on_span=st.booleans(),
    frames=st.lists(st.builds(CodeRef, TEXT, TEXT, st.integers(0, 10**6)), max_size=16).map(tuple),
    gate=st.just(GATE),
)


@given(RAWS)
@example(RawEvent(1, "open", ("/x", "r", 0), 1, "t", 0, 0, 0, on_span=False, frames=(), gate=GATE))
def test_any_event_becomes_a_record_within_the_limits(raw: RawEvent) -> None:
    """Whatever was captured: one record, one line of body, values of at most 1,024 bytes."""
    record = REFINEMENT.refine(raw, EVERYTHING)
    assert record is not None
    assert (record.event, record.timestamp_ns) == (raw.event, raw.timestamp_ns)
    assert record.severity in {"INFO", "WARN"}
    assert len(record.body) <= MAX_BODY_CHARACTERS
    assert record.body.isprintable() or not record.body
    attributes = build_attributes(record)
    for key, value in attributes.items():
        texts = value if isinstance(value, tuple) else (value,)
        size = sum(len(one.encode("utf-8")) for one in texts if isinstance(one, str))
        assert size <= MAX_VALUE_BYTES, key
        assert type(value) in {str, bool, int, float, tuple}, key
        assert not isinstance(value, int) or -(2**63) <= value < 2**63, key
    keys = list(attributes)
    assert keys[-2:] == ["python.audit.event", "python.audit.args"]
    assert keys.index("process.pid") > keys.index("thread.id")
    json.loads(str(attributes["python.audit.args"]), parse_constant=refuse)


def refuse(constant: str) -> None:
    """Refuse what Python's own JSON allows beyond the standard."""
    message = f"{constant} is no JSON"
    raise AssertionError(message)


@given(RAWS)
def test_any_record_can_be_encoded(raw: RawEvent) -> None:
    """The official encoder takes every record, with its event name and all of its attributes."""
    record = REFINEMENT.refine(raw, EVERYTHING)
    assert record is not None
    log_record = LogRecords().build(record)
    request = encode_logs([ReadableLogRecord(log_record, RESOURCE, SCOPE)])
    (encoded,) = request.resource_logs[0].scope_logs[0].log_records
    assert encoded.event_name.startswith("python.audit.")
    assert len(encoded.attributes) == len(build_attributes(record))
    if raw.trace_id and raw.span_id:
        assert encoded.trace_id == raw.trace_id.to_bytes(16, "big")
        assert encoded.span_id == raw.span_id.to_bytes(8, "big")
    request.SerializeToString()


@given(RAWS)
def test_a_condition_decides_and_never_raises(raw: RawEvent) -> None:
    """Any event meets a condition or does not, the same each time."""
    outcomes = {REFINEMENT.refine(raw, CONDITIONED) is None for _ in range(2)}
    assert len(outcomes) == 1


@given(st.lists(VALUES, max_size=MAX_ARGUMENTS + 1).map(tuple))
def test_arguments_render_as_whole_json(arguments: tuple[Any, ...]) -> None:
    """Any snapshot renders as one JSON array of at most 1,024 bytes."""
    text = render_arguments(arguments)
    assert len(text.encode("utf-8")) <= 1024
    parsed = json.loads(text, parse_constant=refuse)
    assert isinstance(parsed, list)
    assert bool(parsed) == bool(arguments)


@given(NAMES, st.lists(st.one_of(VALUES, st.lists(VALUES), st.sets(st.integers()))).map(tuple))
def test_from_the_hook_to_the_record(event: str, arguments: tuple[Any, ...]) -> None:
    """What the application raised, taken by the snapshot, becomes a record."""
    raw = RawEvent(1, event, copy_arguments(arguments), 1, "t", 0, 0, 0, False, (), GATE)
    assert REFINEMENT.refine(raw, EVERYTHING) is not None
