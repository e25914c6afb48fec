"""Redaction: the corpus, both ways, and what holds beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel import catalogue
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.errors import SettingsError
from nogi_otel.redaction import RULES, build_redactor
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
