"""The audit events that CPython raises, and how each becomes attributes and a line for people.

One declarative entry an event, one module a group of events; ``describe`` applies an entry to
the snapshot of an event's arguments. Sources: PEP 578, CPython's audit events table
(``Doc/library/audit_events.rst``) and the calls themselves, 3.10 to 3.14.

Only light parts of the standard library are imported here, and none that gevent patches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogi_otel.catalogue import (
    database,
    execution,
    files,
    native,
    network,
    processes,
    runtime,
    windows,
)
from nogi_otel.catalogue.entry import Description, Entry, EventClass
from nogi_otel.catalogue.plans import apply_plan, compile_plan, describe_custom
from nogi_otel.catalogue.profiles import DEFAULT_PROFILE, DUPLICATES, PROFILES, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.capture.values import Value

__all__ = [
    "CATALOGUE",
    "DEFAULT_PROFILE",
    "DUPLICATES",
    "PROFILES",
    "Description",
    "Entry",
    "Profile",
    "classify",
    "describe",
    "find",
    "profiles_of",
]

_GROUPS = (network, files, processes, database, execution, native, runtime, windows)

CATALOGUE: Mapping[str, Entry] = {
    entry.event: entry for group in _GROUPS for entry in group.ENTRIES
}
"""All entries by the event's name."""

_PLANS = {event: compile_plan(entry) for event, entry in CATALOGUE.items()}


def find(event: str) -> Entry | None:
    """Return the entry of an audit event; None for one that CPython does not raise."""
    return CATALOGUE.get(event)


def classify(event: str) -> EventClass:
    """Return the class of an audit event: ``custom`` for one without an entry."""
    entry = CATALOGUE.get(event)
    return "custom" if entry is None else entry.event_class


def describe(event: str, arguments: tuple[Value, ...]) -> Description:
    """Return the attributes, the display line and the severity of an audit event.

    ``arguments`` is a snapshot, redacted: a text may stand where another value was. Never raises
    for any name and any tuple of plain values: what does not fit gives fewer attributes. Texts
    have at most ``catalogue.text.MAX_TEXT_BYTES`` bytes, the line at most
    ``MAX_DISPLAY_CHARACTERS`` characters.
    """
    plan = _PLANS.get(event)
    return describe_custom(event, arguments) if plan is None else apply_plan(plan, arguments)


def profiles_of(event: str) -> tuple[str, ...]:
    """Return the names of the profiles that select an audit event by its name."""
    entry = CATALOGUE.get(event)
    return tuple(name for name, profile in PROFILES.items() if profile.selects(event, entry))
