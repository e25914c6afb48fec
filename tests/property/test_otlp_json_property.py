"""OTLP's JSON form under arbitrary data: round trips, and one known error for everything else."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nogi_otel.cli.render import Format, Style, render
from nogi_otel.errors import RecordingError
from nogi_otel.receiver.payload import REQUESTS, BodyBuffer, PayloadError, decode_request
from nogi_otel.receiver.proto_json import ID_FIELDS, decode_into, encode_message
from nogi_otel.recording.event import Event, iterate_events
from nogi_otel.recording.otlp_json import (
    SIGNALS,
    decode_any_value,
    decode_line,
    encode_any_value,
    encode_line,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from nogi_otel.recording.otlp_json import Signal

signals = st.sampled_from(SIGNALS)
INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_SINT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_FIXED32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.TYPE_FIXED64: (0, (1 << 64) - 1),
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = st.sampled_from(["python.audit.open", "nogi.window.opened", "python.audit.event"])
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: texts | names,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=17),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    # JSON has one NaN; in binary there are many.
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False) | st.just(math.nan),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 24),
    **{kind: st.integers(*limits) for kind, limits in INTEGERS.items()},
}
REQUEST_DEPTH = 8
RECORD_DEPTH = 5
"""Above the records (request, resource, scope) every field is set, or few would have any."""


def draw_value(draw: st.DrawFn, field: Any, depth: int) -> Any:
    """Draw one value of a field's type."""
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return draw_message(draw, field.message_type, depth - 1)
    return draw(SCALARS[field.type])


def draw_message(draw: st.DrawFn, descriptor: Any, depth: int) -> dict[str, Any]:
    """Draw the fields of a message, as the keywords that build it."""
    fields = [f for f in descriptor.fields if depth > 0 or f.type != FieldDescriptor.TYPE_MESSAGE]
    if not fields:
        return {}
    chosen = fields
    if depth <= RECORD_DEPTH:
        chosen = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=5, unique_by=id))
    result: dict[str, Any] = {}
    taken = set()
    for field in chosen:
        oneof = field.containing_oneof
        if oneof is not None:
            if oneof.name in taken:
                continue
            taken.add(oneof.name)
        if field.is_repeated:
            count = draw(st.sampled_from([1, 1, 2, 0]))
            result[field.name] = [draw_value(draw, field, depth) for _ in range(count)]
        else:
            result[field.name] = draw_value(draw, field, depth)
    return result


@st.composite
def requests(draw: st.DrawFn) -> tuple[Signal, Message]:
    """Any request of any signal, eight messages deep."""
    signal = draw(signals)
    kind = REQUESTS[signal]
    return signal, kind(**draw_message(draw, kind.DESCRIPTOR, REQUEST_DEPTH))


def turn_ids(data: Any, descriptor: Any) -> Any:
    """Write json_format's base64 ids in hex, by the schema."""
    result = {}
    for field in descriptor.fields:
        if field.json_name not in data:
            continue
        value = data[field.json_name]
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            kind = field.message_type
            many = isinstance(value, list)
            value = [turn_ids(v, kind) for v in value] if many else turn_ids(value, kind)
        elif field.name in ID_FIELDS:
            value = base64.b64decode(value).hex()
        result[field.json_name] = value
    return result


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(requests())
def test_protobuf_to_json_and_back_is_the_same_message(request: tuple[Signal, Message]) -> None:
    """Every request survives the JSON form, through text, byte for byte."""
    signal, message = request
    text = json.dumps(encode_message(message), allow_nan=False)
    again = REQUESTS[signal]()
    decode_into(json.loads(text), again)
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(
        deterministic=True
    )


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(requests())
def test_our_encoder_agrees_with_googles_but_for_the_ids(request: tuple[Signal, Message]) -> None:
    """Apart from hex ids, the JSON form is the one of proto3."""
    _, message = request
    theirs = json_format.MessageToDict(message, use_integers_for_enums=True)
    assert encode_message(message) == turn_ids(theirs, message.DESCRIPTOR)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(requests())
def test_every_request_can_be_recorded_read_and_shown(request: tuple[Signal, Message]) -> None:
    """A line of a recording is the request, and its events are readable and printable."""
    signal, message = request
    data = encode_message(message)
    line = encode_line(data)
    assert line.count(b"\n") == 1
    if data:
        assert decode_line(line) == (signal, data)
    for event in iterate_events(signal, data):
        show(event)


def show(event: Event) -> None:
    """Render an event in every form; no character of it may act on a terminal."""
    forms: tuple[Format, ...] = ("line", "nogi", "json")
    for form in forms:
        text = render(event, form, Style())
        assert all(line.isprintable() for line in text.split("\n"))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_a_value_survives_its_json_form(value: object) -> None:
    """Reading what was written gives the value, type by type."""
    encoded = json.loads(json.dumps(encode_any_value(value), allow_nan=False))
    decoded = decode_any_value(encoded)
    assert decoded == value
    assert repr(decoded) == repr(value)


def test_not_a_number_survives_a_message() -> None:
    """NaN is not equal to itself, so it is tested by itself."""
    message = REQUESTS["metrics"]()
    cast(
        "Any", message
    ).resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add(
        as_double=math.nan
    )
    again = REQUESTS["metrics"]()
    decode_into(json.loads(json.dumps(encode_message(message), allow_nan=False)), again)
    assert again.SerializeToString() == message.SerializeToString()


KEYS = """
    resourceLogs resourceSpans scopeLogs scopeSpans logRecords spans events resource attributes
    key value body name eventName traceId spanId timeUnixNano severityNumber severityText
    stringValue intValue doubleValue boolValue bytesValue arrayValue kvlistValue values
"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["python.audit.open", "nogi.x", "00ff", "1"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


def answer(signal: Signal, body: bytes, encoding: Any) -> int:
    """Give the HTTP status that a body leads to."""
    try:
        message = decode_request(signal, body, encoding)
    except PayloadError as error:
        return error.http_status
    assert type(message) is REQUESTS[signal]
    return 200


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(signals, st.dictionaries(keys, anything, max_size=4))
def test_any_json_is_a_request_or_one_error(signal: Signal, data: dict[str, Any]) -> None:
    """Whatever a sender puts into JSON, the answer is 200 or 400, never a crash."""
    assert answer(signal, json.dumps(data).encode(), "json") in {200, 400}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(signals, st.dictionaries(keys, anything, max_size=4))
def test_any_json_is_events_or_one_error(signal: Signal, data: dict[str, Any]) -> None:
    """Whatever stands in a recording, reading gives events or RecordingError."""
    try:
        events = list(iterate_events(signal, data))
    except RecordingError:
        return
    for event in events:
        show(event)


@given(signals, st.binary(max_size=200), st.sampled_from(["protobuf", "json"]))
def test_any_bytes_are_a_request_or_one_error(signal: Signal, body: bytes, encoding: Any) -> None:
    """Arbitrary bytes are refused as bad data and never crash."""
    assert answer(signal, body, encoding) in {200, 400}


@given(st.binary(max_size=300), st.sampled_from(["", "gzip", "deflate"]), st.integers(0, 400))
def test_any_body_stays_within_its_limit(body: bytes, encoding: str, limit: int) -> None:
    """Decompressing arbitrary bytes gives at most the limit, 400 or 413."""
    buffer = BodyBuffer(encoding, limit)
    status = 200
    try:
        for start in range(0, len(body), 50):
            buffer.feed(body[start : start + 50])
        assert len(buffer.finish()) <= limit
    except PayloadError as error:
        status = error.http_status
    assert status in {200, 400, 413}


@given(st.binary(max_size=100))
def test_any_line_is_data_or_one_error(line: bytes) -> None:
    """A line of a file is data of a known signal, or RecordingError."""
    try:
        signal, data = decode_line(line)
    except RecordingError:
        return
    assert signal in SIGNALS
    assert isinstance(data, dict)


@pytest.mark.parametrize("depth", [10, 49])
def test_nested_values_survive_to_the_depth_that_protobuf_allows(depth: int) -> None:
    """Nesting is bounded by protobuf, and everything below its bound can be read as an event."""
    value: object = "bottom"
    for _ in range(depth):
        value = (value,)
    assert decode_any_value(encode_any_value(value)) == value
