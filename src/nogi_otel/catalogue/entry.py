"""What the catalogue says about one audit event, and what comes out when it is applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

AttributeValue: TypeAlias = "str | bool | int | float | tuple[str, ...] | tuple[int, ...]"
EventClass: TypeAlias = Literal[
    "network",
    "file",
    "process",
    "db",
    "import",
    "code",
    "ctypes",
    "memory",
    "thread",
    "os",
    "custom",
]
Severity: TypeAlias = Literal["INFO", "WARN"]

ALL_ARGUMENTS = "*"
"""In the place of an argument's name: the decoder takes the tuple of all arguments."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """How one argument becomes one attribute."""

    key: str
    """The attribute's name, a semantic convention's where one exists."""
    argument: str
    """The name of the argument that it is taken from, or ``ALL_ARGUMENTS``."""
    decoder: str = "text"
    """The name of a function in ``catalogue.decoders.DECODERS``."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The attribute's name, as a tuple of one."""
        return (self.key,)


@dataclass(frozen=True, slots=True)
class Group:
    """How one argument, or all together, become several attributes."""

    keys: tuple[str, ...]
    """The attributes' names, in the order in which the decoder gives their values."""
    argument: str
    """The name of the argument that they are taken from, or ``ALL_ARGUMENTS``."""
    decoder: str
    """The name of a function in ``catalogue.decoders.GROUP_DECODERS``."""


@dataclass(frozen=True, slots=True)
class Constant:
    """An attribute that every occurrence of the event has, with the same value."""

    key: str
    """The attribute's name, a semantic convention's where one exists."""
    value: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The attribute's name, as a tuple of one."""
        return (self.key,)


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit event that CPython raises."""

    event: str
    arguments: tuple[str, ...]
    event_class: EventClass
    attributes: tuple[Attribute | Group | Constant, ...] = ()
    """In reading order: what a person wants to see first comes first."""
    severity: Severity = "INFO"
    display: tuple[str, ...] = ()
    """The parts of the display line after the event's name; see ``catalogue.display``.

    Each part is a text with one ``{key}``, or ``{address key}:{port key}``; a part whose
    attribute is missing is left out, and ``{a|b}`` is the first of two that is there. Empty means
    the first attribute.
    """
    withheld: tuple[str, ...] = ()
    """The arguments that never leave the process unless a user lifts the rule."""
    noise: bool = False
    """Hot and of no value in an incident: off unless asked for by name or by ``everything``."""
    since: tuple[int, int] = (3, 10)
    until: tuple[int, int] | None = None
    """The first Python that no longer raises it, where it is gone."""

    @property
    def attribute_keys(self) -> tuple[str, ...]:
        """The names of all attributes that the event can have, in reading order."""
        return tuple(key for attribute in self.attributes for key in attribute.keys)


class Description(NamedTuple):
    """An event and its arguments, decoded. One is made for every event: a tuple is made fastest."""

    attributes: dict[str, AttributeValue]
    display: str
    """One line for people, without line breaks: ``socket.connect 127.0.0.1:443``."""
    severity: Severity
