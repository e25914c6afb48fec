"""OTLP messages <-> their JSON form.

``google.protobuf.json_format`` alone is wrong for OTLP: it takes trace and span ids for base64.
So ids are converted around it on the way in, found by the schema and not by guessing at keys, and
on the way out a small encoder of our own walks the message (in half the time: the listener shares
the machine with what it watches).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, MutableSequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from nogi_otel.recording.otlp_json import decode_id, encode_double, encode_id, encode_int

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from nogi_otel.recording.otlp_json import JsonObject

ID_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
"""The fields of type bytes that are hex in JSON (OTLP specification, "JSON Protobuf Encoding")."""

_MAX_DEPTH: Final = 100
"""Protobuf's own limit for nested messages, in its binary form too."""

_INT64_TYPES: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    }
)
_FLOAT_TYPES: Final = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})


class _Plan(NamedTuple):
    """How one field is written: its key, its kind of value and whether there are many."""

    key: str
    encode: Callable[[Any], object] | None
    repeated: bool


def encode_message(message: Message) -> JsonObject:
    """Give a message in OTLP's JSON form: hex ids, integer enums, lowerCamelCase, no defaults."""
    result: JsonObject = {}
    for field, value in message.ListFields():
        plan = _PLANS.get(field) or _make_plan(field, value)
        if plan.encode is None:
            result[plan.key] = list(value) if plan.repeated else value
        elif plan.repeated:
            result[plan.key] = [plan.encode(item) for item in value]
        else:
            result[plan.key] = plan.encode(value)
    return result


_PLANS: Final[dict[FieldDescriptor, _Plan]] = {}


def _make_plan(field: FieldDescriptor, value: object) -> _Plan:
    encode: Callable[[Any], object] | None = None
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        encode = encode_message
    elif field.type == FieldDescriptor.TYPE_BYTES:
        encode = encode_id if field.name in ID_FIELDS else _encode_base64
    elif field.type in _INT64_TYPES:
        encode = encode_int
    elif field.type in _FLOAT_TYPES:
        encode = encode_double
    # The value tells, not the descriptor: its attribute for it changed with protobuf 7.
    plan = _Plan(field.json_name, encode, isinstance(value, MutableSequence))
    _PLANS[field] = plan
    return plan


def _encode_base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def decode_into(data: JsonObject, message: Message) -> None:
    """Fill an empty message from OTLP's JSON form; ``data`` is used up by it.

    Unknown fields are ignored, at any place.

    Raises:
        RecordingError, google.protobuf.json_format.ParseError, RecursionError: it is not OTLP.
    """
    _turn_ids_into_base64(data, cast("Descriptor", message.DESCRIPTOR))
    json_format.ParseDict(data, message, ignore_unknown_fields=True, max_recursion_depth=_MAX_DEPTH)


@cache
def _find_fields(descriptor: Descriptor) -> dict[str, Descriptor | None]:
    """Give the keys under which ids (None) and messages (their descriptor) stand."""
    found: dict[str, Descriptor | None] = {}
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            found[field.json_name] = found[field.name] = field.message_type
        elif field.name in ID_FIELDS:
            found[field.json_name] = found[field.name] = None
    return found


def _turn_ids_into_base64(data: object, descriptor: Descriptor) -> None:
    if isinstance(data, list):
        for item in data:
            _turn_ids_into_base64(item, descriptor)
        return
    if not isinstance(data, dict):
        return
    fields = _find_fields(descriptor)
    for key, value in data.items():
        if key not in fields or value is None:
            continue
        child = fields[key]
        if child is None:
            data[key] = _encode_base64(decode_id(value))
        else:
            _turn_ids_into_base64(value, child)
