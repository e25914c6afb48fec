"""What a snapshot keeps of each kind of argument: the specification of every core."""

from __future__ import annotations

import pathlib
import socket
import types
from typing import Any, NamedTuple

import pytest

from nogi_otel.capture.snapshot import (
    MAX_ARGUMENTS,
    MAX_ELEMENTS,
    MAX_NAME,
    MAX_NESTED_ELEMENTS,
    MAX_NESTED_TEXT,
    MAX_TEXT,
    copy_arguments,
    has_base,
    name_type,
)
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef


class Text(str):
    """A ``str`` subclass."""

    __slots__ = ()


class Number(int):
    """An ``int`` subclass."""


class Pair(NamedTuple):
    """A tuple subclass."""

    left: int
    right: int


def copy_one(value: Any) -> Any:
    """Return the snapshot of one argument."""
    (copy,) = copy_arguments((value,))
    return copy


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -1, 2**63 - 1, -(2**63) + 1, 0.0, float("inf"), "", "text", b"", b"raw"],
    ids=repr,
)
def test_a_plain_value_is_itself(value: Any) -> None:
    """None, bool, int of 64 bits, float, short str and bytes are kept as they are."""
    copy = copy_one(value)
    assert copy == value
    assert type(copy) is type(value)


@pytest.mark.parametrize(
    "value", [2**63, -(2**63), 1 << 100_000, Number(2**63)], ids=["+", "-", "huge", "subclass"]
)
def test_an_int_beyond_64_bits_is_opaque(value: int) -> None:
    """An int that OTLP cannot carry is known by its type alone."""
    assert copy_one(value) == Opaque("int")


def test_a_long_text_is_clipped() -> None:
    """Of a long str or bytes the beginning and the length are kept."""
    assert copy_one("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert copy_one("x" * (MAX_TEXT + 1)) == Clipped("x" * MAX_TEXT, MAX_TEXT + 1)
    assert copy_one(b"y" * 10_000) == Clipped(b"y" * MAX_TEXT, 10_000)
    assert copy_one(Text("z" * 10_000)) == Clipped("z" * MAX_TEXT, 10_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("text"), "text"),
        (Number(7), 7),
        (socket.AF_INET, 2),
        (socket.SOCK_STREAM, 1),
    ],
)
def test_a_subclass_of_text_or_int_is_its_plain_value(value: Any, expected: Any) -> None:
    """Enum members and other subclasses of str and int become the exact type."""
    copy = copy_one(value)
    assert copy == expected
    assert type(copy) in {str, int}


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Pair(1, 2),
        {1},
        frozenset({1}),
        bytearray(b"x"),
        memoryview(b"x"),
        1j,
        ValueError(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_the_name_of_its_type(value: object) -> None:
    """An object that is not looked into is known by its type's name."""
    assert copy_one(value) == Opaque(name_type(type(value)))


def test_containers_are_copied_with_their_values() -> None:
    """Tuples and lists become tuples, dicts become dicts with text keys."""
    assert copy_one([1, ("a", [None])]) == (1, ("a", (None,)))
    table = {"key": [1], b"raw": 2, 3: 4, None: 5, ("t",): 6}
    assert copy_one(table) == {
        "key": (1,),
        "raw": 2,
        "3": 4,
        "<NoneType>": 5,
        "<tuple>": 6,
    }


def test_containers_are_cut_at_depth_width_and_sum() -> None:
    """A container has a bounded depth and width, and all of an event's share one budget."""
    assert copy_one([[[["deep"]]]]) == (((Clipped((), 1),),),)
    assert copy_one([[[[]]]]) == ((((),),),)
    assert copy_one(list(range(1000))) == Clipped(tuple(range(MAX_ELEMENTS)), 1000)
    wide = copy_one({str(number): number for number in range(1000)})
    assert wide == Clipped({str(number): number for number in range(MAX_ELEMENTS)}, 1000)
    everything = copy_arguments(tuple([[0] * 64] * 3 for _ in range(MAX_ARGUMENTS)))
    assert count_elements(everything) <= MAX_NESTED_ELEMENTS + MAX_ARGUMENTS


def count_elements(value: Any) -> int:
    """Return how many values there are in a nest."""
    if isinstance(value, Clipped):
        return count_elements(value.head)
    if isinstance(value, tuple):
        return sum(count_elements(one) for one in value) + len(value)
    if isinstance(value, dict):
        return sum(count_elements(one) for one in value.values()) + len(value)
    return 0


def test_nested_text_shares_one_budget() -> None:
    """All texts within containers share a budget; what has no room is clipped, not left out."""
    copy = copy_one(["x" * 1000] * 10)
    kept = [len(str(one.head)) if isinstance(one, Clipped) else len(one) for one in copy]
    assert sum(kept) == MAX_NESTED_TEXT
    assert len(copy) == 10
    assert copy[-1] == Clipped("", 1000)


def test_the_number_of_arguments_is_capped() -> None:
    """More arguments than the cap end in their number."""
    copy = copy_arguments(tuple(range(100)))
    assert copy == (*range(MAX_ARGUMENTS), Clipped((), 100))


def test_an_argument_tuple_of_a_subclass_is_one_argument() -> None:
    """PySys_Audit hands a tuple subclass on as it is; it is not taken apart."""
    assert copy_arguments(Pair(1, 2)) == (Opaque(f"{__name__}.Pair"),)


def test_code_is_known_by_its_name_and_place() -> None:
    """A code object, function, method or builtin becomes its name, and its place where known."""
    code = copy_one.__code__
    copy = copy_one(code)
    assert copy == CodeRef("copy_one", __file__, code.co_firstlineno)
    assert copy_one(copy_one) == CodeRef("copy_one", "", 0)
    assert copy_one(pathlib.Path().exists) == CodeRef(copy_one(pathlib.Path.exists)[0], "", 0)
    assert copy_one(len) == CodeRef("len", "", 0)
    assert copy_one({}.get) == CodeRef("get", "", 0)
    assert copy_one(types.MethodType(print, 1)) == Opaque("method")
    long = copy_one(code.replace(co_name="n" * 5000, co_filename="f" * 5000))
    assert len(long.qualified_name) <= MAX_NAME
    assert len(long.file_path) == MAX_TEXT


def test_a_socket_is_its_three_numbers() -> None:
    """A socket becomes its type's name, family, type and protocol; it is not asked for more."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        assert copy_one(one) == SocketRef("socket.socket", 2, 2, 0)


@pytest.mark.parametrize(
    "path",
    [
        pathlib.Path("/etc/hosts"),
        pathlib.Path("relative/file"),
        pathlib.Path("/"),
        pathlib.Path("."),
        pathlib.Path("/etc") / "passwd",
        pathlib.Path("/etc", "/usr", "bin"),
        pathlib.Path("/etc/hosts").parent,
        pathlib.Path("//server/share"),
        pathlib.Path("///three"),
        pathlib.Path("a") / "b" / "/c",
        pathlib.Path("/etc/hosts").with_suffix(".txt"),
        pathlib.Path("a//b/./c/"),
    ],
    ids=str,
)
def test_a_path_is_its_text(path: pathlib.Path) -> None:
    """A path becomes the text that ``str`` gives, which is what CPython opens."""
    assert copy_one(path) == str(path)


def test_a_path_of_another_kind_is_opaque() -> None:
    """A pure path opens nothing, and a subclass may mean anything: their types are named."""
    assert copy_one(pathlib.PurePosixPath("/etc")).type_name.endswith("PurePosixPath")


def test_the_name_of_a_type_has_its_module() -> None:
    """A type is named with its module, but for builtins; a name is cut at its cap."""
    assert name_type(int) == "int"
    assert name_type(socket.socket) == "socket.socket"
    assert name_type(type("n" * 1000, (), {"__module__": "m" * 1000})) == (
        f"{'m' * MAX_NAME}.{'n' * MAX_NAME}"
    )
    assert name_type(type("Odd", (), {"__module__": 5})) == "Odd"


def test_bases_are_found_without_the_metaclass() -> None:
    """``has_base`` sees what ``issubclass`` would, and asks nobody."""
    assert has_base(bool, int)
    assert not has_base(int, bool)
    assert has_base(socket.socket, object)
