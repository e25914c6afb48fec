"""An audit record, and its arguments as JSON."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import pytest

from nogi_otel.capture import RawEvent
from nogi_otel.capture.gate_state import OpenGate
from nogi_otel.capture.snapshot import MAX_ARGUMENTS
from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.record import MAX_ARGUMENTS_BYTES, decode, render_arguments
from nogi_otel.redaction import Redacted


def parse(text: str) -> Any:
    """Read JSON as its standard has it: ``NaN`` and ``Infinity`` are no JSON."""
    assert len(text.encode("utf-8")) <= MAX_ARGUMENTS_BYTES

    def refuse(constant: str) -> NoReturn:
        pytest.fail(f"{constant} is no JSON: {text[:100]}")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "[]"),
        ((None, True, 1, 1.5, "a"), '[null,true,1,1.5,"a"]'),
        (("größe", 'a"b\\c\n'), '["größe","a\\"b\\\\c\\n"]'),
        ((b"raw\xff",), "[\"b'raw\\\\xff'\"]"),
        ((("a", 1), {"k": (None,)}), '[["a",1],{"k":[null]}]'),
        ((Opaque("app.Order"),), '["<app.Order>"]'),
        ((CodeRef("run", "/app/main.py", 7),), '["<run /app/main.py:7>"]'),
        ((SocketRef("socket.socket", 2, 1, 0),), '["<socket.socket family=2 type=1 proto=0>"]'),
        ((Clipped("head", 5000),), '["head…"]'),
        ((Clipped((1, 2), 5000),), '[[1,2,"…"]]'),
        ((Clipped({"k": 1}, 5000),), '[{"k":1,"…":5000}]'),
    ],
)
def test_arguments_are_compact_json(arguments: tuple[Any, ...], expected: str) -> None:
    """Each kind of value has its form; text is written as it is, not escaped to ASCII."""
    assert render_arguments(arguments) == expected
    parse(expected)


HARD: dict[str, tuple[Any, ...]] = {
    "long text": ("x" * 1024,) * 33,
    "long text of four bytes": ("\U0001f600" * 1024,) * 33,
    "text of escapes": ("\0" * 1024,) * 33,
    "quotes": ('"' * 1024, "\\" * 1024),
    "lone surrogates": ("\ud800\udfff" * 500, {"\udc80": "\ud800"}),
    "surrogates at the cut": ("a" * 900 + "\ud800" * 200, "b" * 200),
    "raw bytes": (b"\xff" * 1024,) * 5,
    "numbers": (2**63 - 1,) * 33,
    "tiny floats": (5e-324, 1.7976931348623157e308) * 16,
    "no numbers": (math.nan, math.inf, -math.inf, (math.nan,), {"k": math.inf}),
    "wide": (tuple(range(64)),) * 33,
    "wide dict": ({"k" * 60 + str(n): "v" * 60 for n in range(64)},) * 4,
    "many": tuple(range(2000)),
    "many texts": ("",) * 2000,
    "many long texts": ("é" * 1000,) * 500,
    "clipped": (Clipped("é" * 1024, 10**9),) * 33,
    "deep": ((((((((((1,),),),),),),),),),),
    "one that just fits": ("x" * 1020,),
    "one byte too many": ("x" * 1021,),
    "controls": ("\x1b[31m\r\n\u2028\u2029" * 100,),
}


@pytest.mark.parametrize("name", HARD)
def test_arguments_are_always_whole_json(name: str) -> None:
    """Whatever the arguments, the text is JSON of at most 1,024 bytes, an array."""
    parsed = parse(render_arguments(HARD[name]))
    assert isinstance(parsed, list)
    assert parsed or len(HARD[name]) > MAX_ARGUMENTS


def test_what_just_fits_is_whole() -> None:
    """Arguments of exactly the cap are not cut; one byte more is."""
    assert render_arguments(("x" * 1020,)) == json.dumps(["x" * 1020])
    (cut,) = parse(render_arguments(("x" * 1021,)))
    assert cut.endswith("x…")
    assert len(cut) > 1000


def test_short_arguments_survive_beside_long_ones() -> None:
    """A long argument is cut; the short ones before and after it are whole."""
    parsed = parse(render_arguments(("first", "x" * 5000, 7, "last")))
    assert parsed[0] == "first"
    assert parsed[1].endswith("…")
    assert parsed[2:] == [7, "last"]


def build_raw(**changes: Any) -> RawEvent:
    """Return a captured event."""
    raw = RawEvent(
        timestamp_ns=1,
        event="shop.order",
        arguments=("a",),
        thread_id=2,
        thread_name="worker",
        trace_id=3,
        span_id=4,
        trace_flags=1,
        on_span=True,
        frames=(),
        gate=OpenGate(None, bool, lambda: None),
    )
    return raw._replace(**changes)


def test_a_record_is_made_of_redacted_arguments() -> None:
    """What a record shows comes from the arguments it is given, not from those captured."""
    record = decode(build_raw(arguments=("secret",)), Redacted(("[REDACTED]",), ("rule",), 1), "w1")
    assert record.redaction_errors == 1
    assert record.arguments == ("[REDACTED]",)
    assert "secret" not in repr(record)
    assert record.rules == ("rule",)
    assert record.window_id == "w1"
    assert (record.trace_id, record.span_id, record.trace_flags) == (3, 4, 1)


class Text(str):
    """A name that is not exactly text."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("name", "expected"), [("worker", "worker"), ("n" * 500, "n" * 128), (5, ""), (Text("n"), "")]
)
def test_a_thread_name_is_exact_text(name: Any, expected: str) -> None:
    """A program may name its thread with any object; only exact text is shown, and cut."""
    assert decode(build_raw(thread_name=name), Redacted((), (), 0), "w1").thread_name == expected
