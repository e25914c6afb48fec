"""A trace as text: nesting, order, offsets, and nothing unescaped."""

from __future__ import annotations

from nogi_otel.cli.render import Style
from nogi_otel.cli.spans import CLIENT, SERVER, Span, SpanEvent, iterate_spans
from nogi_otel.cli.tree import render_tree
from nogi_otel.recording.event import Event

TRACE = "ab" * 16
MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def build_span(
    span_id: str, parent_id: str, name: str, start_ms: float, end_ms: float, *events: SpanEvent
) -> Span:
    """Make a span from offsets to a common start."""
    return Span(
        trace_id=TRACE,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        kind=CLIENT,
        start_ns=START_NS + int(start_ms * MS),
        end_ns=START_NS + int(end_ms * MS),
        events=events,
    )


def build_event(span_id: str, body: str, at_ms: float, **fields: object) -> Event:
    """Make an audit event that came as a log record."""
    return Event(
        name=body.partition(" ")[0],
        timestamp_ns=START_NS + int(at_ms * MS),
        trace_id=TRACE,
        span_id=span_id,
        body="" if fields else body,
        severity="INFO",
        attributes={key.replace("_", "."): value for key, value in fields.items()},
        resource={},
        source="log",
        is_audit=True,
    )


def test_spans_and_events_are_nested_and_in_order() -> None:
    """Each span stands under its parent, each event under its span, all by time."""
    spans = [
        build_span("c", "b", "GET /stock/<item>", 2, 3.14),
        build_span("a", "caller", "POST /orders", 0, 24.1),
        build_span("d", "a", "UPDATE", 5, 5.25),
        build_span("b", "a", "GET", 1.2, 4.6),
    ]
    events = [
        build_event("a", "shop.order.approved 3 9.0", 23.9),
        build_event("b", "socket.connect 127.0.0.1:8000", 1.6),
        build_event("c", "sqlite3.connect shop.db", 2.2),
        build_event("a", "open prices.json (r)", 0.4),
    ]
    assert render_tree(spans, events, Style()) == [
        "    0.0 ms  POST /orders  24.1 ms",
        "    0.4 ms  ├ • open prices.json (r)",
        "    1.2 ms  ├── GET  3.4 ms",
        "    1.6 ms  │   ├ • socket.connect 127.0.0.1:8000",
        "    2.0 ms  │   └── GET /stock/<item>  1.1 ms",
        "    2.2 ms  │       └ • sqlite3.connect shop.db",
        "    5.0 ms  ├── UPDATE  0.2 ms",
        "   23.9 ms  └ • shop.order.approved 3 9.0",
    ]


def test_exceptions_of_the_application_are_drawn() -> None:
    """An exception event stands among the audit events of its span; other span events do not."""
    exception = SpanEvent(
        "exception",
        START_NS + 2 * MS,
        {"exception.type": "KeyError", "exception.message": "'tea'\n"},
    )
    span = build_span("a", "", "GET", 0, 3, exception, SpanEvent("retry", START_NS, {}))
    assert render_tree([span], [build_event("a", "open x", 1)], Style()) == [
        "    0.0 ms  GET  3.0 ms",
        "    1.0 ms  ├ • open x",
        "    2.0 ms  └ ! exception KeyError: 'tea'\\n",
    ]


def test_events_on_foreign_spans_are_not_lost() -> None:
    """An event whose span is not there, as that of a remote caller, stands at the end."""
    span = build_span("a", "caller", "GET", 0, 1)
    events = [build_event("caller", "open log", 2), build_event("caller", "open x", 1)]
    lines = render_tree([span], events, Style())
    assert lines[0] == "    0.0 ms  GET  1.0 ms"
    assert lines[2:] == ["    1.0 ms  • open x", "    2.0 ms  • open log"]
    assert render_tree([], events, Style())[1:] != []


def test_event_without_a_body_shows_its_arguments() -> None:
    """A span event has no display line: its name and arguments stand there instead."""
    span = build_span("a", "", "GET", 0, 1)
    event = build_event("a", "open", 0.5, python_audit_args='["x",null]')
    assert render_tree([span], [event], Style())[1] == '    0.5 ms  └ • open ["x",null]'


def test_nothing_reaches_the_terminal_unescaped() -> None:
    """Escape sequences in names, bodies and messages of a traced program are written out."""
    exception = SpanEvent("exception", START_NS, {"exception.type": "\x9b1m"})
    span = build_span("a", "", "GET \x1b[2J", 0, 1, exception)
    text = "\n".join(render_tree([span], [build_event("a", "open \x1b]0;x\x07\n", 0.5)], Style()))
    assert "\\x1b[2J" in text
    assert text.replace("\n", "").isprintable()


def test_spans_sent_twice_or_in_a_circle_end() -> None:
    """A span that arrives twice is drawn once, and one that is its own parent is a root."""
    twice = build_span("a", "", "twice", 0, 1)
    own = build_span("b", "b", "own", 1, 2)
    names = [line.split()[2] for line in render_tree([twice, twice, own], [], Style())]
    assert names == ["twice", "own"]


def test_deep_traces_are_drawn() -> None:
    """A chain of ten thousand spans needs no recursion."""
    spans = [build_span(str(n), str(n - 1), "deep", n, n + 1) for n in range(10_000)]
    assert len(render_tree(spans, [], Style())) == 10_000


def test_narrow_terminals_cut_the_text() -> None:
    """A line keeps to the width of the terminal, duration included."""
    spans = [build_span("a", "", "s" * 200, 0, 1)]
    for line in render_tree(spans, [build_event("a", "open " + "x" * 200, 0)], Style(columns=60)):
        assert len(line) == 60
        assert "…" in line


def test_colours_do_not_change_the_text() -> None:
    """Painted or not, a tree has the same text."""
    spans = [build_span("a", "", "GET", 0, 1)]
    events = [build_event("a", "open x", 0.5)]
    painted = "\n".join(render_tree(spans, events, Style(colour=True)))
    assert "\x1b[1mopen x\x1b[0m" in painted
    for code in ("0", "1", "2"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted.splitlines() == render_tree(spans, events, Style())


def test_spans_are_read_from_otlp_json() -> None:
    """Ids, times, kind and events come out of the JSON form; what is missing is empty."""
    data = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": TRACE.upper(),
                                "spanId": "cd" * 8,
                                "name": "GET",
                                "kind": 2,
                                "startTimeUnixNano": "5",
                                "events": [{"name": "exception", "timeUnixNano": 7}],
                            },
                            {},
                        ]
                    }
                ]
            },
            {},
        ]
    }
    span, empty = iterate_spans(data)
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, "cd" * 8, "")
    assert (span.kind, span.start_ns, span.end_ns) == (SERVER, 5, 0)
    assert span.events == (SpanEvent("exception", 7, {}),)
    assert (empty.span_id, empty.name) == ("", "")
