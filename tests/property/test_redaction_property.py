"""Redaction, for any snapshot: no planted secret survives, and nothing is ever raised."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nogi_otel import catalogue
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.redaction import build_redactor
from nogi_otel.redaction.patterns import VALUE_PATTERNS, may_hold_value

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value
    from nogi_otel.redaction.patterns import ValuePattern

REDACTOR = build_redactor()

TEXTS = st.text(st.characters(codec=None), max_size=40)
# Pieces of what the rules look for, so that Hypothesis meets them in every broken combination.
PIECES = st.sampled_from(
    [
        "password",
        "token",
        "Authorization",
        "Cookie",
        "author",
        "--password",
        "-p",
        "mysql",
        "curl",
        "-u",
        "sshpass",
        "sh",
        "-c",
        "://",
        "https://",
        "postgres://",
        "?",
        "&",
        "=",
        ":",
        " ",
        "\n",
        '"',
        "'",
        '\\"',
        "\\",
        "[",
        "]",
        "{",
        "}",
        "<",
        "</",
        ">",
        "@",
        ";",
        ",",
        "%3D",
        "REDACTED",
        "[REDACTED:",
        "[REDACTED:jwt]",
        "[REDACTED:password]",
        "ey" + "JhbGciOiJI",
        "AK" + "IAFAKEFAKEFAKEFAKE",
        "gh" + "p_FakeFakeFakeFakeFakeFake",
        "-----BEGIN " + "PRIVATE KEY-----",
        "-----END " + "PRIVATE KEY-----",
        "Bearer ",
        "Basic ",
        "4111" + "111111111111",
        "select ? ",
        "PASSWORD '",
        "hunter2",
    ]
)
BROKEN = st.lists(PIECES | TEXTS, max_size=12).map("".join)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats()
    | TEXTS
    | BROKEN
    | st.binary(max_size=40)
    | BROKEN.map(lambda text: text.encode("utf-8", "replace"))
    | st.builds(Opaque, TEXTS)
    | st.builds(CodeRef, TEXTS, BROKEN, st.integers(0, 10**6))
    | st.builds(SocketRef, TEXTS, st.integers(0, 40), st.integers(0, 10), st.integers(0, 300))
)


def nest(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Return containers of values, and what the snapshot leaves of long ones."""
    containers = st.lists(values, max_size=5).map(tuple) | st.dictionaries(
        BROKEN, values, max_size=4
    )
    texts = BROKEN | BROKEN.map(lambda text: text.encode("utf-8", "replace"))
    return containers | st.builds(Clipped, containers | texts, st.integers(1, 10**6))


VALUES: st.SearchStrategy[Value] = st.recursive(SCALARS, nest, max_leaves=12)
ARGUMENTS = st.lists(VALUES, max_size=5).map(tuple)
EVENTS = st.sampled_from(sorted(catalogue.CATALOGUE)) | st.sampled_from(["app.event", ""]) | TEXTS


@given(EVENTS, ARGUMENTS)
def test_any_snapshot_is_redacted(event: str, arguments: tuple[Value, ...]) -> None:
    """Any event with any snapshot is redacted without a failure, and once is enough."""
    redacted = REDACTOR.redact(event, arguments)
    assert redacted.failed == 0
    assert len(redacted.arguments) == len(arguments)
    again = REDACTOR.redact(event, redacted.arguments)
    assert repr(again.arguments) == repr(redacted.arguments)


SECRETS = st.from_regex(r"Zq[A-Za-z0-9]{6,20}7", fullmatch=True)
# What is typed between quotes or stands alone may hold more than letters.
PUNCTUATED = st.from_regex(r"Zq[A-Za-z0-9._!+*^~/-]{6,20}7", fullmatch=True)
SECRET_NAMES = st.sampled_from(
    [
        "password",
        "DB_PASSWORD",
        "userPassword",
        "X-Api-Key",
        "client_secret",
        "access_token",
        "Authorization",
        "Cookie",
        "credentials",
        "private_key",
        "sessionid",
        "PGPASSWORD",
    ]
)


def sign(prefix: str, secret: str, length: int) -> str:
    """Return a token of an issuer's shape, made of a planted secret."""
    return prefix + (secret * (length // len(secret) + 1))[:length]


def encode(secret: str) -> str:
    """Return Basic credentials with a planted password."""
    return base64.b64encode(f"bob:{secret}".encode()).decode()


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, Value]:
    """Return a secret and a value that holds it in one of the ways that must be found."""
    name = draw(SECRET_NAMES)
    secret = draw(PUNCTUATED)
    word = draw(SECRETS)
    before, after = draw(st.tuples(PROSE, PROSE))
    body = sign("", word, 24)
    ways: list[tuple[str, Value]] = [
        (secret, f"{before} {name}={secret} {after}"),
        (secret, f"{before} {name}: {secret}\n{after}"),
        (secret, f"{before} {name} = '{secret}' {after}"),
        (secret, json.dumps({"a": after, name: secret, "b": 1})),
        (secret, json.dumps({"a": json.dumps({name: secret, "b": after})})),
        (secret, repr({name: secret, "b": before})),
        (secret, repr([(name, secret)])),
        (secret, f"{name}={secret}".encode()),
        (secret, {name: secret, "other": before}),
        (secret, {name: (before, secret)}),
        (secret, (name, secret)),
        (secret, ((before, after), (name.encode(), secret.encode()))),
        (secret, ("app", before, f"--{name}", secret, after)),
        (secret, ("app", f"--{name}={secret} {before}", after)),
        (secret, f"{before} app --{name} {secret} {after}"),
        (word, f"{before} https://bob:{word}@example.com/{after}"),
        (word, f"postgresql://bob:{word}@db:5432/shop"),
        (word, f"GET /a?b=1&{name}={word}&c=2 HTTP/1.1"),
        (word, f"https://example.com/?X-Amz-Signature={word}&a={after}"),
        (secret, f"GET / HTTP/1.1\r\nAuthorization: {before} {secret}\r\nHost: x".encode()),
        (encode(word), f"{before} Basic {encode(word)}"),
        (body, f"{before} Bearer {body} {after}"),
        (body, f"{before} gh{'p'}_{sign('', body, 36)} {after}"),
        (body, (before, f"xoxb{'-'}1234567890-{body}")),
        (body, f"x=ey{'J'}hbGciOiJIUzI1NiJ9.{body}.{body}"),
        (body, f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}\n-----END RSA {'PRIVATE'} KEY-----"),
        (body, ("a", f"-----BEGIN {'PRIVATE'} KEY-----", body, f"-----END {'PRIVATE'} KEY-----")),
        (body, Clipped(f"{before} gh{'p'}_{body}"[: len(before) + 12], 5000)),
        (secret, Clipped(f"{before} {name}={secret}", 5000)),
        (word, Clipped(f"postgresql://bob:{word}", 5000)),
        (body, Clipped(f"{before}-----BEGIN {'PRIVATE'} KEY-----\n{body}", 5000)),
    ]
    found, value = draw(st.sampled_from(ways))
    return found, value


PROSE = st.lists(
    st.sampled_from(
        [
            "author",
            "tokenize",
            "a",
            "the",
            "42",
            "user",
            "/etc/passwd",
            "x.py",
            "keyboard",
            "monkey",
        ]
    ),
    max_size=4,
).map(" ".join)


@st.composite
def wrapped(draw: st.DrawFn) -> tuple[str, tuple[Value, ...]]:
    """Return a secret and arguments that hold it, nested and among others."""
    secret, value = draw(planted())
    for _ in range(draw(st.integers(0, 3))):
        neighbour = draw(PROSE)
        around: list[Value] = [
            (neighbour, value, 1),
            (value,),
            {"key": value, "author": neighbour},
            Clipped((value, neighbour), 90),
            Clipped({"data": value}, 90),
        ]
        value = draw(st.sampled_from(around))
    return secret, (draw(PROSE), value, None)


@given(wrapped())
def test_no_planted_secret_survives(case: tuple[str, tuple[Value, ...]]) -> None:
    """A secret that is told by a name, a place or a shape is gone, however deep it stands."""
    secret, arguments = case
    redacted = REDACTOR.redact("app.event", arguments)
    assert redacted.failed == 0
    assert redacted.rules
    shown = repr(redacted.arguments)
    assert secret not in shown
    assert secret[:12] not in shown


THOROUGH = build_redactor()
THOROUGH._texts.may_hold_secret = bool


@given(BROKEN | planted().map(lambda case: repr(case[1])))
def test_quick_look_misses_nothing(text: str) -> None:
    """A text that the quick look lets pass is one in which no rule finds anything."""
    quick = REDACTOR.redact("app.event", (text, 0, 0))
    thorough = THOROUGH.redact("app.event", (text, 0, 0))
    assert quick == thorough


@pytest.mark.parametrize(
    "pattern", [pytest.param(one, id=f"{one.rule}, {one.hint}") for one in VALUE_PATTERNS]
)
@given(st.data())
def test_every_shape_is_looked_for(pattern: ValuePattern, data: st.DataObject) -> None:
    """Any text that a pattern matches holds its hint, and passes the quick look for shapes."""
    text = data.draw(st.from_regex(pattern.pattern))
    assert pattern.hint in text
    assert may_hold_value(text)


@given(SECRETS, st.sampled_from(["", "'", '"']), PROSE)
def test_no_secret_of_a_command_survives(secret: str, quote: str, neighbour: str) -> None:
    """Programs' own flags are read in lists of words, in lines, and in lines inside words."""
    words: tuple[tuple[str, ...], ...] = (
        ("mysql", "-uroot", f"-p{secret}", "shop"),
        ("sshpass", "-p", secret, "ssh", "host"),
        ("curl", "-u", f"bob:{secret}", "https://example.com/"),
        ("env", f"PGPASSWORD={secret}", "psql"),
        ("redis-cli", "-a", secret, "ping"),
        ("docker", "login", "-p", secret),
        ("app", "--password", secret),
    )
    for command in words:
        line = " ".join([*command[:-1], f"{quote}{command[-1]}{quote}"])
        nested = f"true {neighbour}; {line}"
        for event, arguments in (
            ("subprocess.Popen", (command[0], command, None, None)),
            ("subprocess.Popen", ("sh", ("sh", "-c", nested), None, None)),
            ("os.system", (line,)),
            ("os.system", (nested,)),
            ("os.exec", ("/bin/x", tuple(word.encode() for word in command), None)),
        ):
            shown = repr(REDACTOR.redact(event, arguments).arguments)
            assert secret not in shown, (event, arguments)


HARMLESS_WORDS = st.sampled_from(
    [
        "usr",
        "lib",
        "python3.11",
        "site-packages",
        "author",
        "authors",
        "tokenize",
        "tokenizer",
        "token",
        "password",
        "passwd",
        "secrets",
        "cookies",
        "auth",
        "keyboard",
        "monkey",
        "session",
        "api_key",
        "shadow",
        "2026-01-02",
        "20260102",
        "1767225600",
        "0x7f3a",
        "__init__",
        "é",
    ]
)
PATHS = st.lists(HARMLESS_WORDS, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))
HARMLESS_PAIRS = st.tuples(
    st.sampled_from(
        [
            "author",
            "monkey",
            "keyboard",
            "max_tokens",
            "session_id",
            "token_type",
            "user",
            "n",
            "key",
        ]
    ),
    st.sampled_from(["=", ": ", "=>"]),
    st.sampled_from(["None", "null", "", "true"]) | st.just("100"),
).filter(lambda pair: pair[0] != "session_id" or pair[2] != "100")
HARMLESS = st.one_of(
    PATHS,
    PATHS.map(lambda path: path + ".py"),
    st.builds("{}:{}".format, PATHS, st.integers(0, 9999)),
    st.lists(HARMLESS_PAIRS.map("".join), max_size=4).map(", ".join),
    st.lists(HARMLESS_WORDS, max_size=6).map(" ".join),
    PATHS.map("https://example.com{}?page=2&sort=author".format),
    st.ip_addresses().map(str),
    st.uuids().map(str),
    st.datetimes().map(str),
    st.integers(0, 10**13 - 1).map(str),
)
ORDINARY_NAMES = st.sampled_from(["author", "authors", "tokenize", "keyboard", "monkey", "session"])
HARMLESS_VALUES: st.SearchStrategy[Value] = st.recursive(
    HARMLESS
    | HARMLESS.map(str.encode)
    | st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63) + 1, 10**13 - 1)
    | st.builds(SocketRef, st.just("socket.socket"), st.just(2), st.just(1), st.just(0)),
    lambda values: (
        st.lists(values, min_size=3, max_size=5).map(tuple)
        | st.dictionaries(ORDINARY_NAMES, values, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["open", "app.event", "import", "socket.connect"]), st.data())
@example("open", None)
def test_harmless_values_stay(event: str, data: st.DataObject | None) -> None:
    """Paths, addresses, times and harmless pairs come back as the same objects."""
    arguments: tuple[Value, ...] = ("/etc/passwd", "r", 0)
    if data is not None:
        arguments = data.draw(st.lists(HARMLESS_VALUES, min_size=3, max_size=4).map(tuple))
    redacted = REDACTOR.redact(event, arguments)
    assert redacted.arguments is arguments, redacted
    assert redacted.rules == ()
