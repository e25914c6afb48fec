"""The decoders that entries name: total functions from a snapshot's value to an attribute.

A decoder takes any value, never raises, and gives None where the value is not what it expects:
an argument that redaction has replaced by a text such as ``[REDACTED:jwt]`` stays a text where a
text is expected and gives nothing where a number is. What it gives keeps the limits of
``catalogue.text``. A group decoder gives as many values as its group has keys.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.catalogue import endpoints
from nogi_otel.catalogue.endpoints import read_text
from nogi_otel.catalogue.platform_numbers import (
    LOCK_OPERATIONS,
    OPEN_ACCESS,
    OPEN_ACCESS_MASK,
    OPEN_FLAGS,
    REGISTRY_KEYS,
    RESOURCES,
    SIGNALS,
)
from nogi_otel.catalogue.text import CUT, MAX_TEXT_BYTES, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue.entry import AttributeValue

    Decoder: TypeAlias = Callable[[Value], AttributeValue | None]
    GroupDecoder: TypeAlias = Callable[[Value], tuple[AttributeValue | None, ...]]

MAX_INTEGER = 2**63 - 1
"""OTLP's integers have 64 bits."""
MAX_LIST_ITEMS = 64
_UNCHANGED_ID = 2**32 - 1
_HTTP_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
_GC_GENERATIONS = range(3)
_CUT_BYTES = len(CUT.encode())


def decode_integer(value: Value) -> int | None:
    """Decode an integer of at most 64 bits."""
    return value if type(value) is int and -MAX_INTEGER - 1 <= value <= MAX_INTEGER else None


def decode_boolean(value: Value) -> bool | None:
    """Decode a truth value."""
    return value if type(value) is bool else None


def decode_seconds(value: Value) -> float | None:
    """Decode a duration; always a float, so that the attribute has one type."""
    if type(value) is float:
        return value
    return float(value) if type(value) is int and abs(value) <= MAX_INTEGER else None


def decode_permissions(value: Value) -> str | None:
    """Decode permission bits to octal digits, ``0644``."""
    return f"{value:04o}" if type(value) is int and 0 <= value <= MAX_INTEGER else None


def decode_identifier(value: Value) -> str | None:
    """Decode the number of a user or group to a text; -1 means unchanged and gives none."""
    if type(value) is int and 0 <= value < _UNCHANGED_ID:
        return str(value)
    return None


def decode_pointer(value: Value) -> str | None:
    """Decode an address in memory or a handle to hexadecimal digits."""
    return f"{value:#x}" if type(value) is int and abs(value) <= 2 * MAX_INTEGER else None


def decode_signal(value: Value) -> str | None:
    """Decode a signal's number to its name, or to its digits where it has none."""
    if type(value) is not int or abs(value) > MAX_INTEGER:
        return None
    return SIGNALS.get(value) or str(value)


def decode_resource(value: Value) -> str | None:
    """Decode the number of a resource limit to its name, or to its digits where it has none."""
    if type(value) is not int or abs(value) > MAX_INTEGER:
        return None
    return RESOURCES.get(value) or str(value)


def decode_lock(value: Value) -> str | None:
    """Decode the operation of ``flock`` to its names, ``LOCK_EX|LOCK_NB``."""
    if type(value) is not int:
        return None
    return "|".join([name for bit, name in LOCK_OPERATIONS if value & bit]) or None


def decode_registry_key(value: Value) -> str | None:
    """Decode a handle of the Windows registry to its predefined name or hexadecimal digits."""
    if type(value) is not int:
        return read_text(value)
    # A handle is sign-extended where pointers have 64 bits.
    return REGISTRY_KEYS.get(value & 0xFFFFFFFF) or decode_pointer(value)


def decode_generation(value: Value) -> int | None:
    """Decode a generation of the garbage collector; -1 means all and gives none."""
    return value if type(value) is int and value in _GC_GENERATIONS else None


def decode_type(value: Value) -> str | None:
    """Decode an object to the name of its type."""
    if type(value) is Opaque or type(value) is SocketRef:
        return clean_text(value.type_name)
    return read_text(value)


def decode_scheme(value: Value) -> str | None:
    """Decode a connection of ``http.client`` to ``https`` or ``http`` by its type's name."""
    if type(value) is not Opaque:
        return None
    if value.type_name.endswith("HTTPSConnection"):
        return "https"
    return "http" if value.type_name.endswith("HTTPConnection") else None


def decode_strings(value: Value) -> tuple[str, ...] | None:
    """Decode a list of arguments to texts; what is not text is named by its type.

    All together have at most ``MAX_TEXT_BYTES`` bytes; where some are left out, the last one ends
    in ``CUT``.
    """
    items = value.head if type(value) is Clipped else value
    if type(items) is not tuple:
        return None
    strings: list[str] = []
    room = MAX_TEXT_BYTES
    for item in items[:MAX_LIST_ITEMS]:
        whole = item if type(item) is str else _name_item(item)
        text = clean_text(whole, room)
        if whole and not text:
            break
        strings.append(text)
        room -= _count_bytes(text)
    if len(strings) < _count_items(value) and not (strings and strings[-1].endswith(CUT)):
        while strings and room < _CUT_BYTES:
            room += _count_bytes(strings.pop())
        strings.append(CUT)
    return tuple(strings)


def decode_count(value: Value) -> int | None:
    """Decode a list of arguments to its length."""
    if type(value) is tuple or type(value) is Clipped:
        return decode_integer(_count_items(value))
    return None


def decode_integers(value: Value) -> tuple[int, ...] | None:
    """Decode a tuple of integers."""
    if type(value) is not tuple or len(value) > MAX_LIST_ITEMS:
        return None
    integers = [decode_integer(item) for item in value]
    return tuple([one for one in integers if one is not None]) if None not in integers else None


def decode_sole(value: Value) -> str | None:
    """Decode a list of candidates to the one that is its only element."""
    return read_text(value[0]) if type(value) is tuple and len(value) == 1 else None


def decode_open_mode(arguments: Value) -> tuple[str | None, str | None]:
    """Decode ``(path, mode, flags)`` of ``open``: the mode, and the flags of ``os.open``.

    The mode is ``r``, ``w``, ``a`` or ``x``, with ``+`` where the file is opened for both; it is
    made from the flags where there is none. ``Modules/_io/fileio.c`` gives both, and so do not
    the flags there tell more; ``Modules/posixmodule.c`` gives None and the flags.
    """
    if type(arguments) is not tuple:
        return None, None
    mode = arguments[1] if len(arguments) > 1 else None
    if type(mode) is str:
        # FileIO takes "rb", and reads as "r" does.
        return clean_text(mode.replace("b", "") if "b" in mode else mode), None
    flags = arguments[2] if len(arguments) > 2 else None  # noqa: PLR2004 - the third argument
    if mode is not None or type(flags) is not int or not 0 <= flags <= MAX_INTEGER:
        return read_text(mode), None
    return _name_flags(flags)


def decode_code(value: Value) -> tuple[str | None, int | None, str | None]:
    """Decode code or a function: its file, first line and qualified name."""
    if type(value) is not CodeRef:
        return None, None, None
    return (
        clean_text(value.file_path) or None,
        decode_integer(value.line_number) or None,
        clean_text(value.qualified_name) or None,
    )


def decode_method(value: Value) -> tuple[str | None, str | None]:
    """Decode a request's method; ``_OTHER`` and the original for one that is not well known."""
    text = read_text(value)
    if not text:
        return None, None
    return (text, None) if text in _HTTP_METHODS else ("_OTHER", text)


@lru_cache(maxsize=256)
def _name_flags(flags: int) -> tuple[str, str]:
    """Return the mode and the names of the flags of ``os.open``."""
    access = flags & OPEN_ACCESS_MASK
    names = [OPEN_ACCESS.get(access, "O_ACCMODE")]
    rest = flags & ~OPEN_ACCESS_MASK
    for bits, name in OPEN_FLAGS:
        if rest & bits == bits:
            names.append(name)
            rest &= ~bits
    if rest:
        names.append(f"{rest:#o}")
    if not access:
        mode = "r"
    elif "O_APPEND" in names:
        mode = "a"
    elif "O_EXCL" in names:
        mode = "x"
    elif "O_TRUNC" in names or access == 1:
        mode = "w"
    else:
        mode = "r"
    return (f"{mode}+" if access > 1 else mode), "|".join(names)


def _name_item(item: Value) -> str:
    """Return one element of a list as text."""
    text = read_text(item)
    if text is not None:
        return text
    if type(item) is Opaque:
        return f"<{item.type_name}>"
    return str(item) if isinstance(item, (bool, float)) or decode_integer(item) is not None else CUT


def _count_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _count_items(value: Value) -> int:
    if type(value) is Clipped:
        return max(value.length, 0)
    return len(value) if type(value) is tuple else 0


DECODERS: Mapping[str, Decoder] = {
    "boolean": decode_boolean,
    "count": decode_count,
    "family": endpoints.decode_family,
    "generation": decode_generation,
    "host_name": endpoints.decode_host_name,
    "identifier": decode_identifier,
    "integer": decode_integer,
    "integers": decode_integers,
    "ip_address": endpoints.decode_ip_address,
    "kind": endpoints.decode_kind,
    "lock": decode_lock,
    "permissions": decode_permissions,
    "pointer": decode_pointer,
    "port": endpoints.decode_port,
    "registry_key": decode_registry_key,
    "resource": decode_resource,
    "scheme": decode_scheme,
    "seconds": decode_seconds,
    "signal": decode_signal,
    "sole": decode_sole,
    "strings": decode_strings,
    "text": read_text,
    "transport": endpoints.decode_transport,
    "type": decode_type,
}
"""The decoders of one attribute, by name."""

GROUP_DECODERS: Mapping[str, GroupDecoder] = {
    "code": decode_code,
    "endpoint": endpoints.decode_endpoint,
    "method": decode_method,
    "open_mode": decode_open_mode,
    "socket_address": endpoints.decode_socket_address,
    "url": endpoints.decode_url,
}
"""The decoders of several attributes, by name."""
