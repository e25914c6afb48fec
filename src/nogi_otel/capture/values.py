"""The plain values that a snapshot is made of.

A snapshot holds only ``None``, ``bool``, ``int`` (64 bit), ``float``, ``str``, ``bytes``, tuples
and dicts of these to a bounded depth, and the four types below. It never holds a reference to an
object of the application. ``DESIGN.md`` section 3; PEP 578 says what a hook may see.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, Union


class Opaque(NamedTuple):
    """An object that is not looked into: only the name of its type is known."""

    type_name: str


class Clipped(NamedTuple):
    """The beginning of a text, a byte string or a container that was longer than the cap."""

    head: Value
    """What was kept: ``str``, ``bytes``, ``tuple`` or ``dict``."""
    length: int
    """How long the original was: characters, bytes or elements."""


class CodeRef(NamedTuple):
    """A code object, function or method, by its name and place."""

    qualified_name: str
    file_path: str
    line_number: int


class SocketRef(NamedTuple):
    """A socket, by the integers it was made with (``AF_*``, ``SOCK_*``, protocol)."""

    type_name: str
    family: int
    kind: int
    protocol: int


Value: TypeAlias = Union[
    "bool | int | float | str | bytes | None",
    "tuple[Value, ...]",
    "dict[str, Value]",
    Opaque,
    Clipped,
    CodeRef,
    SocketRef,
]
