"""Redaction rules that a user adds: what they take, and which are refused."""

from __future__ import annotations

import pytest

from nogi_otel.errors import SettingsError
from nogi_otel.redaction import build_redactor


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
