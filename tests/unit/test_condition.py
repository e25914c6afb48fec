"""Conditions: what the language means, and how what cannot be read is refused."""

from __future__ import annotations

import pytest

from nogi_otel.errors import SelectionError
from nogi_otel.selection import compile_selection

VIEW: dict[str, object] = {
    "event": "open",
    "file.path": "/etc/ssl/a.pem",
    "thread.name": 'worker "1"',
    "thread.id": 7,
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "ratio": 0.5,
    "network.peer.port": 443,
    "shown": True,
    "process.command_args": ("mysql", "-v"),
    "ports": (80, 443),
    "none": (),
    "http.request.header.x-id": "a",
    "multi": "one\ntwo",
    "back": "C:\\x",
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('file.path =~ "/etc/*" and thread.name != "MainThread"', True),
        ('file.path =~ "/etc/*" and thread.name == "MainThread"', False),
        ('trace_id == "0af7651916cd43dd8448eb211c80319c"', True),
        ("event == 'open'", True),
        ('file.path == "/etc/ssl/a.pem"', True),
        ('file.path == "/etc/ssl/"', False),
        ('file.path != "/etc"', True),
        ('file.path =~ "*.pem"', True),
        ('file.path =~ "/etc"', False),
        ('file.path =~ "/etc/???/[abc].pem"', True),
        ('file.path !~ "*.key"', True),
        ('file.path !~ "*.pem"', False),
        ('file.path > "/dev"', True),
        ("network.peer.port == 443", True),
        ("network.peer.port == 443.0", True),
        ("network.peer.port == 0x1bb", True),
        ("network.peer.port == 0o673", True),
        ("network.peer.port != 80", True),
        ("network.peer.port < 1024", True),
        ("network.peer.port <= 443 and network.peer.port >= 443", True),
        ("network.peer.port > 443", False),
        ("network.peer.port > -1", True),
        ("ratio >= 5e-1", True),
        ("ratio < 0.5", False),
        ("network.peer.port in (80, 443)", True),
        ("network.peer.port not in (80, 443)", False),
        ("network.peer.port not in (80, 22)", True),
        ('event in ("open", "import")', True),
        ('event in ("import")', False),
        ('event in ("open", 1, true)', True),
        ("shown == true", True),
        ("shown == false", False),
        ("shown != false", True),
        ("shown in (true)", True),
        # Names that are missing
        ('db.namespace == "x"', False),
        ('db.namespace != "x"', False),
        ('db.namespace !~ "x"', False),
        ("db.namespace not in (1)", False),
        ("db.namespace < 1", False),
        ('not db.namespace == "x"', True),
        # Values of another kind
        ('network.peer.port == "443"', False),
        ('network.peer.port != "443"', False),
        ("file.path < 1", False),
        ("file.path != 1", False),
        ('network.peer.port =~ "*"', False),
        ('network.peer.port !~ "*"', False),
        ("shown == 1", False),
        ("thread.id == true", False),
        ("shown < 2", False),
        ("not file.path == 1", True),
        # Lists
        ('process.command_args == "mysql"', True),
        ('process.command_args =~ "my*"', True),
        ('process.command_args != "mysql"', False),
        ('process.command_args != "psql"', True),
        ('process.command_args !~ "*sql"', False),
        ('process.command_args not in ("psql", "-x")', True),
        ("ports > 100", True),
        ("ports in (80)", True),
        ("none == 1", False),
        ("none != 1", False),
        # Grammar
        ('event == "x" or event == "open" and thread.id == 7', True),
        ('(event == "x" or event == "open") and thread.id == 8', False),
        ('event == "open" or event == "x" and thread.id == 8', True),
        ('not event == "open" or thread.id == 7', True),
        ('not (event == "open" or thread.id == 7)', False),
        ('not not event == "open"', True),
        ('((event=="open"))and(thread.id<=7)', True),
        ('http.request.header.x-id == "a"', True),
        ('\tevent\n== "open" ', True),
        # Escapes
        (r'thread.name == "worker \"1\""', True),
        ("thread.name == 'worker \"1\"'", True),
        (r'multi == "one\ntwo"', True),
        (r'multi == "one\x0atwo"', True),
        (r'event == "\x6f\u0070en"', True),
        (r'back == "C:\\x"', True),
        ('multi =~ "one*two"', True),
    ],
)
def test_condition(condition: str, holds: bool) -> None:  # noqa: FBT001 - a column of the table
    """A condition holds exactly as its grammar says, and nothing raises."""
    selection = compile_selection("*", "", condition)
    assert selection.has_condition
    assert selection.is_conditional("open")
    assert selection.matches(VIEW) is holds


@pytest.mark.parametrize(
    ("condition", "column", "expected"),
    [
        ("file.path", 10, "== != =~"),
        ("file.path = 1", 11, "== or =~"),
        ("file.path ==", 13, "a value"),
        ("file.path == and", 14, "a value"),
        ("trace_id == 4bf92f", 13, "a text in quotes"),
        ("trace_id == abc", 13, "a value"),
        ('a == "x', 6, 'a closing "'),
        ("a == 'x\"", 6, "a closing '"),
        ("a == 1 && b == 2", 8, "'and'"),
        ("a == 1 | b == 2", 8, "'or'"),
        ("!a == 1", 1, "'not'"),
        ("(a == 1", 8, "a closing )"),
        ("a == 1)", 7, "the end"),
        ("a == 1 b == 2", 8, "'and', 'or'"),
        ("a == 1 AND b == 2", 8, "'and', 'or'"),
        ("not", 4, "the name"),
        ("and == 1", 1, "the name"),
        ("()", 2, "the name"),
        ('"a" == a', 1, "the name"),
        ("1 == a", 1, "the name"),
        ("a =~ 1", 6, "a glob in quotes"),
        ("a =~ b", 6, "a glob in quotes"),
        ("a in 1", 6, "( and values"),
        ("a in ()", 7, "a value"),
        ("a in (1", 8, "a closing )"),
        ("a in (1 2)", 9, "a comma"),
        ("a not 1", 7, "'in' after 'not'"),
        ("a == 1.", 6, "a number"),
        ("a == 1.2.3", 6, "a number"),
        ("a == 0x", 6, "a number"),
        (r'a == "\q"', 7, "escapes"),
        (r'a == "ab\x1"', 9, "escapes"),
        ("a == é", 6, "a value"),
        ("a == 1 \x00", 8, "a name"),
        ("__import__('os').system('x')", 17, "a number"),
        ("__import__('os') == 1", 11, "== !="),
        ("a == [1]", 6, "a name, a value"),
        ("(" * 40 + "a == 1" + ")" * 40, 34, "at most 32"),
        ("not " * 40 + "a == 1", 133, "at most 32"),
        ("x" * 5000, 4097, "at most 4096"),
        ("x" * 90 + " == 1 ! " + "y" * 90, 97, "'not'"),
    ],
)
def test_condition_that_cannot_be_read(condition: str, column: int, expected: str) -> None:
    """The error names the column, marks it with a caret and says what was expected."""
    with pytest.raises(SelectionError) as caught:
        compile_selection("*", "", condition)
    check_error(str(caught.value), condition, column, expected)


def test_blank_condition_is_none() -> None:
    """Without a condition everything that is selected by name matches."""
    for blank in (None, "", "  "):
        selection = compile_selection("socket.*", "", blank)
        assert not selection.has_condition
        assert not selection.is_conditional("socket.connect")
        assert selection.matches({})


def test_deepest_condition_is_read() -> None:
    """Nesting up to the bound compiles and is evaluated."""
    text = "(" * 32 + "a == 1" + ")" * 32
    assert compile_selection("*", "", text).matches({"a": 1})


def check_error(message: str, text: str, column: int, expected: str) -> None:
    """Assert that an error shows the text and points to the column."""
    first, shown, caret = message.split("\n")
    assert f"at column {column}:" in first
    assert expected in first
    assert caret.strip() == "^"
    assert max(map(len, (shown, caret))) <= 106
    if column <= len(text) and " " <= text[column - 1] <= "~":
        assert shown[caret.index("^")] == text[column - 1]


def test_selection_runs_no_code() -> None:
    """A condition cannot call, import or reach into anything: its alphabet has no such sign."""
    for text in (
        "a()",
        "a.__class__.x == 1 ; b",
        "a[0] == 1",
        "lambda: 1",
        "a == f'{b}'",
        "a := 1",
    ):
        with pytest.raises(SelectionError):
            compile_selection("*", "", text)
    # Dots are part of the name: nothing is looked up on the value.
    assert not compile_selection("*", "", 'event.__class__ == "str"').matches(VIEW)
