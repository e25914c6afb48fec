"""Lists of terms that select audit events by name: ``incident,%db,socket.*,-socket.sendto``.

A term is the name of an event, a glob (``*``, ``?``, ``[abc]``), a class (``%network``) or a
profile; ``-`` before it takes it away again. A word that is neither an event of the catalogue nor a
profile is an application's own event, of the class ``%custom``.

Noise, the events of the catalogue that are hot and say little, is taken by its exact name, by the
profile ``everything``, by a glob that names its family (text with a dot before the first wildcard:
``gc.*``, not ``*`` or ``*.send``), and by a class that holds nothing else (``%import``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING, NamedTuple, get_args

from nogi_otel import catalogue
from nogi_otel.catalogue.entry import EventClass
from nogi_otel.selection.marked_text import MarkedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogi_otel.catalogue.entry import Entry
    from nogi_otel.catalogue.profiles import Profile

MAX_LENGTH = 16_384
"""Characters of a list of terms."""
MAX_GLOBS = 256
CLASSES: tuple[str, ...] = get_args(EventClass)

_TERM = re.compile(r"[^,]+")
_WILDCARD = re.compile(r"[*?\[]")
_EXTRAORDINARY = re.compile(r"[\s\x00-\x1f\x7f\"'=]")
_LOUD_CLASSES = frozenset(
    {entry.event_class for entry in catalogue.CATALOGUE.values() if entry.noise}
    - {entry.event_class for entry in catalogue.CATALOGUE.values() if not entry.noise}
)
"""Classes that hold nothing but noise: who asks for one wants it."""


class Glob(NamedTuple):
    """A glob, compiled."""

    pattern: re.Pattern[str]
    takes_noise: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms, compiled: what they take of the names that they are shown."""

    names: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    globs: tuple[Glob, ...] = ()
    profiles: tuple[Profile, ...] = ()

    def take(self, event: str, entry: Entry | None) -> bool:
        """Return whether a term takes an event."""
        return self.take_without_profiles(event, entry) or any(
            profile.selects(event, entry) for profile in self.profiles
        )

    def take_without_profiles(self, event: str, entry: Entry | None) -> bool:
        """Return whether a term that is no profile takes an event."""
        if event in self.names:
            return True
        event_class = "custom" if entry is None else entry.event_class
        quiet = entry is None or not entry.noise
        if event_class in self.classes and (quiet or event_class in _LOUD_CLASSES):
            return True
        return any((quiet or glob.takes_noise) and glob.pattern.match(event) for glob in self.globs)

    def exclude(self, event: str, entry: Entry | None) -> bool:
        """Return whether a term takes an event away: noise is no reason to keep it."""
        event_class = "custom" if entry is None else entry.event_class
        return (
            event in self.names
            or event_class in self.classes
            or any(glob.pattern.match(event) for glob in self.globs)
            or any(profile.selects(event, entry) for profile in self.profiles)
        )


class TermLists(NamedTuple):
    """The terms of one text: what it takes and what it takes away."""

    included: Terms
    excluded: Terms


def compile_terms(text: str, kind: str, *, may_exclude: bool) -> TermLists:
    """Return the terms of a comma separated list; empty ones are passed over.

    ``kind`` is what an error calls the text; ``may_exclude`` allows ``-`` before a term.

    Raises:
        SelectionError: a term cannot be read; the message marks the column.
    """
    source = MarkedText(text, kind)
    if len(text) > MAX_LENGTH:
        raise source.refuse(MAX_LENGTH, f"at most {MAX_LENGTH} characters")
    included: list[str] = []
    excluded: list[str] = []
    for column, term in _split_terms(source):
        taken_away = term.startswith("-") and may_exclude
        word = term[1:] if taken_away else term
        _check_term(source, column + taken_away, word)
        (excluded if taken_away else included).append(word)
    if sum(1 for word in (*included, *excluded) if _WILDCARD.search(word)) > MAX_GLOBS:
        raise source.refuse(0, f"at most {MAX_GLOBS} globs")
    return TermLists(_compile_words(included), _compile_words(excluded))


def _split_terms(source: MarkedText) -> Iterator[tuple[int, str]]:
    for match in _TERM.finditer(source.text):
        term = match[0].strip()
        if term:
            yield match.start() + match[0].index(term), term


def _check_term(source: MarkedText, column: int, word: str) -> None:
    """Refuse what can be no term."""
    if not word:
        raise source.refuse(column, "a term after -")
    match = _EXTRAORDINARY.search(word)
    if match is not None:
        expected = "a comma between two terms"
        if match[0] in "\"'=":
            expected = "the name of an event, without quotes and =; a condition stands elsewhere"
        raise source.refuse(column + match.start(), expected)
    if word.startswith("%") and word[1:] not in CLASSES:
        classes = " ".join(f"%{name}" for name in CLASSES)
        raise source.refuse(column, f"one of the classes {classes}")
    if word.startswith("-"):
        raise source.refuse(column, "the name of an event, a glob, a class or a profile, without -")


def _compile_words(words: list[str]) -> Terms:
    classes = [word for word in words if word.startswith("%")]
    profiles = [word for word in words if word in catalogue.PROFILES]
    globs = [word for word in words if _WILDCARD.search(word)]
    return Terms(
        names=frozenset(words).difference(classes, profiles, globs),
        classes=frozenset(name[1:] for name in classes),
        globs=tuple(Glob(re.compile(translate(glob)), _names_family(glob)) for glob in globs),
        profiles=tuple(catalogue.PROFILES[name] for name in profiles),
    )


def _names_family(glob: str) -> bool:
    """Return whether a glob begins with text that has a dot: ``gc.*``."""
    return "." in _WILDCARD.split(glob, maxsplit=1)[0]
