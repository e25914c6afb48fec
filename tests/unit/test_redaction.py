"""Redaction: the corpus, both ways, and what holds beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel import catalogue
from nogi_otel.capture.snapshot import MAX_TEXT
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.errors import SettingsError
from nogi_otel.redaction import ERROR_MARKER, RULES, build_redactor
from nogi_otel.redaction.patterns import TRIGGER, VALUE_PATTERNS
from nogi_otel.redaction.schema import OTHER_WITHHELD, READ, WITHHELD

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value

CORPUS = Path(__file__).parents[1] / "data" / "redaction_corpus.jsonl"
SPLIT = "¦"
"""Stands in the corpus where a token is cut in two, so that no scanner takes it for a real one."""
REDACTOR = build_redactor()


def read_value(plain: Any) -> Value:
    """Return a value of a snapshot from its JSON: ``$bytes``, ``$clipped`` ... name the others."""
    if isinstance(plain, str):
        return plain.replace(SPLIT, "")
    if isinstance(plain, list):
        return tuple(read_value(one) for one in plain)
    if not isinstance(plain, dict):
        return plain  # type: ignore[no-any-return]
    if "$bytes" in plain:
        return str(plain["$bytes"]).replace(SPLIT, "").encode("latin-1")
    if "$clipped" in plain:
        head, length = plain["$clipped"]
        return Clipped(read_value(head), length)
    if "$opaque" in plain:
        return Opaque(plain["$opaque"].replace(SPLIT, ""))
    if "$code" in plain:
        name, path, line = plain["$code"]
        return CodeRef(name.replace(SPLIT, ""), path.replace(SPLIT, ""), line)
    if "$socket" in plain:
        return SocketRef(*plain["$socket"])
    return {key.replace(SPLIT, ""): read_value(value) for key, value in plain.items()}


def read_corpus() -> list[Any]:
    """Return the cases of the corpus, each with a name of its own."""
    cases = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    return [
        pytest.param(case, id=f"{number}-{case['note']}")
        for number, case in enumerate(cases, start=1)
    ]


@pytest.mark.parametrize("case", read_corpus())
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
    for secret in case.get("must_not_contain", ()):
        assert secret in repr(arguments)
        assert secret not in repr(redacted.arguments)
    again = REDACTOR.redact(case["event"], redacted.arguments)
    assert again.arguments == redacted.arguments
