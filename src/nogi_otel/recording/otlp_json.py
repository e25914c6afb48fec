r"""OTLP JSON: the one place that knows ids, 64-bit integers and AnyValue in their JSON form.

The rules are those of "JSON Protobuf Encoding" in the OTLP specification: trace and span ids are
hex and not base64, 64-bit integers are decimal strings, enums are integers, keys are
lowerCamelCase. A recording is a file of such lines ("OpenTelemetry Protocol File Exporter" in the
specification): UTF-8, ``\n`` after each, one ``LogsData``, ``TracesData`` or ``MetricsData`` a
line, one signal a file.

Plain functions over plain values, so that the watched process can write its own recording without
protobuf. What is read here may come from anybody: a malformed value is a ``RecordingError`` and
never anything else.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from nogi_otel.errors import RecordingError

Signal: TypeAlias = Literal["traces", "logs", "metrics"]
JsonObject: TypeAlias = dict[str, Any]

SIGNALS: Final[tuple[Signal, ...]] = ("traces", "logs", "metrics")

LEVELS: Final[dict[Signal, tuple[str, str, str]]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
"""The three nested lists of each signal, outermost first."""

MAX_DEPTH: Final = 64
"""How deep arrays and mappings may be nested in a value that is read; protobuf allows fewer."""

_SIGNAL_OF_KEY: Final[dict[str, Signal]] = {keys[0]: signal for signal, keys in LEVELS.items()}
_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1


# --- ids and scalars ----------------------------------------------------------------------------


def encode_id(identifier: bytes) -> str:
    """Give a trace or span id in its JSON form: lower-case hex; empty stays empty."""
    return identifier.hex()


def decode_id(text: object) -> bytes:
    """Read a trace or span id, in hex of either case; raise ``RecordingError`` on anything else."""
    if not isinstance(text, str):
        raise RecordingError(f"a trace or span id must be a hex string, not {type(text).__name__}")
    try:
        return binascii.unhexlify(text)
    except ValueError as error:
        raise RecordingError(f"a trace or span id must be hex, not {text[:64]!r}") from error


def encode_trace_id(trace_id: int) -> str:
    """Give a trace id in its JSON form: 32 hex digits; 0, which is no trace, becomes empty."""
    return f"{trace_id:032x}" if trace_id else ""


def encode_span_id(span_id: int) -> str:
    """Give a span id in its JSON form: 16 hex digits; 0, which is no span, becomes empty."""
    return f"{span_id:016x}" if span_id else ""


def encode_int(number: int) -> str:
    """Give a 64-bit integer in its JSON form, a decimal string."""
    return str(number)


def decode_int(value: object) -> int:
    """Read a 64-bit integer, from a decimal string or a number."""
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise RecordingError(
        f"an integer must be a number or a decimal string, not {str(value)[:64]!r}"
    )


def encode_double(number: float) -> float | str:
    """Give a double in its JSON form; what JSON cannot write becomes a word (proto3 JSON)."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def encode_text(text: str) -> str:
    r"""Give a text that UTF-8 can hold: a lone surrogate (PEP 383) is written as ``\udcXX``."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# --- AnyValue and attributes --------------------------------------------------------------------


def encode_any_value(value: object) -> JsonObject:
    """Give a value as an OTLP ``AnyValue``.

    ``None`` is the empty value. An integer beyond 64 bits becomes text, and an object of any type
    but the plain ones the name of its type: nothing of the object itself is called.
    """
    encode = _ANY_VALUE_ENCODERS.get(type(value))
    return encode(value) if encode else {"stringValue": encode_text(type(value).__name__)}


def _encode_int_value(number: int) -> JsonObject:
    if _INT64_MIN <= number <= _INT64_MAX:
        return {"intValue": encode_int(number)}
    return {"stringValue": hex(number)}


def _encode_array(items: Sequence[object]) -> JsonObject:
    return {"arrayValue": {"values": [encode_any_value(item) for item in items]}}


def encode_attributes(attributes: Mapping[str, object]) -> list[JsonObject]:
    """Give a mapping as the OTLP list of ``KeyValue``, in the mapping's order."""
    return [
        {"key": encode_text(key), "value": encode_any_value(value)}
        for key, value in attributes.items()
    ]


_ANY_VALUE_ENCODERS: Final[dict[type, Callable[[Any], JsonObject]]] = {
    str: lambda text: {"stringValue": encode_text(text)},
    bool: lambda value: {"boolValue": value},
    int: _encode_int_value,
    float: lambda number: {"doubleValue": encode_double(number)},
    type(None): lambda _: {},
    bytes: lambda content: {"bytesValue": base64.b64encode(content).decode("ascii")},
    tuple: _encode_array,
    list: _encode_array,
    dict: lambda mapping: {"kvlistValue": {"values": encode_attributes(mapping)}},
}


def decode_any_value(any_value: object, depth: int = MAX_DEPTH) -> object:
    """Read an ``AnyValue``: ``None``, bool, int, float, str, bytes, or tuples and dicts of these.

    Arrays and mappings may be nested ``depth`` times.
    """
    if not isinstance(any_value, Mapping):
        raise RecordingError(f"an AnyValue must be an object, not {type(any_value).__name__}")
    for key, decode in _ANY_VALUE_DECODERS.items():
        content = any_value.get(key)
        if content is not None:
            return decode(content, depth)
    return None


def decode_attributes(attributes: object, depth: int = MAX_DEPTH) -> dict[str, object]:
    """Read a list of ``KeyValue``; of a key that stands twice, the last one counts."""
    result: dict[str, object] = {}
    for attribute in as_list(attributes, "attributes"):
        entry = as_object(attribute, "attribute")
        key = as_text(entry.get("key"), "key")
        result[key] = decode_any_value(entry.get("value") or {}, depth)
    return result


def _decode_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise RecordingError(f"a boolValue must be true or false, not {type(value).__name__}")
    return value


def _decode_double(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise RecordingError(f"a doubleValue must be a number, not {str(value)[:64]!r}")


def _decode_bytes(value: object) -> bytes:
    text = as_text(value, "bytesValue")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RecordingError(f"a bytesValue must be base64, not {text[:64]!r}") from error


def _decode_array(value: object, depth: int) -> tuple[object, ...]:
    values = as_list(as_object(value, "arrayValue").get("values"), "values")
    return tuple(decode_any_value(item, _descend(depth)) for item in values)


def _decode_mapping(value: object, depth: int) -> dict[str, object]:
    values = as_object(value, "kvlistValue").get("values")
    return decode_attributes(values, _descend(depth))


def _descend(depth: int) -> int:
    if depth == 0:
        raise RecordingError(f"an AnyValue is nested more than {MAX_DEPTH} times")
    return depth - 1


# --- shapes of what was parsed ------------------------------------------------------------------


def as_object(value: object, name: str) -> JsonObject:
    """Give ``value`` if it is a JSON object, and an empty one for a missing value."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordingError(f"{name} must be an object, not {type(value).__name__}")
    return value


def as_list(value: object, name: str) -> list[Any]:
    """Give ``value`` if it is a JSON array, and an empty one for a missing value."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordingError(f"{name} must be an array, not {type(value).__name__}")
    return value


def as_text(value: object, name: str) -> str:
    """Give ``value`` if it is a JSON string, and an empty one for a missing value."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RecordingError(f"{name} must be a string, not {type(value).__name__}")
    return value


_ANY_VALUE_DECODERS: Final[dict[str, Callable[[object, int], object]]] = {
    "stringValue": lambda value, _: as_text(value, "stringValue"),
    "intValue": lambda value, _: decode_int(value),
    "boolValue": lambda value, _: _decode_bool(value),
    "doubleValue": lambda value, _: _decode_double(value),
    "bytesValue": lambda value, _: _decode_bytes(value),
    "arrayValue": _decode_array,
    "kvlistValue": _decode_mapping,
}


# --- lines --------------------------------------------------------------------------------------


def build_data(
    signal: Signal,
    records: Sequence[JsonObject],
    *,
    resource: Mapping[str, object],
    scope_name: str,
    scope_version: str = "",
    schema_url: str = "",
) -> JsonObject:
    """Wrap log records, spans or metrics of one resource and scope into the object of one line."""
    outer, middle, inner = LEVELS[signal]
    scope = {"name": scope_name}
    if scope_version:
        scope["version"] = scope_version
    scoped: JsonObject = {"scope": scope, inner: list(records)}
    resourced: JsonObject = {
        "resource": {"attributes": encode_attributes(resource)},
        middle: [scoped],
    }
    if schema_url:
        scoped["schemaUrl"] = schema_url
        resourced["schemaUrl"] = schema_url
    return {outer: [resourced]}


def encode_line(data: JsonObject) -> bytes:
    r"""Give one line of a recording: compact JSON in UTF-8 with ``\n`` after it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def decode_line(line: bytes | str) -> tuple[Signal, JsonObject]:
    """Read one line of a recording and tell its signal; raise ``RecordingError`` if it is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"not a line of OTLP JSON: {error}") from error
    if isinstance(data, dict):
        for key in data:
            signal = _SIGNAL_OF_KEY.get(key)
            if signal is not None:
                return signal, data
    raise RecordingError(
        f"not a line of OTLP JSON: none of {', '.join(_SIGNAL_OF_KEY)} stands in it"
    )


def split_data(signal: Signal, data: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    """Cut the object of one line into two that hold the same records; None if it holds one."""
    return _split(data, LEVELS[signal])


def _split(node: JsonObject, keys: tuple[str, ...]) -> tuple[JsonObject, JsonObject] | None:
    if not keys:
        return None
    children = node.get(keys[0]) or []
    if len(children) == 1:
        halves = _split(children[0], keys[1:])
        if halves is None:
            return None
        return {**node, keys[0]: [halves[0]]}, {**node, keys[0]: [halves[1]]}
    if not children:
        return None
    middle = len(children) // 2
    return {**node, keys[0]: children[:middle]}, {**node, keys[0]: children[middle:]}
