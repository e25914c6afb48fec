"""Redaction at its bounds: what cannot be redacted, what the snapshot cuts, hostile texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.capture.snapshot import MAX_TEXT
from nogi_otel.capture.values import Clipped
from nogi_otel.redaction import ERROR_MARKER, AddedRule, Redactor, build_redactor

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value

REDACTOR = build_redactor()


class Hostile:
    """No value of a snapshot."""

    def __repr__(self) -> str:
        raise AssertionError


def nest(value: Value, depth: int) -> Value:
    """Put a value into tuples."""
    for _ in range(depth):
        value = (value, 0, 0)
    return value


@pytest.mark.parametrize(
    "value",
    [
        Hostile(),
        {"a": Hostile()},
        ("a", Hostile(), 1),
        Clipped(Hostile(), 3),  # type: ignore[arg-type]
        nest("password=hunter2", 40),
        nest("password=hunter2", 40_000),
        "password=hunter2 " * 4000,
        tuple(f"password=hunter2 {number} " * 400 for number in range(200)),
        ("a=b",) * 600_000,
    ],
    ids=["object", "in a dict", "in a tuple", "in a clip", "deep", "abyss", "long", "much", "wide"],
)
def test_value_that_cannot_be_redacted_is_dropped(value: Any) -> None:
    """It becomes a marker and is counted; the other arguments are redacted as ever."""
    redacted = REDACTOR.redact("app.event", ("token=abc", value, "author=bob"))
    expected = ("token=[REDACTED:token]", ERROR_MARKER, "author=bob")
    if redacted.failed == 3:  # too deep for the first look: nothing is known of any
        expected = (ERROR_MARKER,) * 3
    assert redacted.arguments == expected
    assert redacted.failed in {1, 3}


def test_withheld_values_need_no_look() -> None:
    """An argument that is withheld whole is withheld even where it could not be redacted."""
    huge = tuple("password=hunter2 " * 400 for _ in range(600))
    redacted = REDACTOR.redact("subprocess.Popen", ("ls", ("ls",), None, huge))
    assert redacted.arguments[3] == "[REDACTED:process-env]"
    assert redacted.failed == 0


class AlarmError(Exception):
    """What a signal handler of the application raises."""


class Interrupted:
    """A pattern during whose search a handler runs."""

    def search(self, _: str) -> None:
        """Run the handler."""
        raise AlarmError

    finditer = search


def test_exception_of_the_application_passes_through() -> None:
    """A signal handler may raise while a rule runs on the main thread: that is not our error."""
    redactor = Redactor([AddedRule("alarm", Interrupted(), is_key=False)])  # type: ignore[arg-type]
    with pytest.raises(AlarmError):
        redactor.redact("app.event", ("a", 1))
    with pytest.raises(AlarmError):
        redactor.redact_text("a")


def test_text_of_another_source() -> None:
    """A single text, such as a thread's name, is redacted by the same rules."""
    assert REDACTOR.redact_text("worker password=hunter2") == "worker password=[REDACTED:password]"
    assert REDACTOR.redact_text("MainThread") == "MainThread"
    assert REDACTOR.redact_text("password=hunter2 " * 4000) == ERROR_MARKER


BODY = "FakeFakeFake1234FakeFakeFake1234FakeFake"
CUT_TOKENS = [
    f"ey{'J'}hbGciOiJIUzI1NiJ9.ey{'J'}{BODY}.{BODY}",
    f"gh{'p'}_{BODY}",
    f"github{'_'}pat_{BODY}",
    f"glpat{'-'}{BODY}",
    f"xoxb{'-'}1234567890-{BODY}",
    f"sk{'_'}live_{BODY}",
    f"AI{'za'}{BODY}",
    f"npm{'_'}{BODY}",
    f"pypi{'-'}Ag{BODY}",
    f"https://bob:{BODY}@example.com/",
    f"postgres://bob:{BODY}@db/shop",
    f"https://example.com/?token={BODY}",
    f"password={BODY}",
    f'{{"password": "{BODY}"}}',
    f"Authorization: Bearer {BODY}",
    f"-----BEGIN {'PRIVATE'} KEY-----\n{BODY}\n-----END {'PRIVATE'} KEY-----",
]


@pytest.mark.parametrize("token", CUT_TOKENS)
def test_secret_is_taken_wherever_it_is_cut(token: str) -> None:
    """No place at which the snapshot cuts a text leaves the beginning of its secret."""
    first = token.index(BODY)
    for cut in range(first + 4, len(token) + 1):
        for head in (f"a {token}"[: cut + 2], f"a {token}".encode()[: cut + 2]):
            shown = repr(REDACTOR.redact("app.event", (Clipped(head, 9999), 0, 0)).arguments)
            assert BODY[:4] not in shown, head


def test_text_of_the_longest_length_may_be_cut() -> None:
    """The snapshot cuts a path without saying so: a text of that length is read as a cut one."""
    path = ("/srv/" + "x" * MAX_TEXT)[: MAX_TEXT - 12] + f"/gh{'p'}_FakeFak"
    assert len(path) == MAX_TEXT
    (shown, *_) = REDACTOR.redact("open", (path, "r", 0)).arguments
    assert isinstance(shown, str)
    assert shown.endswith("/[REDACTED:github-token]")


HOSTILE = [
    "password=",
    "password='",
    'password="',
    'password=\\"',
    "password=,",
    "password=)",
    "password=[",
    "password={",
    "?&token=a",
    "&sig=",
    "a:b@tcp(",
    "://a:",
    "://",
    "<password>",
    "eyJ",
    "eyJaaaaaaaa.",
    "AKIA",
    "github_pat_",
    "sk-",
    "xoxb-",
    f"-----BEGIN {'PRIVATE'} KEY-----",
    "-----BEGIN ",
    "Basic AAAA ",
    "Bearer ",
    "4111 ",
    "PASSWORD ''",
    "identified with ",
    "mysql -p",
    "--password ",
    "sh -c '",
    'sh -c "',
    "'\"",
    "\\",
    "[REDACTED:jwt]",
    "[REDACTED:",
    "Authorization: ",
    "a.",
    "a-",
    "%3D",
    "('password', ",
]


@pytest.mark.parametrize("event", ["app.event", "os.system"])
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_takes_no_time(unit: str, event: str) -> None:
    """No text of 10,000 characters makes a rule run for ever: the run ends a test that does."""
    text = (unit * 10_000)[:10_000]
    for before in ("", "x ", '"', "?", f"-----BEGIN {'PRIVATE'} KEY-----", "Bearer ey"):
        for value in (before + text, Clipped(before + text, 99_999), text.encode()):
            redacted = REDACTOR.redact(event, (value,))
            assert redacted.failed in {0, 1}
            if redacted.failed:
                assert redacted.arguments == (ERROR_MARKER,)
