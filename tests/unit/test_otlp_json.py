"""OTLP's JSON form: ids, integers, AnyValue, lines."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import pytest

from nogi_otel.errors import RecordingError
from nogi_otel.recording import otlp_json


class Colour(IntEnum):
    """A subclass of int, as applications have them."""

    RED = 1


class Hostile:
    """An object that must not be called."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __iter__ = __len__ = __bool__ = __repr__


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (None, {}),
        ("", {"stringValue": ""}),
        ("é\n", {"stringValue": "é\n"}),
        (True, {"boolValue": True}),
        (False, {"boolValue": False}),
        (0, {"intValue": "0"}),
        (-(1 << 63), {"intValue": "-9223372036854775808"}),
        ((1 << 63) - 1, {"intValue": "9223372036854775807"}),
        (0.5, {"doubleValue": 0.5}),
        (math.inf, {"doubleValue": "Infinity"}),
        (-math.inf, {"doubleValue": "-Infinity"}),
        (b"\x00\xff", {"bytesValue": "AP8="}),
        ((1, "a"), {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}}),
        ((), {"arrayValue": {"values": []}}),
        ({"k": None}, {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}),
    ],
)
def test_any_value_is_encoded_by_the_specification_and_read_back(
    value: object, encoded: dict[str, Any]
) -> None:
    """Each plain value has one JSON form, and reading it gives the value again."""
    assert otlp_json.encode_any_value(value) == encoded
    assert otlp_json.decode_any_value(encoded) == value


def test_not_a_number_survives() -> None:
    """NaN, which JSON cannot write, is the word that proto3 JSON uses."""
    encoded = otlp_json.encode_any_value(math.nan)
    assert encoded == {"doubleValue": "NaN"}
    decoded = otlp_json.decode_any_value(encoded)
    assert isinstance(decoded, float)
    assert math.isnan(decoded)


def test_an_integer_beyond_64_bits_becomes_text() -> None:
    """AnyValue holds 64 bits; a larger integer is kept as text and not cut."""
    assert otlp_json.encode_any_value(1 << 63) == {"stringValue": "0x8000000000000000"}


def test_a_foreign_object_becomes_the_name_of_its_type() -> None:
    """No method of an object that is not a plain value is called."""
    assert otlp_json.encode_any_value(Hostile()) == {"stringValue": "Hostile"}
    assert otlp_json.encode_any_value(Colour.RED) == {"stringValue": "Colour"}


def test_a_lone_surrogate_does_not_spoil_the_line() -> None:
    """A file name that is not UTF-8 (PEP 383) is written as an escape that UTF-8 can hold."""
    data = otlp_json.build_data(
        "logs",
        [{"attributes": otlp_json.encode_attributes({"k\udcff": "caf\udce9"})}],
        resource={},
        scope_name="nogi_otel",
    )
    line = otlp_json.encode_line(data).decode("utf-8")
    assert r"caf\\udce9" in line
    assert r"k\\udcff" in line


def test_ids_are_hex_and_never_base64() -> None:
    """An id is lower-case hex when written, and hex of either case when read."""
    assert otlp_json.encode_trace_id(0x4BF92F3577B34DA6A3CE929D0E0E4736) == (
        "4bf92f3577b34da6a3ce929d0e0e4736"
    )
    assert otlp_json.encode_span_id(1) == "0000000000000001"
    assert otlp_json.encode_trace_id(0) == otlp_json.encode_span_id(0) == ""
    assert otlp_json.decode_id("00F067aa0ba902b7") == bytes.fromhex("00f067aa0ba902b7")
    assert otlp_json.encode_id(bytes.fromhex("00f067aa0ba902b7")) == "00f067aa0ba902b7"


@pytest.mark.parametrize("text", ["abc", "zz", "a b c ", 7, None, ["ab"], "\u0663\u0663"])
def test_an_id_that_is_not_hex_is_an_error(text: object) -> None:
    """Anything but hex digits in pairs is refused, with the one error of recordings."""
    with pytest.raises(RecordingError, match="id must be"):
        otlp_json.decode_id(text)


@pytest.mark.parametrize("value", ["42", 42], ids=["text", "number"])
def test_a_64_bit_integer_is_read_from_text_or_number(value: object) -> None:
    """Senders write int64 as a string; the specification lets a reader take numbers too."""
    assert otlp_json.decode_int(value) == 42


@pytest.mark.parametrize(
    "any_value",
    [
        [],
        "text",
        {"stringValue": 1},
        {"intValue": True},
        {"intValue": "1.5"},
        {"intValue": "9" * 5000},
        {"boolValue": "true"},
        {"doubleValue": "much"},
        {"doubleValue": [1]},
        {"doubleValue": 10**400},
        {"bytesValue": "@@"},
        {"arrayValue": [1]},
        {"arrayValue": {"values": {}}},
        {"arrayValue": {"values": [1]}},
        {"kvlistValue": {"values": [[]]}},
        {"kvlistValue": {"values": [{"key": 1}]}},
    ],
)
def test_a_malformed_value_is_a_recording_error(any_value: object) -> None:
    """What does not fit the schema is one known error, never a TypeError or a KeyError."""
    with pytest.raises(RecordingError):
        otlp_json.decode_any_value(any_value)


def test_a_value_nested_too_deep_is_a_recording_error() -> None:
    """Depth is bounded, so that a file from elsewhere cannot exhaust the stack."""
    nested: dict[str, Any] = {}
    for _ in range(otlp_json.MAX_DEPTH + 1):
        nested = {"arrayValue": {"values": [nested]}}
    with pytest.raises(RecordingError, match="nested"):
        otlp_json.decode_any_value(nested)


def test_a_line_is_compact_utf8_with_one_line_break() -> None:
    """A line has no blank between tokens, raw UTF-8, and a line break only at its end."""
    data = otlp_json.build_data(
        "traces",
        [{"name": "GET\n/é"}],
        resource={"service.name": "shop"},
        scope_name="nogi_otel",
        scope_version="1",
        schema_url="https://example.org/schema",
    )
    line = otlp_json.encode_line(data)
    assert (
        line
        == (
            '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name",'
            '"value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"nogi_otel",'
            '"version":"1"},"spans":[{"name":"GET\\n/é"}],"schemaUrl":"https://example.org/schema"}],'
            '"schemaUrl":"https://example.org/schema"}]}\n'
        ).encode()
    )
    assert otlp_json.decode_line(line) == ("traces", data)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"other":[]}', b"\xff", b"[" * 100_000, b"9" * 5000]
)
def test_a_line_that_is_not_otlp_is_a_recording_error(line: bytes) -> None:
    """Whatever stands in a file, reading a line gives data or the one error."""
    with pytest.raises(RecordingError, match="not a line of OTLP JSON"):
        otlp_json.decode_line(line)


def name_records(data: dict[str, Any]) -> list[str]:
    """Give the names of all log records in order, with their scope and resource."""
    return [
        f"{resource['resource']}/{scope['scope']}/{record['eventName']}"
        for resource in data["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def test_data_is_split_without_loss_down_to_single_records() -> None:
    """Halving again and again gives every record once, in order, under its resource and scope."""
    data = {
        "resourceLogs": [
            {
                "resource": r,
                "scopeLogs": [
                    {"scope": s, "logRecords": [{"eventName": str(i)} for i in range(r + s)]}
                    for s in range(3)
                ],
            }
            for r in range(3)
        ]
    }
    pieces = [data]
    for _ in range(10):
        pieces = [
            half for piece in pieces for half in otlp_json.split_data("logs", piece) or (piece,)
        ]
    assert [name for piece in pieces for name in name_records(piece)] == name_records(data)
    assert max(len(name_records(piece)) for piece in pieces) == 1
    assert otlp_json.split_data("logs", {}) is None
