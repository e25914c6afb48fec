"""The defects of nogi 0.2.0, one test each, driven the way a user of nogi drives them.

A program says ``Nogi()``, ``kill -USR1`` and ``kill -USR2`` open and close, and a client prints.
"""

from __future__ import annotations

import json
import signal
import socket
from time import monotonic
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from nogi_otel.receiver import DEFAULT_HTTP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_S = 30.0

PROGRAM = """
import os, sys, threading
import nogi_otel
from nogi_otel import Nogi

class Evil:
    def __repr__(self):
        raise RuntimeError("repr")
    __str__ = __iter__ = __repr__

def obey():
    number = 0
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "audit":
            for _ in range(int(argument)):
                sys.audit("my-event", "foo", "bar", number)
                number += 1
        elif command == "evil":
            sys.audit("my-event", Evil(), [Evil()], {Evil(): Evil()})
        elif command == "fork":
            pid = os.fork()
            if pid == 0:
                for child in range(int(argument)):
                    sys.audit("my-event", "child", child)
                os._exit(0 if nogi_otel.flush() else 3)
            assert os.waitpid(pid, 0)[1] == 0
        print(nogi_otel.status()["state"], flush=True)

host, port = sys.argv[1:3]
"""

MAIN = PROGRAM + "Nogi(host, int(port))\nprint('ready', flush=True)\nobey()\n"

LISTEN = """
import runpy, sys
sys.argv = ["nogi-otel", "listen", *sys.argv[1:]]
runpy.run_module("nogi_otel", run_name="__main__")
"""


def ask(program: Any, command: str) -> str:
    """Have the program do something; return the state that it is in afterwards."""
    program.say(command)
    return str(program.read_line())


def wait_for_state(program: Any, state: str) -> None:
    """Ask the program until it is in a state: a signal is delivered in its own time."""
    deadline = monotonic() + DEADLINE_S
    while ask(program, "state") != state:
        assert monotonic() < deadline, program.errors


def toggle(program: Any, number: signal.Signals) -> None:
    """Send one of the two signals and wait until it has done its work."""
    program.kill(number)
    wait_for_state(program, "open" if number == signal.SIGUSR1 else "armed")


@pytest.fixture
def listen(start_child: Callable[..., Any], tmp_path: Path) -> Callable[..., tuple[Any, int]]:
    """Start ``nogi-otel listen`` on any ports; return it and its HTTP port."""

    def start(*arguments: str) -> tuple[Any, int]:
        port_file = tmp_path / "ports.json"
        ports = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--port-file", str(port_file))
        client = start_child(LISTEN, *ports, "--format", "nogi", *arguments)
        deadline = monotonic() + DEADLINE_S
        while not port_file.exists() or not port_file.read_text():
            assert client.process.poll() is None, client.errors
            assert monotonic() < deadline, client.errors
        return client, int(json.loads(port_file.read_text())["http"]["port"])

    return start


def read_numbers(client: Any, count: int) -> list[int]:
    """Read the two lines of each ``my-event``; return the numbers in them."""
    numbers: list[int] = []
    while len(numbers) < count:
        if client.read_line() == "event: my-event":
            data = client.read_line()
            assert data.startswith("data: "), data
            numbers.append(int(data.rpartition(",")[2].strip(" )]")))
    return numbers


def test_a_stopping_does_not_freeze_the_program(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (a): SIGUSR2 froze the application for ever, joining a queue it had just cleared.

    Here the program goes on after any number of rounds, with events waiting at every stop.
    """
    _, port = listen()
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    for _ in range(10):
        toggle(program, signal.SIGUSR1)
        assert ask(program, "audit 100") == "open"
        toggle(program, signal.SIGUSR2)
        assert ask(program, "audit 100") == "armed"
    assert program.finish() == 0, program.errors


def test_b_a_bare_client_starts(start_child: Callable[..., Any]) -> None:
    """Defect (b): the bare client crashed, connecting to the host ``*``.

    Here ``nogi-otel listen`` without an argument listens on loopback; where somebody has its port
    already, it says so.
    """
    client = start_child(LISTEN, "--duration", "0.5")
    code = client.finish()
    assert code in {0, 4}, client.errors
    assert ("Address already in use" in client.errors) == (code == 4), client.errors
    assert "Traceback" not in client.errors
    assert str(DEFAULT_HTTP.port) in client.errors


def test_b_a_program_that_names_every_host_is_understood(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (b), the other end: ``Nogi(host="*")`` was the default; its events still arrive."""
    client, port = listen()
    program = start_child(MAIN, "*", str(port))
    assert program.read_line() == "ready"
    toggle(program, signal.SIGUSR1)
    ask(program, "audit 1")
    assert read_numbers(client, 1) == [0]
    assert program.finish() == 0, program.errors


def test_c_the_event_filter_filters(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (c): ``-e`` was parsed and ignored. Here it chooses, as often as it is given."""
    client, port = listen("-e", "my-event", "-e", "other.*")
    program = start_child(
        PROGRAM + """
Nogi(host, int(port))
nogi_otel.open_gate()
for number in range(3):
    sys.audit("unwanted-event", number)
    sys.audit("my-event" if number else "other.event", number)
"""
        "print('ready', flush=True)\nobey()\n",
        "127.0.0.1",
        str(port),
    )
    assert program.read_line() == "ready"
    lines = [client.read_line() for _ in range(6)]
    assert lines[::2] == ["event: other.event", "event: my-event", "event: my-event"]
    assert program.finish() == 0, program.errors


def test_d_nothing_listens_for_the_network(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (d): the program itself listened on 0.0.0.0:5556 for anybody.

    Here the audited program listens nowhere, and the client on loopback alone.
    """
    client, port = listen()
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    toggle(program, signal.SIGUSR1)
    ask(program, "audit 1")
    assert read_numbers(client, 1) == [0]
    assert read_listening(program.pid) == []
    assert set(read_listening(client.pid)) == {"127.0.0.1"}
    assert DEFAULT_HTTP.host in {"127.0.0.1", "localhost"}
    assert program.finish() == 0, program.errors


def read_listening(pid: int) -> list[str]:
    """Return the addresses on which a process listens."""
    connections = psutil.Process(pid).net_connections(kind="inet")
    listening = [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN]
    return [address.removeprefix("::ffff:") for address in listening]  # IPv4, as gRPC binds it


def test_e_a_taken_port_is_not_the_programs_problem(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (e): with its port in use, the signal raised ZMQError in the middle of the program.

    Here a port that speaks no OTLP costs records and no more; a second client says what to do.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        program = start_child(
            MAIN,
            "127.0.0.1",
            str(taken),
            environment={
                "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT": "0.2",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            },
        )
        assert program.read_line() == "ready"
        for _ in range(3):
            toggle(program, signal.SIGUSR1)
            assert ask(program, "audit 10") == "open"
            toggle(program, signal.SIGUSR2)
        assert program.finish() == 0, program.errors
        assert "Traceback" not in program.errors
    _, port = listen()
    second = start_child(LISTEN, "--http", f"127.0.0.1:{port}", "--grpc", "127.0.0.1:0")
    assert second.finish() == 4
    assert str(port) in second.errors
    assert "Traceback" not in second.errors


def test_f_an_argument_that_cannot_be_shown_is_harmless(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (f): an argument whose ``__repr__`` raises broke the audited call.

    Here it is not asked; its type is told, and the program notices nothing.
    """
    client, port = listen()
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    toggle(program, signal.SIGUSR1)
    assert ask(program, "evil") == "open"
    assert client.read_line() == "event: my-event"
    assert client.read_line().count("Evil") == 4
    assert program.finish() == 0
    assert program.errors == ""


def test_g_the_program_ends_by_itself(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (g): a thread that was no daemon kept the process alive for ever once enabled.

    Here a program with the gate open ends when its main thread does, and its tail arrives.
    """
    client, port = listen()
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    toggle(program, signal.SIGUSR1)
    assert ask(program, "audit 50") == "open"
    assert program.finish() == 0, program.errors
    assert read_numbers(client, 50) == list(range(50))


def test_h_a_fork_ships_its_own_events(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (h): a fork's child queued for ever, without a thread and without a bound.

    Here the child ships what it raises itself, and the parent goes on.
    """
    client, port = listen("-e", "my-event")
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    toggle(program, signal.SIGUSR1)
    ask(program, "audit 10")
    assert ask(program, "fork 20") == "open"
    ask(program, "audit 10")
    told = []
    for _ in range(40):
        assert client.read_line() == "event: my-event"
        told.append(client.read_line())
    assert sum("child" in one for one in told) == 20, told
    assert sum("foo" in one for one in told) == 20, told
    assert program.finish() == 0, program.errors


def test_h_the_ring_is_bounded(start_child: Callable[..., Any]) -> None:
    """Defect (h), the other half: with nobody to take the events, what waits has a bound."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = start_child(
            PROGRAM
            + """
Nogi(host, int(port))
nogi_otel.open_gate()
for number in range(5000):
    sys.audit("my-event", number, "x" * 1000)
status = nogi_otel.status()
accounts = status["window"]["accounts"]
print(status["pending"], accounts["ring_full"] > 0, accounts["seen"] - accounts["filtered"])
""",
            "127.0.0.1",
            str(silent.getsockname()[1]),
            environment={
                "OTEL_PYTHON_NOGI_BUFFER": "256KiB",
                "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT": "0.2",
            },
        )
        pending, dropped, seen = program.read_line().split()
        assert program.finish() == 0, program.errors
    assert int(pending) <= 256
    assert (dropped, seen) == ("True", "5000")


def test_i_a_program_may_say_nogi_in_any_thread(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (i): ``Nogi()`` off the main thread raised ValueError.

    Here it warns that it cannot bind the signals there, and the gate opens by a call.
    """
    client, port = listen()
    program = start_child(
        PROGRAM
        + """
errors = []
threading.excepthook = lambda arguments: errors.append(arguments.exc_type.__name__)
thread = threading.Thread(target=Nogi, args=(host, int(port)))
thread.start()
thread.join()
print(errors, flush=True)
nogi_otel.open_gate()
obey()
""",
        "127.0.0.1",
        str(port),
    )
    assert program.read_line() == "[]"
    assert ask(program, "audit 5") == "open"
    assert read_numbers(client, 5) == list(range(5))
    assert program.finish() == 0
    assert "main thread" in program.errors
    assert "open_gate" in program.errors


def test_j_a_stop_ships_what_came_before_it(
    listen: Callable[..., Any], start_child: Callable[..., Any]
) -> None:
    """Defect (j): the mark that ended the queue was lost in clearing it, with all that waited.

    Here what was raised before SIGUSR2 arrives, once, in order, round after round.
    """
    client, port = listen()
    program = start_child(MAIN, "127.0.0.1", str(port))
    assert program.read_line() == "ready"
    expected: list[int] = []
    for number in range(5):
        toggle(program, signal.SIGUSR1)
        ask(program, "audit 200")
        toggle(program, signal.SIGUSR2)
        ask(program, "audit 7")
        expected += range(number * 207, number * 207 + 200)
    assert read_numbers(client, 1000) == expected
    assert program.finish() == 0, program.errors
