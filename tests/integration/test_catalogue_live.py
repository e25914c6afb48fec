"""The catalogue against what this Python really raises, asked in child processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nogi_otel import catalogue
from nogi_otel.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Mapping

EXERCISE = Path(__file__).with_name("standard_library_exercise.py")
SOURCE = Path(catalogue.__file__).parents[2]
TIMEOUT = 120
PYTHON = sys.version_info[:2]

Shapes = dict[str, set[tuple[str, ...]]]

# What the exercise does not raise, each for its reason.
ONLY_WINDOWS = {
    "ctypes.get_last_error",
    "ctypes.set_exception",
    "ctypes.set_last_error",
    "os.add_dll_directory",
    "os.listdrives",
    "os.listmounts",
    "os.listvolumes",
    "os.spawn",
    "os.startfile",
    "os.startfile/2",
    *(name for name in CATALOGUE if name.startswith(("_winapi.", "_wmi.", "msvcrt.", "winreg."))),
}
ONLY_BSD = {"os.chflags"}
BEFORE_OR_AFTER_HOOKS = {
    "cpython.PyInterpreterState_Clear",
    "cpython._PySys_ClearAuditHooks",
    "cpython.run_command",
    "cpython.run_file",
    "cpython.run_module",
    "cpython.run_startup",
    "cpython.run_stdin",
    "sys.excepthook",
}
NEEDS_A_TERMINAL = {"builtins.input/result", "cpython.run_interactivehook"}
CHANGES_THE_MACHINE = {"ensurepip.bootstrap", "socket.sethostname"}
NEEDS_THE_C_API = {"cpython.PyConfig_Set", "setopencodehook"}
NEEDS_ANOTHER_PROCESS = {"cpython.remote_debugger_script", "sys.remote_exec"}
# Raised by the creating interpreter up to 3.12 only; sqlite3 may lack extensions; threading uses
# one of the two.
DEPENDS_ON_THE_BUILD = {
    "_thread.start_new_thread",
    "cpython.PyInterpreterState_New",
    "sqlite3.enable_load_extension",
    "sqlite3.load_extension",
}
NOT_EXERCISED = (
    ONLY_WINDOWS
    | ONLY_BSD
    | BEFORE_OR_AFTER_HOOKS
    | NEEDS_A_TERMINAL
    | CHANGES_THE_MACHINE
    | NEEDS_THE_C_API
    | NEEDS_ANOTHER_PROCESS
    | DEPENDS_ON_THE_BUILD
)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Shapes:
    """What the standard library raises while it is used: types of the arguments, by event."""
    folder = tmp_path_factory.mktemp("exercise")
    work = folder / "work"
    work.mkdir()
    report = folder / "report.json"
    finished = subprocess.run(
        [sys.executable, "-I", "-S", str(EXERCISE), str(report)],
        check=False,
        cwd=work,
        input="typed\n",
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert finished.returncode == 0, finished.stderr
    raised: Shapes = {}
    for event, types in json.loads(report.read_text(encoding="utf-8")):
        raised.setdefault(event, set()).add(tuple(types))
    return raised


def test_every_raised_event_has_an_entry(shapes: Shapes) -> None:
    """What the standard library raises while it is used is in the catalogue."""
    assert shapes.keys() - CATALOGUE.keys() == set()


def test_every_raised_event_has_its_arguments(shapes: Shapes) -> None:
    """An event comes with as many arguments as its entry names."""
    for event, calls in shapes.items():
        shorter = event == "shutil.rmtree" and PYTHON < (3, 11)
        counts = {len(types) for types in calls}
        assert counts == {len(CATALOGUE[event].arguments) - shorter}, event


def test_the_exercise_raises_what_this_python_can(shapes: Shapes) -> None:
    """Every entry of this Python was seen, but for those listed above with their reasons."""
    expected = {
        event
        for event, entry in CATALOGUE.items()
        if entry.since <= PYTHON and (entry.until is None or entry.until > PYTHON)
    }
    assert expected - NOT_EXERCISED - shapes.keys() == set()


def test_no_event_is_older_or_newer_than_said(shapes: Shapes) -> None:
    """An event that was seen belongs to this Python."""
    for event in shapes:
        entry = CATALOGUE[event]
        assert entry.since <= PYTHON, event
        assert entry.until is None or entry.until > PYTHON, event


def test_types_of_known_arguments(shapes: Shapes) -> None:
    """Descriptors and modes come in the types that the decoders expect."""
    assert {types[0] for types in shapes["open"]} >= {"str", "int"}
    assert {types[1] for types in shapes["open"]} == {"str", "NoneType"}
    assert {types[2] for types in shapes["open"]} == {"int"}
    assert {types[1] for types in shapes["socket.connect"]} >= {"tuple", "str"}
    assert {types[1] for types in shapes["subprocess.Popen"]} == {"list"}
    assert {types[0] for types in shapes["os.putenv"]} == {"bytes"}


# Describes, after the fact, what its own hook has copied of its arguments.
DESCRIBING = """
import json, os, socket, sqlite3, subprocess, sys
sys.path.insert(0, sys.argv[1])
from nogi_otel.capture.snapshot import copy_arguments
from nogi_otel.catalogue import describe
taken = []
wanted = {"socket.connect", "open", "subprocess.Popen", "sqlite3.connect", "order.placed"}
def hook(event, arguments):
    if event in wanted:
        taken.append((event, copy_arguments(arguments)))
sys.addaudithook(hook)
port = int(sys.argv[2])
with socket.create_connection(("127.0.0.1", port)):
    pass
open("plain.txt", "w").close()
os.close(os.open(b"made.txt", os.O_RDWR | os.O_CREAT | os.O_EXCL))
subprocess.run([sys.executable, "-c", "pass", "--flag"], cwd=".", check=True)
sqlite3.connect("shop.db").close()
sys.audit("order.placed", "a-17", 3)
wanted.clear()
print(json.dumps([(d.display, d.attributes) for d in [describe(*one) for one in taken]]))
"""


def test_real_arguments_are_described(tmp_path: Path) -> None:
    """Snapshots of real calls become the attributes of what really happened."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finished = subprocess.run(
            [sys.executable, "-I", "-S", "-c", DESCRIBING, str(SOURCE), str(port)],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    assert finished.returncode == 0, finished.stderr
    described: Mapping[str, dict[str, object]] = dict(json.loads(finished.stdout))
    assert described[f"socket.connect 127.0.0.1:{port}"] == {
        "network.peer.address": "127.0.0.1",
        "network.peer.port": port,
        "network.transport": "tcp",
        "network.type": "ipv4",
    }
    assert described["open plain.txt (w)"] == {
        "file.path": "plain.txt",
        "python.audit.open.mode": "w",
    }
    assert described["open made.txt (x+)"]["python.audit.open.flags"] == (
        "O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC"
    )
    started = described[f"subprocess.Popen {sys.executable} -c pass --flag"]
    assert started == {
        "process.executable.path": sys.executable,
        "process.command_args": [sys.executable, "-c", "pass", "--flag"],
        "process.args_count": 4,
        "process.working_directory": ".",
    }
    assert described["sqlite3.connect shop.db"] == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
    }
    assert described["order.placed a-17 3"] == {
        "python.audit.arg.0": "a-17",
        "python.audit.arg.1": 3,
    }
