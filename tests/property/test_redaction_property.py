"""Redaction, for any snapshot: no planted secret survives, and nothing is ever raised."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from nogi_otel import catalogue
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.redaction import build_redactor

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value

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
