"""Selection: terms by name, the conditions of profiles, and what cannot be read."""

from __future__ import annotations

import re

import pytest

from nogi_otel import catalogue
from nogi_otel.errors import SelectionError
from nogi_otel.selection import compile_selection

CUSTOM = "shop.order.placed"
NOISE = "object.__getattr__"


def list_selected(events: str, excluded: str = "") -> set[str]:
    """Return the events of the catalogue, and one that it lacks, that a selection takes."""
    selection = compile_selection(events, excluded)
    return {event for event in (*catalogue.CATALOGUE, CUSTOM) if selection.selects(event)}


def list_class(name: str, *, noise: bool) -> set[str]:
    """Return the events of a class, with or without its noise."""
    return {
        entry.event
        for entry in catalogue.CATALOGUE.values()
        if entry.event_class == name and (noise or not entry.noise)
    }


def test_name_selects_one_event() -> None:
    """An exact name selects that event alone, noise or not, known or not."""
    for event in ("socket.connect", NOISE, CUSTOM):
        assert list_selected(event) == {event}


def test_names_are_case_sensitive() -> None:
    """A name in other letters is another event."""
    assert list_selected("Socket.Connect,subprocess.popen") == set()


@pytest.mark.parametrize("name", ["network", "file", "process", "db", "os", "thread", "memory"])
def test_class_selects_its_events_without_noise(name: str) -> None:
    """A class selects its events; its noise only where it holds nothing else."""
    quiet = list_class(name, noise=False)
    assert list_selected(f"%{name}") == (quiet or list_class(name, noise=True))


def test_class_of_noise_alone_selects_it() -> None:
    """All of %import is noise, and who asks for it wants it."""
    assert list_class("import", noise=False) == set()
    assert list_selected("%import") == {"import"}


def test_class_custom_is_what_the_catalogue_lacks() -> None:
    """%custom selects the events of applications, and none of CPython's."""
    assert list_selected("%custom") == {CUSTOM}


@pytest.mark.parametrize(
    ("glob", "taken", "left"),
    [
        ("socket.*", {"socket.connect", "socket.sendto"}, {"ssl.connect", CUSTOM}),
        ("gc.*", {"gc.get_objects"}, {"socket.connect"}),
        ("*.connect", {"socket.connect", "sqlite3.connect"}, {"socket.bind"}),
        ("socket.get*by????", {"socket.gethostbyname", "socket.gethostbyaddr"}, {"socket.bind"}),
        ("os.[rm]*", {"os.remove", "os.mkdir"}, {"os.fork"}),
        ("shop.*", {CUSTOM}, {"socket.connect"}),
        ("*", {"socket.connect", CUSTOM}, {NOISE, "import", "gc.get_objects", "socket.sendto"}),
        ("o*", {"os.fork"}, {NOISE}),
        ("*.__getattr__", set(), {NOISE}),
        ("object.__get*", {NOISE}, {"object.__setattr__"}),
    ],
)
def test_glob(glob: str, taken: set[str], left: set[str]) -> None:
    """A glob takes noise only where its text before the first wildcard has a dot."""
    selected = list_selected(glob)
    assert taken <= selected
    assert not left & selected


@pytest.mark.parametrize("name", sorted(catalogue.PROFILES))
def test_profile_is_what_the_catalogue_says(name: str) -> None:
    """A profile selects what its definition in the catalogue selects."""
    assert {event for event in list_selected(name) if event != CUSTOM} == {
        event for event in catalogue.CATALOGUE if name in catalogue.profiles_of(event)
    }


def test_everything_is_everything() -> None:
    """The profile ``everything`` selects noise and custom events too."""
    assert list_selected("everything") == {*catalogue.CATALOGUE, CUSTOM}


def test_terms_add_up() -> None:
    """A list selects what any of its terms selects."""
    union = list_selected("%db") | list_selected("os.*") | list_selected("incident") | {NOISE}
    assert list_selected(f"%db, os.* ,incident,,{NOISE},") == union


@pytest.mark.parametrize(
    ("events", "excluded"),
    [
        ("%network", "socket.connect"),
        ("%network,-socket.connect", ""),
        ("-socket.connect,%network", ""),
        ("socket.connect,%network", "socket.c*"),
        ("everything", "%network"),
        ("everything", "*"),
        ("incident,-%network", ""),
        ("incident,socket.connect", "network"),
    ],
)
def test_excluded_wins(events: str, excluded: str) -> None:
    """What is excluded is not selected, however it is named and wherever it stands."""
    assert "socket.connect" not in list_selected(events, excluded)


def test_exclusion_reaches_noise() -> None:
    """A glob or class that is taken away takes its noise with it."""
    for excluded in ("*", "object.*", "%code", "*.__getattr__"):
        assert NOISE not in list_selected("everything", excluded)


def test_unknown_names_are_told() -> None:
    """A name that CPython does not raise is allowed, and told, so that a slip can be seen."""
    selection = compile_selection("socket.conect,shop.*,incident,os.fork,shop.order.placed")
    assert selection.unknown_names == ("shop.order.placed", "socket.conect")


@pytest.mark.parametrize(
    ("events", "column", "expected"),
    [
        ("", 1, "such as incident"),
        (" , ,", 5, "such as incident"),
        ("-socket.*", 10, "such as incident"),
        ("%netwrk", 1, "%network %file %process %db %import %code"),
        ("incident,%netwrk", 10, "%network %file"),
        ("incident, %", 11, "%network"),
        ("incident,-%netwrk", 11, "%network"),
        ("%net*", 1, "%network"),
        ("socket.* open", 9, "a comma"),
        ("incident,socket.*\topen", 18, "a comma"),
        ("incident,-", 11, "a term after -"),
        ("incident,--open", 11, "without -"),
        ('file.path=="x"', 10, "without quotes"),
        ("a" * 20_000, 16_385, "at most 16384"),
        (",".join(["a*"] * 300), 1, "at most 256 globs"),
    ],
)
def test_terms_that_cannot_be_read(events: str, column: int, expected: str) -> None:
    """The error names the column, marks it with a caret and says what was expected."""
    with pytest.raises(SelectionError) as caught:
        compile_selection(events)
    check_error(str(caught.value), events, column, expected)


def test_exclusion_that_cannot_be_read() -> None:
    """The list of exclusions is refused in the same words, and takes no minus."""
    with pytest.raises(SelectionError, match="the exclusion cannot be read at column 6:"):
        compile_selection("incident", "os.*,%netwrk")
    with pytest.raises(SelectionError, match="without -"):
        compile_selection("incident", "-socket.*")


def check_error(message: str, text: str, column: int, expected: str) -> None:
    """Assert that an error shows the text and points to the column."""
    first, shown, caret = message.split("\n")
    assert f"at column {column}:" in first
    assert expected in first
    assert caret.strip() == "^"
    assert max(map(len, (shown, caret))) <= 106
    if column <= len(text) and " " <= text[column - 1] <= "~":
        assert shown[caret.index("^")] == text[column - 1]


def test_profile_brings_its_own_condition() -> None:
    """``incident`` takes files that are written, and not the interpreter reading its own code."""
    selection = compile_selection("incident")
    assert selection.has_condition
    assert selection.is_conditional("open")
    assert not selection.is_conditional("socket.connect")
    opened = catalogue.describe("open", ("/usr/lib/python3/a.py", "r", 524288)).attributes
    assert not selection.matches({**opened, "event": "open"})
    opened = catalogue.describe("open", ("/srv/a", "w", 524865)).attributes
    assert selection.matches({**opened, "event": "open"})
    assert selection.matches({"event": "socket.connect"})
    assert selection.matches({"event": CUSTOM})


@pytest.mark.parametrize(
    "events", ["incident,open", "open,incident", "incident,%file", "incident,op*"]
)
def test_naming_an_event_lifts_the_condition_of_a_profile(events: str) -> None:
    """Who names an event beside a profile wants all of it."""
    assert not compile_selection(events).is_conditional("open")


def test_one_profile_without_a_condition_is_enough() -> None:
    """An event is unconditional where one of the profiles selects it unconditionally."""
    assert catalogue.PROFILES["security"].conditions["open"]
    assert compile_selection("incident,security").is_conditional("open")
    assert not compile_selection("incident,everything").is_conditional("open")


def test_conditions_of_profile_and_user_must_both_hold() -> None:
    """A condition of the user's narrows what a profile takes."""
    selection = compile_selection("incident", "", 'file.path =~ "/srv/*"')
    written = catalogue.describe("open", ("/srv/a", "w", 524865)).attributes
    assert selection.matches({**written, "event": "open"})
    assert not selection.matches({**written, "event": "open", "file.path": "/var/a"})
    selection = compile_selection("incident", "", 'file.path =~ "*.py"')
    read = catalogue.describe("open", ("/usr/lib/python3/a.py", "r", 524288)).attributes
    assert not selection.matches({**read, "event": "open"})


def test_conditions_of_all_profiles_can_be_read() -> None:
    """Every profile of the catalogue compiles."""
    for name in catalogue.PROFILES:
        assert compile_selection(name).events == name


def test_selection_shows_its_texts() -> None:
    """What a window was opened with can be read back, for the record of its opening."""
    selection = compile_selection("incident", "os.*", 'event == "x"')
    shown = repr(selection)
    assert re.fullmatch(r"Selection\(events='incident', excluded_events='os\.\*', .*\)", shown)
    assert selection.where == 'event == "x"'
