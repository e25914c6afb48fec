"""Redaction: the corpus, both ways, and what holds beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel import catalogue
from nogi_otel.capture.snapshot import MAX_TEXT
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.errors import SettingsError
from nogi_otel.redaction import ERROR_MARKER, RULES, AddedRule, Redactor, build_redactor
from nogi_otel.redaction.schema import OTHER_WITHHELD, READ, WITHHELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value

CORPUS = Path(__file__).parents[1] / "data" / "redaction_corpus.jsonl"
SPLIT = "¦"
"""Stands in the corpus where a token is cut in two, so that no scanner takes it for a real one."""
REDACTOR = build_redactor()


def join(text: str) -> str:
    """Return a text of the corpus as it is meant."""
    return text.replace(SPLIT, "")


def read_value(plain: Any) -> Value:
    """Return a value of a snapshot from its JSON: ``{"$bytes": ...}`` and so on for other types."""
    if isinstance(plain, str):
        return join(plain)
    if isinstance(plain, list):
        return tuple(map(read_value, plain))
    if isinstance(plain, dict):
        mark, value = next(iter(plain.items()), ("", None))
        read = READERS.get(mark)
        return read(value) if read else {join(key): read_value(plain[key]) for key in plain}
    value = plain
    assert value is None or isinstance(value, (bool, int, float))
    return value


READERS: dict[str, Callable[[Any], Value]] = {
    "$bytes": lambda text: join(text).encode("latin-1"),
    "$clipped": lambda parts: Clipped(read_value(parts[0]), parts[1]),
    "$opaque": lambda name: Opaque(join(name)),
    "$code": lambda parts: CodeRef(join(parts[0]), join(parts[1]), parts[2]),
    "$socket": lambda parts: SocketRef(*parts),
}


CASES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{line}-{case['note']}") for line, case in enumerate(CASES, 1)]
)
def test_corpus(case: dict[str, Any]) -> None:
    """What is secret is taken, what is not stays, and a second time changes nothing."""
    arguments = read_value(case["arguments"])
    assert isinstance(arguments, tuple)
    redacted = REDACTOR.redact(case["event"], arguments)
    assert redacted.failed == 0
    if case.get("unchanged"):
        assert redacted.arguments is arguments, redacted
        assert redacted.rules == ()
    elif "expected" in case:
        assert redacted.arguments == read_value(case["expected"])
        assert redacted.rules
    else:
        assert case["must_not_contain"]
    for secret in case.get("must_not_contain", ()):
        assert secret in repr(arguments)
        assert secret not in repr(redacted.arguments)
    again = REDACTOR.redact(case["event"], redacted.arguments)
    assert again.arguments == redacted.arguments


def test_corpus_is_large_both_ways() -> None:
    """The corpus shows at least a hundred secrets, and as many values that must stay."""
    stay = sum(bool(case.get("unchanged")) for case in CASES)
    assert stay >= 100
    assert len(CASES) - stay >= 100


def test_every_rule_stands_in_the_corpus() -> None:
    """Each rule takes something in at least one case; only the catalogue's spare one does not."""
    taken: set[str] = set()
    for case in CASES:
        arguments = read_value(case["arguments"])
        assert isinstance(arguments, tuple)
        taken.update(REDACTOR.redact(case["event"], arguments).rules)
    assert taken == set(RULES) - {OTHER_WITHHELD}


def test_every_withheld_argument_has_a_rule_of_its_own() -> None:
    """The names of rules and the catalogue's list of withheld arguments agree."""
    withheld = {
        (entry.event, argument)
        for entry in catalogue.CATALOGUE.values()
        for argument in entry.withheld
    }
    assert withheld - set(READ) == set(WITHHELD)
    assert set(WITHHELD.values()) | set(READ.values()) <= set(RULES)
    for event, argument in READ:
        assert argument in catalogue.CATALOGUE[event].arguments


def test_markers_say_which_rules_took_something() -> None:
    """The names come once each, in the order of taking."""
    text = "password=hunter2 token=swordfish password=hunter2"
    redacted = REDACTOR.redact("app.event", (text, "https://bob:hunter2@example.com/"))
    assert redacted.rules == ("password", "token", "url-userinfo")


# Lifting


def redact_with(event: str, *arguments: Value, lift: tuple[str, ...]) -> tuple[Value, ...]:
    """Redact with some rules lifted."""
    return build_redactor(lift=lift).redact(event, arguments).arguments


def test_lifted_environment_still_hides_what_its_names_tell() -> None:
    """Without the rule for environments, names stay and values fall under the rules for names."""
    environment: Value = {"PATH": "/bin", "DB_PASSWORD": "hunter2", "AUTHOR": "bob"}
    assert redact_with(
        "subprocess.Popen", "ls", ("ls",), None, environment, lift=("process-env",)
    ) == (
        "ls",
        ("ls",),
        None,
        {"PATH": "/bin", "DB_PASSWORD": "[REDACTED:password]", "AUTHOR": "bob"},
    )


def test_lifted_payload_still_hides_its_headers() -> None:
    """Without the rule for payloads, the rules for texts hold in them."""
    payload = b"GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Basic abc\r\n\r\n"
    shown = redact_with("http.client.send", Opaque("x"), payload, lift=("http-body",))
    assert shown[1] == payload.replace(b"Basic abc", b"[REDACTED:authorization]")


@pytest.mark.parametrize("rule", sorted(set(RULES) - {OTHER_WITHHELD}))
def test_lifted_rule_takes_nothing(rule: str) -> None:
    """A rule that is lifted takes nothing any more, in the whole corpus."""
    redactor = build_redactor(lift=[rule])
    for case in CASES:
        arguments = read_value(case["arguments"])
        assert isinstance(arguments, tuple)
        redacted = redactor.redact(case["event"], arguments)
        assert rule not in redacted.rules
        assert redacted.failed == 0


def test_star_lifts_all() -> None:
    """With every rule lifted, every case of the corpus comes back as it went in."""
    redactor = build_redactor(add=["acme=ACME[0-9]"], lift=["*"])
    for case in CASES:
        arguments = read_value(case["arguments"])
        assert isinstance(arguments, tuple)
        assert redactor.redact(case["event"], arguments).arguments is arguments


def test_unknown_rule_cannot_be_lifted() -> None:
    """A name that is no rule's is refused, with the names there are."""
    with pytest.raises(SettingsError, match=r"no redaction rule 'jwts' to lift.*\bjwt\b"):
        build_redactor(lift=["jwts"])


# Adding


def test_added_rule_takes_its_matches() -> None:
    """A rule ``name=regex`` takes what it matches in any text, and says so."""
    redactor = build_redactor(add=["acme-id=ACME-[0-9]{4}"])
    redacted = redactor.redact("app.event", ("x ACME-1234 y", {"a": (b"ACME-0000",)}, "ACME-12"))
    assert redacted.arguments == (
        "x [REDACTED:acme-id] y",
        {"a": (b"[REDACTED:acme-id]",)},
        "ACME-12",
    )
    assert redacted.rules == ("acme-id",)


def test_added_key_rule_takes_values_behind_its_names() -> None:
    """A rule ``key:name=regex`` takes what stands behind a name, in texts and in dicts."""
    redactor = build_redactor(add=["key:badge=(?i)badge"])
    redacted = redactor.redact("app.event", ({"BadgeNo": "77"}, "badge=77, author=bob", 1))
    assert redacted.arguments == (
        {"BadgeNo": "[REDACTED:badge]"},
        "badge=[REDACTED:badge], author=bob",
        1,
    )


def test_added_rule_can_be_lifted() -> None:
    """A rule of the user's is lifted by its name like any other."""
    redactor = build_redactor(add=["acme-id=ACME"], lift=["acme-id"])
    assert redactor.redact("app.event", ("ACME",)).arguments == ("ACME",)


@pytest.mark.parametrize("pattern", ["[A-Z]+", ".", "..$", "R.*", "[^x]+", "(?i)redacted", "b.{3}"])
def test_added_rule_cannot_break_a_marker(pattern: str) -> None:
    """Whatever a user's pattern matches, redacting twice changes nothing."""
    redactor = build_redactor(add=[f"mine={pattern}"])
    for text in ("password=hunter2", "ACME bob", "x", "https://bob:hunter2@example.com/"):
        once = redactor.redact("app.event", (text, 1, 2)).arguments
        assert redactor.redact("app.event", once).arguments == once
        assert "hunter2" not in repr(once)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("acme", "cannot be read"),
        ("=x", "cannot be read"),
        ("Acme=x", "cannot be read"),
        ("a b=x", "cannot be read"),
        ("key:=x", "cannot be read"),
        ("acme=", "1 to 512 characters"),
        ("acme=" + "x" * 513, "1 to 512 characters"),
        ("acme=(", "no regular expression"),
        ("acme=x*", "empty text"),
        ("acme=x|", "empty text"),
        ("jwt=x", "built-in rule"),
        ("error=x", "built-in rule"),
        ("acme=(a+)+b", "very long"),
        ("acme=(a*)*b", "very long"),
        ("acme=(?:a|b|ab)*c", "very long"),
        ("acme=(?:aa?)+c", "very long"),
        ("acme=(?=(?:a+)+)b", "very long"),
        ("acme=(x)?(?(1)(?:a+)+|b)c", "very long"),
        ("acme=a+b+c+d+e", "very long"),
        ("acme=(?:a{1,50}){200}", "very long"),
    ],
)
def test_added_rule_that_is_refused(rule: str, complaint: str) -> None:
    """The error names the rule, and says what is wrong with it."""
    with pytest.raises(SettingsError, match=complaint) as caught:
        build_redactor(add=[rule])
    assert repr(rule)[1:40] in str(caught.value)


@pytest.mark.parametrize(
    "pattern", ["acme_[a-z]+_[0-9]+", "(?:foo|bar){1,4}", "a{2,8}", r"\bx\d+y"]
)
def test_added_rule_that_is_fine(pattern: str) -> None:
    """Ordinary patterns are taken."""
    build_redactor(add=[f"mine={pattern}"])


# Failing closed


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


# What the snapshot cuts

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


# Hostile texts

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
    "-----BEGIN PRIVATE KEY-----",
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
    for before in ("", "x ", '"', "?", "-----BEGIN PRIVATE KEY-----", "Bearer ey"):
        for value in (before + text, Clipped(before + text, 99_999), text.encode()):
            redacted = REDACTOR.redact(event, (value,))
            assert redacted.failed in {0, 1}
            if redacted.failed:
                assert redacted.arguments == (ERROR_MARKER,)
