"""Events as text: three formats, and nothing in them that a terminal would obey."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import struct
import termios
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.render import Style, detect_style, escape, render, render_time
from nogi_otel.recording.event import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
NASTY = (
    "a\x00\x07\x08\r\n\t\x1b[2J\x1b]0;title\x07\x7f\x85\x9b31m\u202e\u2066\u200b\u2028\ufeff\udcff"
)
PLAIN = Style()


def make_event(**fields: Any) -> Event:
    """Give an audit event like those that the agent sends."""
    attributes = {
        "network.peer.address": "127.0.0.1",
        "thread.name": "MainThread",
        "process.pid": 1234,
        "python.audit.args": '["<socket.socket>",["127.0.0.1",443]]',
        **fields.pop("attributes", {}),
    }
    values: dict[str, Any] = {
        "name": "socket.connect",
        "timestamp_ns": 1_700_000_000_123_456_789,
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "body": "socket.connect 127.0.0.1:443",
        "severity": "INFO",
        "resource": {"service.name": "shop"},
        "source": "log",
        "is_audit": True,
    }
    return Event(attributes=attributes, **{**values, **fields})


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    """Local time is UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_a_line_has_time_origin_text_ids_and_thread() -> None:
    """One event is one line, with whole ids."""
    assert render(make_event(), "line", PLAIN) == (
        "22:13:20.123 shop[1234] socket.connect 127.0.0.1:443"
        f"  trace={TRACE_ID} span={SPAN_ID} thread=MainThread"
    )


def test_what_is_missing_is_a_dash() -> None:
    """An event without service, pid, trace or time keeps its columns."""
    event = make_event(
        trace_id="", span_id="", timestamp_ns=0, resource={}, attributes={"process.pid": None}
    )
    assert render(event, "line", PLAIN) == (
        "--:--:--.--- -[-] socket.connect 127.0.0.1:443  trace=- span=- thread=MainThread"
    )


def test_a_warning_says_so_without_colour() -> None:
    """Severity is a word, so that it is there in a pipe too."""
    line = render(make_event(severity="WARN"), "line", PLAIN)
    assert " WARN socket.connect 127.0.0.1:443 " in line


def test_a_span_event_without_body_shows_its_arguments() -> None:
    """Span events have no display line; the name and the arguments stand in."""
    line = render(make_event(body="", severity=""), "line", PLAIN)
    assert ' socket.connect["<socket.socket>",["127.0.0.1",443]] ' in line


def test_the_name_stands_before_a_body_that_lacks_it() -> None:
    """A line always tells the name of the event."""
    assert " socket.connect to there " in render(make_event(body="to there"), "line", PLAIN)


def test_a_lifecycle_record_is_a_line_and_json_but_never_nogi() -> None:
    """The client of nogi knew audit events only; the other formats show windows and gaps."""
    event = make_event(
        name="nogi.window.closed", body="by SIGUSR2", is_audit=False, trace_id="", span_id=""
    )
    assert "shop[1234] nogi.window.closed by SIGUSR2  trace=-" in render(event, "line", PLAIN)
    assert json.loads(render(event, "json", PLAIN))["type"] == "lifecycle"
    assert render(event, "nogi", PLAIN) == ""


def test_a_lifecycle_record_without_body_shows_its_attributes() -> None:
    """Nothing that tells of a gap is lost for want of a display line."""
    event = make_event(
        name="python.audit.dropped", body="", is_audit=False, attributes={"python.audit.dropped": 5}
    )
    assert "python.audit.dropped=5" in render(event, "line", PLAIN)


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        ('["127.0.0.1",443,0,1,0]', "('127.0.0.1', 443, 0, 1, 0)"),
        ('["<socket.socket>",["127.0.0.1",443]]', "(<socket.socket>, ('127.0.0.1', 443))"),
        ("[]", "()"),
        ('["one"]', "('one',)"),
        ("[null,true,1.5,NaN]", "(None, True, 1.5, nan)"),
        (r"""["b'GET /\\r\\n'","b\"it's\"","b'cut'…"]""", r"""(b'GET /\r\n', b"it's", b'cut'…)"""),
        ('[{"k":["v"]}]', "({'k': ('v',)},)"),
        ('["it\'s"]', '("it\'s",)'),
        ('["a\\u001b[31m\\n"]', r"('a\x1b[31m\n',)"),
        ('["<\\u001b[31m>"]', r"(<\x1b[31m>,)"),
        ("[\"b'\\u001b'\"]", r"(b'\x1b',)"),
        ("not \x1b json", r"(not \x1b json)"),
    ],
)
def test_nogi_data_is_a_python_tuple(arguments: str, data: str) -> None:
    """The two lines of nogi's client: arguments as Python writes them, objects without quotes."""
    event = make_event(attributes={"python.audit.args": arguments})
    assert render(event, "nogi", PLAIN) == f"event: socket.connect\ndata: {data}"


def test_json_is_one_line_with_everything() -> None:
    """NDJSON for pipes holds all that was received, in ASCII."""
    event = make_event(
        attributes={"n": 1, "f": math.inf, "b": b"\x00", "list": ("é", 2), "map": {"k": math.nan}}
    )
    text = render(event, "json", PLAIN)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {
        "event": "socket.connect",
        "type": "audit",
        "time": "2023-11-14T22:13:20.123456789Z",
        "timestamp_ns": 1_700_000_000_123_456_789,
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "service": "shop",
        "pid": 1234,
        "thread": "MainThread",
        "severity": "INFO",
        "body": "socket.connect 127.0.0.1:443",
        "arguments": ["<socket.socket>", ["127.0.0.1", 443]],
        "source": "log",
        "attributes": {
            "network.peer.address": "127.0.0.1",
            "thread.name": "MainThread",
            "process.pid": 1234,
            "python.audit.args": '["<socket.socket>",["127.0.0.1",443]]',
            "n": 1,
            "f": "Infinity",
            "b": "AA==",
            "list": ["é", 2],
            "map": {"k": "NaN"},
        },
        "resource": {"service.name": "shop"},
    }


@pytest.mark.parametrize("form", ["line", "nogi", "json"])
@pytest.mark.parametrize("audit", [True, False], ids=["audit", "lifecycle"])
def test_no_string_of_a_sender_reaches_the_terminal_unescaped(form: Any, audit: bool) -> None:  # noqa: FBT001
    """Every field may hold control characters, escape sequences and text that reorders text."""
    event = make_event(
        name=f"x{NASTY}",
        body=f"y{NASTY}",
        severity=f"z{NASTY}",
        resource={"service.name": NASTY, NASTY: NASTY},
        attributes={"thread.name": NASTY, "python.audit.args": json.dumps([NASTY, f"<{NASTY}>"])},
        is_audit=audit,
    )
    lines = render(event, form, PLAIN).split("\n")
    assert len(lines) == (2 if form == "nogi" and audit else 1)
    assert all(line.isprintable() for line in lines)
    body_less = make_event(name=NASTY, body="", is_audit=audit, attributes={NASTY: NASTY})
    assert all(line.isprintable() for line in render(body_less, form, PLAIN).split("\n"))


def test_escapes_are_those_of_python() -> None:
    """An escaped character can be read back, and printable text stays as it is."""
    assert escape("größe 漢字 'x' \\n") == "größe 漢字 'x' \\n"
    assert escape("\x1b\n\x9b\u202e\udcff\U000e0001") == r"\x1b\n\x9b\u202e\udcff\U000e0001"


@pytest.mark.parametrize("columns", [20, 80, 140, 200])
def test_a_terminal_line_keeps_its_ids_and_gives_up_text(columns: int) -> None:
    """A narrow terminal loses the thread and the end of the text, never an id."""
    event = make_event(body="socket.connect " + "漢字" * 100)
    line = render(event, "line", Style(columns))
    width = sum(1 + (character in "漢字") for character in line)
    assert f"trace={TRACE_ID} span={SPAN_ID}" in line
    assert "…" in line
    assert ("thread=" in line) == (columns > 140)
    if columns >= 140:
        assert columns - 1 <= width <= columns


def test_a_pipe_gets_the_whole_text() -> None:
    """Without a terminal nothing is cut to a width."""
    body = "socket.connect " + "x" * 900
    assert body in render(make_event(body=body), "line", PLAIN)


def test_colours_only_wrap_and_always_end() -> None:
    """Colours are ours alone, and each is switched off again."""
    line = render(make_event(body="a\x1b[31mb"), "line", Style(None, colour=True))
    assert line.count("\x1b[0m") == line.count("\x1b[") / 2
    assert r"a\x1b[31mb" in line


def test_times_outside_the_calendar_are_not_known() -> None:
    """A sender may claim any 64-bit time."""
    assert render_time(0) == render_time(-1) == ""
    assert render_time((1 << 64) - 1).startswith("2554-")
    assert render_time(1 << 80) == ""
    assert render(make_event(timestamp_ns=1 << 80), "line", PLAIN).startswith("--:--:--.--- ")


@pytest.fixture
def terminal() -> Iterator[IO[str]]:
    """A real pseudo-terminal, as a text stream."""
    controller, worker = pty.openpty()
    with os.fdopen(worker, "w") as stream:
        yield stream
    os.close(controller)


def test_a_terminal_has_colours_unless_they_are_switched_off(
    terminal: IO[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR and a dumb terminal are obeyed; a file never has colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert detect_style(terminal).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not detect_style(terminal).colour
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not detect_style(terminal).colour
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        assert detect_style(stream) == Style()


def test_the_width_is_the_terminals(terminal: IO[str]) -> None:
    """The style follows the terminal's size; one that tells none has no limit."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 132, 0, 0))
    assert detect_style(terminal).columns == 132
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    assert detect_style(terminal).columns is None
