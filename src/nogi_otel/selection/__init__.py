"""Selection: which audit events are taken, by name in the capture core, by value in the drain.

``terms`` reads what is selected by name, ``condition`` what must hold of an event once it is
decoded. Both are compiled once; what cannot be read is refused, and the error marks the column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nogi_otel import catalogue
from nogi_otel.selection.condition import compile_condition
from nogi_otel.selection.marked_text import MarkedText
from nogi_otel.selection.terms import Terms, compile_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.selection.condition import Condition

__all__ = ["Selection", "compile_selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a window takes."""

    events: str
    excluded_events: str
    where: str
    """The three texts that it was made of."""
    unknown_names: tuple[str, ...]
    """Names in ``events`` that CPython does not raise: an application's own, or mistyped."""
    _included: Terms = field(repr=False)
    _excluded: tuple[Terms, ...] = field(repr=False)
    _condition: Condition | None = field(repr=False)
    _conditions: Mapping[str, tuple[Condition, ...]] = field(repr=False)
    """By event: the profiles' own conditions, of which one must hold."""

    @property
    def has_condition(self) -> bool:
        """Whether what is selected by name may be left out by what it holds."""
        return self._condition is not None or bool(self._conditions)

    def is_conditional(self, event: str) -> bool:
        """Return whether an event of this name may be left out by what it holds."""
        return self._condition is not None or event in self._conditions

    def selects(self, event: str) -> bool:
        """Return whether events of this name are selected. Never raises; runs no user code."""
        entry = catalogue.find(event)
        return self._included.take(event, entry) and not any(
            terms.exclude(event, entry) for terms in self._excluded
        )

    def matches(self, view: Mapping[str, object]) -> bool:
        """Return whether the conditions hold for an event that is selected by its name.

        ``view`` maps ``event`` to the event's name, and the names of its attributes to their
        values. Never raises for plain values.
        """
        if self._condition is not None and not self._condition.test(view):
            return False
        event = view.get("event")
        conditions = self._conditions.get(event) if type(event) is str else None
        return conditions is None or any(one.test(view) for one in conditions)


def compile_selection(events: str, excluded: str = "", predicate: str | None = None) -> Selection:
    """Return the selection that three texts describe.

    ``events`` and ``excluded`` are comma separated terms, see ``terms``; what is excluded wins.
    ``predicate`` is a condition on the decoded event, see ``condition``; None or a blank text is
    none.

    Raises:
        SelectionError: a text cannot be read, or nothing is selected; the message marks the column.
    """
    chosen = compile_terms(events, "selection", may_exclude=True)
    if chosen.included == Terms():
        raise MarkedText(events, "selection").refuse(
            len(events), "what to select first, such as incident, %network or socket.*"
        )
    rejected = compile_terms(excluded, "exclusion", may_exclude=False)
    where = (predicate or "").strip()
    return Selection(
        events=events,
        excluded_events=excluded,
        where=where,
        unknown_names=tuple(
            sorted(name for name in chosen.included.names if catalogue.find(name) is None)
        ),
        _included=chosen.included,
        _excluded=(chosen.excluded, rejected.included),
        _condition=compile_condition(predicate or "") if where else None,
        _conditions=_compile_conditions(chosen.included),
    )


def _compile_conditions(included: Terms) -> dict[str, tuple[Condition, ...]]:
    """Return the conditions of events that are selected by profiles with conditions alone."""
    conditions: dict[str, tuple[Condition, ...]] = {}
    for event in {event for profile in included.profiles for event in profile.conditions}:
        entry = catalogue.find(event)
        profiles = [one for one in included.profiles if one.selects(event, entry)]
        texts = [one.conditions.get(event, "") for one in profiles]
        if texts and all(texts) and not included.take_without_profiles(event, entry):
            conditions[event] = tuple(compile_condition(text) for text in dict.fromkeys(texts))
    return conditions
