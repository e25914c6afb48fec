"""Selection, for any text and any event: compiled as written, or refused, and nothing else."""

from __future__ import annotations

import operator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hypothesis import assume, example, given
from hypothesis import strategies as st

from nogi_otel import catalogue
from nogi_otel.errors import SelectionError
from nogi_otel.selection import compile_selection
from nogi_otel.selection.terms import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Comparison(NamedTuple):
    """A comparison, as a tree."""

    name: str
    sign: str
    values: tuple[Any, ...]


class Not(NamedTuple):
    """A negation."""

    inner: Tree


class Join(NamedTuple):
    """Parts joined by one word."""

    word: str
    parts: tuple[Tree, ...]


Tree: TypeAlias = "Comparison | Not | Join"

NAMES = st.sampled_from(["event", "file.path", "thread.id", "a", "b-c", "in_", "nothing"])
STRINGS = st.sampled_from(
    ["", "a", "b", "/etc/*", "*", "a?c", "[ab]", "'", '"', "\\", "é\n"]
) | st.text(st.characters(codec="utf-8"), max_size=6)
NUMBERS = st.integers(-9, 9) | st.floats(-9, 9, allow_nan=False)
LITERALS = STRINGS | NUMBERS | st.booleans()
VIEWS = st.dictionaries(
    NAMES,
    LITERALS | st.none() | st.lists(LITERALS, max_size=3).map(tuple) | st.binary(max_size=2),
    max_size=6,
)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """Return any comparison that the grammar allows."""
    sign = draw(st.sampled_from(["==", "!=", "=~", "!~", *ORDERS, "in", "not in"]))
    values: tuple[Any, ...]
    if sign.endswith("~"):
        values = (draw(STRINGS),)
    elif sign.endswith("in"):
        values = tuple(draw(st.lists(LITERALS, min_size=1, max_size=3)))
    else:
        values = (draw(LITERALS),)
    return Comparison(draw(NAMES), sign, values)


def join(parts: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Return trees made of smaller ones."""
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, parts) | st.builds(Join, st.sampled_from(["and", "or"]), several)


TREES: st.SearchStrategy[Tree] = st.recursive(comparisons(), join, max_leaves=8)


def print_value(value: Any) -> str:
    """Write a literal in the language of conditions."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        body = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{body}"'
    return repr(value)


def print_tree(tree: Tree) -> str:
    """Write a condition with no more parentheses than it needs."""
    if isinstance(tree, Comparison):
        values = ", ".join(map(print_value, tree.values))
        return f"{tree.name} {tree.sign} " + (f"({values})" if tree.sign.endswith("in") else values)
    if isinstance(tree, Not):
        inner = print_tree(tree.inner)
        return f"not ({inner})" if isinstance(tree.inner, Join) else f"not {inner}"
    # Inside "and" an "or" needs them; one word inside itself reads the same without.
    parts = [
        f"({print_tree(part)})"
        if isinstance(part, Join) and (tree.word, part.word) == ("and", "or")
        else print_tree(part)
        for part in tree.parts
    ]
    return f" {tree.word} ".join(parts)


def evaluate(tree: Tree, view: Mapping[str, Any]) -> bool:
    """Say what a condition means: the reference, written for reading."""
    if isinstance(tree, Not):
        return not evaluate(tree.inner, view)
    if isinstance(tree, Join):
        results = [evaluate(part, view) for part in tree.parts]
        return all(results) if tree.word == "and" else any(results)
    value = view.get(tree.name)
    if isinstance(value, tuple):
        meets = [compare(tree, one) for one in value]
        of_all = tree.sign in {"!=", "!~", "not in"}
        return bool(meets) and (all(meets) if of_all else any(meets))
    return compare(tree, value)


def compare(comparison: Comparison, value: Any) -> bool:
    """Compare one value."""
    alike = [one for one in comparison.values if kind_of(one) == kind_of(value)]
    if not alike or kind_of(value) == "":
        return False
    sign = comparison.sign
    if sign in ORDERS:
        return ORDERS[sign](value, alike[0])
    if sign in {"=~", "!~"}:
        return fnmatchcase(value, alike[0]) is (sign == "=~")
    return any(one == value for one in alike) is (sign in {"==", "in"})


def kind_of(value: Any) -> str:
    """Return the kind within which values can be compared."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else ""


@given(TREES, VIEWS)
def test_condition_means_what_the_reference_says(tree: Tree, view: dict[str, Any]) -> None:
    """A condition that is written out, compiled and evaluated agrees with the reference."""
    text = print_tree(tree)
    assume(len(text) <= 4096)
    assert compile_selection("*", "", text).matches(view) is evaluate(tree, view)


@given(TREES, st.data())
def test_blanks_do_not_matter(tree: Tree, data: st.DataObject) -> None:
    """More parentheses and line breaks around a condition change nothing."""
    text = print_tree(tree)
    view = data.draw(VIEWS)
    wide = f"\n(\t{text} ) "
    assert compile_selection("*", "", wide).matches(view) is evaluate(tree, view)


WORDS = st.sampled_from(
    [
        "and",
        "or",
        "not",
        "in",
        "(",
        ")",
        ",",
        "==",
        "!=",
        "=~",
        "<",
        "=",
        "!",
        "a",
        "file.path",
        '"x"',
        "'",
        '"',
        "\\",
        "1",
        "0x",
        "-",
        "true",
        " ",
        "\n",
        "é",
        "\x00",
        "\ud800",
    ]
)
ANY_TEXT = (
    st.text(st.characters(codec=None), max_size=30)
    | st.lists(WORDS, max_size=25).map("".join)
    | st.lists(WORDS, max_size=25).map(" ".join)
)


@given(ANY_TEXT, VIEWS)
def test_any_condition_is_read_or_refused(text: str, view: dict[str, Any]) -> None:
    """Any text gives a condition or an error that points into it."""
    try:
        selection = compile_selection("*", "", text)
    except SelectionError as error:
        check_caret(str(error), text)
    else:
        assert selection.matches(view) in {True, False}


TERMS = st.sampled_from(
    [
        *catalogue.PROFILES,
        *(f"%{name}" for name in CLASSES),
        "socket.connect",
        "object.__getattr__",
        "socket.*",
        "*",
        "o*",
        "gc.*",
        "[",
        "*[",
        "[!",
        "%",
        "-",
        " ",
        ",",
        "\t",
        '"',
        "my.event",
    ]
)
ANY_TERMS = st.lists(TERMS, max_size=8).map(",".join) | st.lists(TERMS, max_size=8).map("".join)
EVENTS = st.sampled_from([*catalogue.CATALOGUE, "my.event", ""]) | st.text(max_size=12)


@given(ANY_TERMS | ANY_TEXT, ANY_TERMS | ANY_TEXT | st.just(""), EVENTS)
@example("*", "*" * 50 + "b", "a" * 200)
def test_any_terms_are_read_or_refused(events: str, excluded: str, event: str) -> None:
    """Any two texts give a selection or an error that points into one of them."""
    try:
        selection = compile_selection(events, excluded)
    except SelectionError as error:
        check_caret(str(error), events if "the selection" in str(error) else excluded)
    else:
        assert selection.selects(event) in {True, False}


def check_caret(message: str, text: str) -> None:
    """Assert that the error has three lines, the last of which points under the second."""
    first, shown, caret = message.split("\n")
    assert "expected" in first
    assert caret.strip() == "^"
    assert len(caret) <= len(shown) + 1 or text == ""
    assert all(line.isprintable() for line in (first, shown, caret))


@given(st.lists(TERMS, min_size=1, max_size=5), st.lists(TERMS, max_size=3), EVENTS)
def test_excluding_only_takes_away(events: list[str], excluded: list[str], event: str) -> None:
    """What an exclusion takes is not selected; what it leaves is as it was without it."""
    try:
        selection = compile_selection(",".join(events), ",".join(excluded))
        alone = compile_selection(",".join(events))
    except SelectionError:
        assume(False)
    assert selection.selects(event) <= alone.selects(event)
    if event in excluded:
        assert not selection.selects(event)
