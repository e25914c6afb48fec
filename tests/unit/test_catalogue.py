"""The catalogue as data: complete against CPython's own tables and calls, and sound in itself."""

from __future__ import annotations

import ast
import csv
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nogi_otel import catalogue
from nogi_otel.catalogue import CATALOGUE, DUPLICATES, PROFILES
from nogi_otel.catalogue.decoders import DECODERS, GROUP_DECODERS
from nogi_otel.catalogue.display import compile_display
from nogi_otel.catalogue.entry import (
    ALL_ARGUMENTS,
    Attribute,
    Constant,
    Description,
    Entry,
    EventClass,
    Group,
)
from nogi_otel.catalogue.plans import compile_plan
from nogi_otel.catalogue.profiles import CLASS_MARK, is_glob

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data"
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
SOURCE = Path(catalogue.__file__).parents[2]

# What the documentation calls otherwise than the code raises it: Python/sysmodule.c says "hook",
# Modules/_ctypes/callproc.c says "set_exception".
MISSPELT = {
    "sys.set_asyncgen_hooks_finalizer": "sys.set_asyncgen_hook_finalizer",
    "sys.set_asyncgen_hooks_firstiter": "sys.set_asyncgen_hook_firstiter",
    "ctypes.seh_exception": "ctypes.set_exception",
}
# Arguments that the code names otherwise than the documentation: os.truncate takes both, and the
# documentation has the directive of os.ftruncate last.
RENAMED = {
    ("ctypes.string_at", "address"): "ptr",
    ("ctypes.wstring_at", "address"): "ptr",
    ("os.truncate", "fd"): "path",
}
# "O" with the tuple of the function's own arguments: the hook gets its elements.
PASSES_ITS_ARGUMENTS = {"ctypes.dlsym", "ctypes.dlsym/handle"}


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a table below ``tests/data``, without its comments."""
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def find_audit_calls() -> Iterator[tuple[str, int]]:
    """Yield the name and the number of arguments of each ``sys.audit`` call of this Python."""
    left_out = {"site-packages", "test", "tests", "idle_test", "__pycache__"}
    for path in STANDARD_LIBRARY.rglob("*.py"):
        if left_out.isdisjoint(path.relative_to(STANDARD_LIBRARY).parts):
            text = path.read_bytes()
            if b"audit(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                event = node.args[0]
                if name == "audit" and isinstance(event, ast.Constant):
                    yield str(event.value), len(node.args) - 1


def count_arguments(format_: str) -> int:
    """Return the number of arguments that a format of ``Py_BuildValue`` makes."""
    return len([character for character in format_ if character.isalpha()])


def test_documented_events_are_covered() -> None:
    """Every event of CPython's documentation has an entry, under the name that is raised."""
    documented = {MISSPELT.get(row["event"], row["event"]) for row in read_documented()}
    assert documented - CATALOGUE.keys() == set()
    assert len(documented) > 190


def test_documented_arguments_are_named_alike() -> None:
    """The arguments have the names of CPython's documentation, in its order."""
    for row in read_documented():
        event = row["event"]
        names = tuple(RENAMED.get((event, name), name) for name in row["arguments"].split())
        assert CATALOGUE[MISSPELT.get(event, event)].arguments == names, event


def read_documented() -> list[dict[str, str]]:
    """Return the rows of CPython's documentation."""
    return read_table("audit_events_documented.csv")


def test_events_raised_in_c_are_covered() -> None:
    """Every call of ``PySys_Audit`` in four builds has an entry with that many arguments."""
    rows = read_table("audit_events_raised.csv")
    assert len(rows) > 110
    for row in rows:
        entry = CATALOGUE[row["event"]]
        if row["event"] in PASSES_ITS_ARGUMENTS:
            continue
        counts = {count_arguments(format_) for format_ in row["formats"].split()}
        assert counts == {len(entry.arguments)}, row


def test_raised_events_are_known_since_that_python() -> None:
    """An event seen in a build is not said to be newer than it, nor to be gone by then."""
    for row in read_table("audit_events_raised.csv"):
        entry = CATALOGUE[row["event"]]
        for python in row["pythons"].split():
            major, minor = (int(part) for part in python.split(".")[:2])
            assert entry.since <= (major, minor), row
            assert entry.until is None or (major, minor) < entry.until, row


def test_events_of_the_standard_library_are_covered() -> None:
    """Every ``sys.audit`` call in the source of this Python's library has an entry that fits."""
    calls = set(find_audit_calls())
    assert len(calls) > 35
    for event, count in calls:
        entry = CATALOGUE[event]
        shorter = event == "shutil.rmtree" and sys.version_info < (3, 11)
        assert len(entry.arguments) - shorter == count, event
        assert entry.since <= sys.version_info[:2], event
        assert entry.until is None or sys.version_info[:2] < entry.until, event


def test_event_names_are_unique() -> None:
    """No event has two entries."""
    groups = (
        catalogue.database,
        catalogue.execution,
        catalogue.files,
        catalogue.native,
        catalogue.network,
        catalogue.processes,
        catalogue.runtime,
        catalogue.windows,
    )
    counts = Counter(entry.event for group in groups for entry in group.ENTRIES)
    assert counts.most_common(1)[0][1] == 1
    assert counts.keys() == CATALOGUE.keys()


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.event)
def test_entry_is_sound(entry: Entry) -> None:
    """An entry names its own arguments, decoders that exist, and each key once."""
    assert len(set(entry.arguments)) == len(entry.arguments)
    assert set(entry.withheld) <= set(entry.arguments)
    assert len(set(entry.attribute_keys)) == len(entry.attribute_keys)
    assert entry.event_class in EventClass.__args__  # type: ignore[attr-defined]
    assert entry.event_class != "custom"
    for attribute in entry.attributes:
        match attribute:
            case Attribute():
                assert attribute.decoder in DECODERS
                assert attribute.argument in entry.arguments
            case Group():
                assert attribute.decoder in GROUP_DECODERS
                assert attribute.argument in {*entry.arguments, ALL_ARGUMENTS}
            case Constant():
                assert attribute.value
    shown = {
        key for part in compile_display(entry) for key in (part.key, *part.others, *part.port_keys)
    }
    assert shown <= set(entry.attribute_keys)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.event)
def test_withheld_argument_feeds_no_attribute(entry: Entry) -> None:
    """No attribute is made of an argument that must not leave the process."""
    used = {
        attribute.argument for attribute in entry.attributes if not isinstance(attribute, Constant)
    }
    assert used.isdisjoint(entry.withheld)


def test_every_decoder_is_used() -> None:
    """There is no decoder that no entry names."""
    used = {
        attribute.decoder
        for entry in CATALOGUE.values()
        for attribute in entry.attributes
        if not isinstance(attribute, Constant)
    }
    assert used == DECODERS.keys() | GROUP_DECODERS.keys()


def test_unknown_argument_is_refused() -> None:
    """An entry whose attribute names no argument of its own is not loaded."""
    entry = Entry("x.y", ("a",), "os", (Attribute("python.audit.x", "b"),))
    with pytest.raises(ValueError, match=r"x\.y: an attribute names an argument or decoder"):
        compile_plan(entry)


def test_unknown_decoder_is_refused() -> None:
    """An entry whose attribute names no decoder is not loaded."""
    entry = Entry("x.y", ("a",), "os", (Attribute("python.audit.x", "a", "runes"),))
    with pytest.raises(ValueError, match=r"x\.y: an attribute names an argument or decoder"):
        compile_plan(entry)


@pytest.mark.parametrize("text", ["", "plain", "{", "{}", "{a", "{a}{b}", "{a}:{b"])
def test_unreadable_display_part_is_refused(text: str) -> None:
    """A display part has exactly one place for an attribute."""
    entry = Entry("x.y", ("a",), "os", (Attribute("a", "a"),), display=(text,))
    with pytest.raises(ValueError, match=r"x\.y: the display part"):
        compile_display(entry)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("subprocess.Popen", ("env",)),
        ("os.exec", ("env",)),
        ("os.posix_spawn", ("env",)),
        ("os.spawn", ("env",)),
        ("_posixsubprocess.fork_exec", ("env",)),
        ("os.putenv", ("value",)),
        ("http.client.send", ("data",)),
        ("urllib.Request", ("data", "headers")),
        ("smtplib.send", ("data",)),
        ("ftplib.sendcmd", ("cmd",)),
        ("imaplib.send", ("data",)),
        ("poplib.putline", ("line",)),
        ("nntplib.putline", ("line",)),
        ("telnetlib.Telnet.write", ("buffer",)),
        ("builtins.input/result", ("result",)),
        ("cpython.run_command", ("command",)),
        ("cpython.PyConfig_Set", ("value",)),
        ("compile", ("source",)),
        ("marshal.loads", ("bytes",)),
        ("marshal.dumps", ("value",)),
        ("object.__setattr__", ("value",)),
        ("os.setxattr", ("value",)),
        ("syslog.syslog", ("message",)),
        ("_thread.start_new_thread", ("args", "kwargs")),
        ("array.__new__", ("initializer",)),
        ("gc.get_referents", ("objs",)),
        ("gc.get_referrers", ("objs",)),
        ("ctypes.call_function", ("arguments",)),
        ("ctypes.create_string_buffer", ("init",)),
        ("ctypes.create_unicode_buffer", ("init",)),
        ("fcntl.fcntl", ("arg",)),
        ("fcntl.ioctl", ("arg",)),
        ("winreg.SetValue", ("value",)),
    ],
)
def test_secret_arguments_are_withheld(event: str, arguments: tuple[str, ...]) -> None:
    """Payloads, environments and what a person types never leave by default."""
    assert CATALOGUE[event].withheld == arguments


def test_nothing_else_is_withheld() -> None:
    """The list above is complete: whoever withholds more says so there."""
    marks = test_secret_arguments_are_withheld.pytestmark  # type: ignore[attr-defined]
    listed = {event for event, _ in marks[0].args[1]}
    assert {event for event, entry in CATALOGUE.items() if entry.withheld} == listed


def test_warnings_are_a_short_table() -> None:
    """Foreign code, replaced or injected programs and hooks are warnings; the rest is not."""
    warned = {
        event
        for event, entry in CATALOGUE.items()
        if entry.severity == "WARN" and entry.event_class != "ctypes"
    }
    assert warned == {
        "_winapi.TerminateProcess",
        "builtins.breakpoint",
        "cpython.PyConfig_Set",
        "cpython.remote_debugger_script",
        "os.exec",
        "os.system",
        "pdb.Pdb",
        "pty.spawn",
        "setopencodehook",
        "sqlite3.enable_load_extension",
        "sqlite3.load_extension",
        "sys.addaudithook",
        "sys.excepthook",
        "sys.monitoring.register_callback",
        "sys.remote_exec",
        "sys.setprofile",
        "sys.settrace",
        "sys.unraisablehook",
    }
    assert {e.severity for e in CATALOGUE.values() if e.event_class == "ctypes"} == {"WARN"}


def test_profiles_name_what_exists() -> None:
    """Each item of a profile is an event, a class or a glob that selects something."""
    for profile in PROFILES.values():
        for item in profile.include:
            if item.startswith(CLASS_MARK):
                assert item[1:] in EventClass.__args__  # type: ignore[attr-defined]
            elif not is_glob(item):
                assert item in CATALOGUE, (profile.name, item)
            else:
                assert any(profile.selects(event, e) for event, e in CATALOGUE.items()), item
        assert profile.conditions.keys() <= set(profile.include), profile.name


def test_profiles_have_their_names() -> None:
    """The eight profiles exist, the default first."""
    assert list(PROFILES) == [
        "incident",
        "network",
        "files",
        "processes",
        "database",
        "imports",
        "security",
        "everything",
    ]
    assert catalogue.DEFAULT_PROFILE == "incident"


@pytest.mark.parametrize(
    ("event", "profiles"),
    [
        ("socket.connect", ("incident", "network", "database", "security", "everything")),
        ("socket.sendto", ("network", "everything")),
        ("socket.gethostname", ("everything",)),
        ("open", ("incident", "files", "security", "everything")),
        ("os.listdir", ("files", "everything")),
        ("subprocess.Popen", ("incident", "processes", "security", "everything")),
        ("sqlite3.connect", ("incident", "database", "everything")),
        ("sqlite3.connect/handle", ("database", "everything")),
        ("import", ("imports", "everything")),
        ("pickle.find_class", ("security", "everything")),
        ("ctypes.set_errno", ("everything",)),
        ("ctypes.dlopen", ("incident", "imports", "security", "everything")),
        ("time.sleep", ("everything",)),
        ("object.__getattr__", ("everything",)),
        ("order.placed", ("incident", "everything")),
        ("dd.hook", ("everything",)),
    ],
)
def test_profiles_of_an_event(event: str, profiles: tuple[str, ...]) -> None:
    """A profile selects by name, glob and class; noise only by name or with ``everything``."""
    assert catalogue.profiles_of(event) == profiles


def test_incident_takes_no_noise() -> None:
    """The default profile selects nothing that is hot."""
    profile = PROFILES["incident"]
    selected = [event for event, entry in CATALOGUE.items() if profile.selects(event, entry)]
    assert not [event for event in selected if CATALOGUE[event].noise]
    assert 60 <= len(selected) <= 90


def test_everything_takes_all() -> None:
    """The last profile leaves nothing out."""
    profile = PROFILES["everything"]
    assert all(profile.selects(event, entry) for event, entry in CATALOGUE.items())
    assert profile.selects("order.placed", None)


def test_duplicates_name_what_exists() -> None:
    """Both events of a pair have an entry, and no pair goes round in a circle."""
    for event, other in DUPLICATES.items():
        assert {event, other} <= CATALOGUE.keys()
        assert DUPLICATES.get(other) != event


def test_classes_are_told() -> None:
    """An event without an entry is of the class custom."""
    assert catalogue.classify("socket.connect") == "network"
    assert catalogue.classify("order.placed") == "custom"
    assert catalogue.find("order.placed") is None


def test_unknown_event_gives_typed_arguments() -> None:
    """The scalars of a custom event keep their types; the rest is left to the arguments."""
    description = catalogue.describe("order.placed", ("a-17", 3, 9.5, True, None, (1, 2), b"\0"))
    assert description == Description(
        {
            "python.audit.arg.0": "a-17",
            "python.audit.arg.1": 3,
            "python.audit.arg.2": 9.5,
            "python.audit.arg.3": True,
        },
        "order.placed a-17 3 9.5 True",
        "INFO",
    )


def test_unknown_event_is_bounded() -> None:
    """A custom event gives sixteen attributes at most, and one line whatever its name is."""
    description = catalogue.describe("order\nplaced\x1b[31m" * 99, tuple(range(99)))
    assert len(description.attributes) == 16
    assert len(description.display) == 256
    assert description.display.isprintable()


def test_catalogue_loads_nothing_that_gevent_patches() -> None:
    """Importing the catalogue loads no module of sockets, TLS, threads or child processes."""
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n"
        "import nogi_otel.catalogue\n"
        "print(*sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = set(finished.stdout.split())
    assert "nogi_otel.catalogue" in loaded
    assert loaded.isdisjoint(
        {"socket", "_socket", "ssl", "select", "subprocess", "threading", "queue", "asyncio"}
    )
    assert not [name for name in loaded if name.startswith("opentelemetry")]
