"""A snapshot of any nest of values is plain, bounded and harmless; the values stay as they were."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any, NamedTuple, NoReturn

from hypothesis import given
from hypothesis import strategies as st

from nogi_otel.capture.snapshot import (
    MAX_ARGUMENTS,
    MAX_NAME,
    MAX_NESTED_ELEMENTS,
    MAX_NESTED_TEXT,
    MAX_TEXT,
    copy_arguments,
)
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef

MAX_BYTES = MAX_ARGUMENTS * 4 * MAX_TEXT + 16 * MAX_NESTED_TEXT + 256 * MAX_NESTED_ELEMENTS
"""Of a whole snapshot, pickled: whatever the arguments."""


class HostileError(Exception):
    """What every method of a hostile value raises."""


def refuse(*_: object, **__: object) -> NoReturn:
    """Stand for every method that nobody may call."""
    raise HostileError


def build_hostile(base: type, arguments: tuple[Any, ...]) -> Any:
    """Return a value of a subclass of ``base`` that raises whatever is asked of it."""
    names = "repr str iter len bool getitem contains eq ne lt index int float getattribute format"
    body: dict[str, Any] = {f"__{name}__": refuse for name in names.split()}
    body["__hash__"] = object.__hash__  # to be a key of a dict at all
    return base.__new__(type(f"Hostile_{base.__name__}", (base,), body), *arguments)


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30),
    st.floats(),
    st.text(st.characters(codec=None)),
    st.text(min_size=MAX_TEXT, max_size=3 * MAX_TEXT),
    st.binary(max_size=3 * MAX_TEXT),
)
BASES: tuple[tuple[type, tuple[Any, ...]], ...] = (
    (object, ()),
    (str, ("text",)),
    (str, ("t" * 5000,)),
    (int, (7,)),
    (int, (10**30,)),
    (float, (1.5,)),
    (bytes, (b"raw",)),
    (tuple, ((1,),)),
    (list, ()),
    (dict, ()),
    (set, ()),
)


class Hostile(NamedTuple):
    """Stands for a hostile value until the test builds it: Hypothesis would call it itself."""

    number: int


HOSTILE = st.integers(0, len(BASES) - 1).map(Hostile)
OTHERS = st.sampled_from(
    [len, json.dumps, refuse.__code__, HostileError, int, {1}, 1j, bytearray(b"b")]
)
VALUES = st.recursive(
    st.one_of(PLAIN, HOSTILE, OTHERS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=100),
        st.lists(inner).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.binary(), st.integers(), HOSTILE), inner),
    ),
    max_leaves=40,
)


def build(value: Any) -> Any:
    """Return a drawn nest with the hostile values in it."""
    kind = type(value)
    if kind is Hostile:
        base, arguments = BASES[value.number]
        return build_hostile(base, arguments)
    if kind is dict:
        return {build(key): build(one) for key, one in value.items()}
    return kind(build(one) for one in value) if kind in {list, tuple} else value


def is_plain(value: Any) -> bool:  # noqa: PLR0911 - one return a type
    """Return whether a value of a snapshot is what its type says."""
    kind = type(value)
    if value is None or kind in {bool, float}:
        return True
    if kind is int:
        return bool(abs(value) < 2**63)
    if kind in {str, bytes}:
        return len(value) <= MAX_TEXT
    if kind is Opaque:
        return type(value.type_name) is str and len(value.type_name) <= 2 * MAX_NAME + 1
    if kind is Clipped:
        return type(value.length) is int and is_plain(value.head) and fits(value)
    if kind in {CodeRef, SocketRef}:
        return all(is_plain(one) for one in value)
    if kind is dict:
        return all(type(key) is str and is_plain(one) for key, one in value.items())
    return kind is tuple and all(is_plain(one) for one in value)


def fits(value: Clipped) -> bool:
    """Return whether what was kept is no longer than the original."""
    head: Any = value.head
    return bool(len(head) <= value.length)


@given(st.lists(VALUES, max_size=MAX_ARGUMENTS + 5).map(tuple))
def test_a_snapshot_is_plain_and_bounded(arguments: tuple[Any, ...]) -> None:
    """Of any arguments, hostile ones too, the snapshot is plain values of bounded total size."""
    check_snapshot(build(arguments))


def test_a_snapshot_of_a_million_values_is_plain_and_bounded() -> None:
    """Forty arguments of a million values or of half a megabyte: the same bounds."""
    check_snapshot(([[["x" * 5000] * 100] * 100] * 100,) * 40)
    check_snapshot(({"k" * 5000 + str(number): "v" * 5000 for number in range(100)},) * 40)


def check_snapshot(arguments: tuple[Any, ...]) -> None:
    """See that the snapshot of these arguments keeps to what is promised."""
    snapshot = copy_arguments(arguments)
    assert type(snapshot) is tuple
    assert len(snapshot) <= MAX_ARGUMENTS + 1
    assert all(is_plain(value) for value in snapshot), snapshot
    assert len(pickle.dumps(snapshot)) <= MAX_BYTES


@given(st.lists(VALUES, max_size=5))
def test_a_snapshot_holds_no_container_of_the_application(arguments: list[Any]) -> None:
    """No list, dict or object of the application is in a snapshot, at any depth."""
    theirs: set[int] = set()
    built = build(tuple(arguments))
    remember(built, theirs)
    assert not find_shared(copy_arguments(built), theirs)


def remember(value: Any, theirs: set[int]) -> None:
    """Note the identity of everything that can change or be hostile."""
    kind = type(value)
    if kind in {list, dict} or kind.__name__.startswith("Hostile"):
        theirs.add(id(value))
    if kind in {list, tuple}:
        for one in value:
            remember(one, theirs)
    elif kind is dict:
        for key, one in value.items():
            remember(key, theirs)
            remember(one, theirs)


def find_shared(value: Any, theirs: set[int]) -> bool:
    """Return whether something of the application's is in a snapshot."""
    if id(value) in theirs:
        return True
    if type(value) is dict:
        return any(find_shared(one, theirs) for one in value.values())
    return isinstance(value, tuple) and any(find_shared(one, theirs) for one in value)


CHANGEABLE = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)


@given(CHANGEABLE)
def test_the_original_is_untouched_and_free_to_change(value: Any) -> None:
    """Taking a snapshot changes nothing, and no later change of the value changes the snapshot."""
    before = copy.deepcopy(value)
    snapshot = copy_arguments((value,))
    taken = repr(snapshot)
    assert repr(value) == repr(before)
    empty(value)
    assert repr(snapshot) == taken


def empty(value: Any) -> None:
    """Change a value as deep as it goes."""
    if isinstance(value, (list, dict)):
        for one in list(value.values() if isinstance(value, dict) else value):
            empty(one)
        value.clear()


SMALL = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(st.lists(SMALL, max_size=8).map(tuple))
def test_small_values_survive_as_they_are(arguments: tuple[Any, ...]) -> None:
    """What is small and no deeper than the cap is in the snapshot, equal to the original."""
    snapshot = copy_arguments(arguments)
    if measure_depth(arguments) <= 4:
        assert snapshot == arguments


def measure_depth(value: Any) -> int:
    """Return how many containers stand in one another."""
    if isinstance(value, dict):
        return 1 + max((measure_depth(one) for one in value.values()), default=0)
    if isinstance(value, tuple):
        return 1 + max((measure_depth(one) for one in value), default=0)
    return 0
