"""The demo's verdict: each thing that must hold can fail, alone and by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nogi_otel.accounts import Accounts
from nogi_otel.cli.evidence import Evidence
from nogi_otel.cli.shop import ERROR, ORDER, Visit
from nogi_otel.cli.spans import CLIENT, SERVER, Span, SpanEvent
from nogi_otel.cli.verdict import CLOSED, OPENED, judge
from nogi_otel.recording.event import GAP_NAME, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.cli.shop import Phase
    from nogi_otel.recording.event import Source

PORT = 8000
OPENED_NS, CLOSED_NS = 1000, 2000
ACCOUNTS = dict.fromkeys(Accounts._fields, 0) | {"seen": 10, "filtered": 4, "exported": 6}
ORDER_EVENTS: tuple[tuple[str, tuple[object, ...], str], ...] = (
    ("open", ("/srv/prices.json", "r", 0), "root"),
    ("sqlite3.connect", ("/srv/shop.db",), "root"),
    ("socket.connect", ("<socket.socket>", ["127.0.0.1", PORT]), "client"),
    ("subprocess.Popen", ("python", ["python", "invoice.py"], None, None), "root"),
    ("shop.order.approved", (7, 9.0), "root"),
)
ERROR_EVENTS = (("open", ("/srv/vouchers.json", "r", 0), "root"),)


def build_event(name: str, arguments: tuple[object, ...], source: Source, **ids: str) -> Event:
    """Make an audit event in the middle of the window."""
    return Event(
        name=name,
        timestamp_ns=1500,
        trace_id=ids["trace_id"],
        span_id=ids["span_id"],
        body=name,
        severity="INFO",
        attributes={"python.audit.args": json.dumps(arguments)},
        resource={},
        source=source,
        is_audit=True,
    )


def build_lifecycle(name: str, timestamp_ns: int, **accounts: int) -> Event:
    """Make a record about a window."""
    return Event(
        name=name,
        timestamp_ns=timestamp_ns,
        trace_id="",
        span_id="",
        body="",
        severity="INFO",
        attributes={f"nogi.window.{key}": value for key, value in accounts.items()},
        resource={},
        source="log",
        is_audit=False,
    )


def build_span(trace_id: str, span_id: str, parent: str, name: str, kind: int) -> Span:
    """Make a span; its id has the trace's for a prefix, as its parent's has."""
    events = (SpanEvent("exception", 1600, {}),) if name == ERROR else ()
    return Span(
        trace_id, f"{trace_id}-{span_id}", f"{trace_id}-{parent}", name, kind, 1100, 1900, events
    )


def add_visit(evidence: Evidence, phase: Phase, route: str, trace_id: str) -> Visit:
    """Add all that a good visit leaves behind."""
    evidence.spans.append(build_span(trace_id, "root", "demo", route, SERVER))
    if route == ORDER:
        evidence.spans.append(build_span(trace_id, "client", "root", "GET", CLIENT))
        evidence.spans.append(build_span(trace_id, "inner", "client", "GET /stock", SERVER))
    if phase == "window":
        for name, arguments, span in ORDER_EVENTS if route == ORDER else ERROR_EVENTS:
            ids = {"trace_id": trace_id, "span_id": f"{trace_id}-{span}"}
            evidence.logs.append(build_event(name, arguments, "log", **ids))
            evidence.span_events.append(build_event(name, arguments, "span_event", **ids))
    return Visit(phase, route, trace_id, f"{trace_id}-demo", PORT, 7)


def build_good() -> tuple[Evidence, list[Visit]]:
    """Make the evidence of a demo that worked."""
    evidence = Evidence()
    evidence.lifecycle.append(build_lifecycle(OPENED, OPENED_NS))
    visits = [
        add_visit(evidence, "before", ORDER, "before"),
        add_visit(evidence, "window", ORDER, "order"),
        add_visit(evidence, "window", ERROR, "error"),
        add_visit(evidence, "after", ORDER, "after"),
    ]
    evidence.lifecycle.append(build_lifecycle(CLOSED, CLOSED_NS, **ACCOUNTS))
    return evidence, visits


def change(events: list[Event], name: str, **fields: object) -> None:
    """Change the first event of a name."""
    index = next(index for index, event in enumerate(events) if event.name == name)
    events[index] = replace(events[index], **fields)  # type: ignore[arg-type]


def drop(events: list[Event], name: str) -> None:
    """Take away the events of a name."""
    events[:] = [event for event in events if event.name != name]


def close_with(evidence: Evidence, **accounts: int) -> None:
    """Give the window other accounts."""
    evidence.lifecycle[-1] = build_lifecycle(CLOSED, CLOSED_NS, **{**ACCOUNTS, **accounts})


def test_good_evidence_has_no_complaint() -> None:
    """Where everything holds, nothing is said."""
    assert judge(*build_good()) == []


@pytest.mark.parametrize("name", [name for name, _, _ in ORDER_EVENTS])
def test_each_expected_event_is_missed(name: str) -> None:
    """Without one of the events, on either carrier, the complaint names it and the carrier."""
    evidence, visits = build_good()
    drop(evidence.logs, name)
    drop(evidence.span_events, name)
    complaints = [one for one in judge(evidence, visits) if one.startswith(ORDER)]
    assert [one.partition(f" for {name}")[0] for one in complaints] == [
        f"{ORDER}: no log record",
        f"{ORDER}: no span event",
    ]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda e: change(e.logs, "open", span_id="order-client"), "is not on the span 'POST"),
        (lambda e: change(e.logs, "socket.connect", span_id="order-root"), "not on the span 'GET'"),
        (lambda e: change(e.logs, "open", trace_id="x"), "no log record for open of the price"),
        (
            lambda e: change(
                e.logs, "shop.order.approved", attributes={"python.audit.args": "[8, 9.0]"}
            ),
            "no log record for shop.order.approved",
        ),
        (
            lambda e: change(
                e.logs, "socket.connect", attributes={"python.audit.args": '["s", ["::1", 8000]]'}
            ),
            "no log record for socket.connect",
        ),
        (lambda e: change(e.logs, "open", timestamp_ns=999), "1 audit events outside the window"),
        (lambda e: change(e.span_events, "open", timestamp_ns=2001), "1 audit events outside the"),
        (lambda e: change(e.logs, "open", timestamp_ns=1501), "without their span event: open"),
        (lambda e: e.logs.append(e.logs[0]), "1 audit events without their span event: open"),
        (lambda e: e.span_events.append(e.span_events[0]), "without their log record: open"),
        (
            lambda e: change(e.logs, "open", trace_id="after", span_id="after-root"),
            "audit events on a request sent after the window",
        ),
        (
            lambda e: e.spans.__delitem__(slice(0, 3)),
            f"{ORDER}: its span has not arrived (trace before)",
        ),
        (lambda e: e.spans.pop(5), "the span of its inner call has not arrived"),
        (
            lambda e: e.spans.__setitem__(6, replace(e.spans[6], events=())),
            "the application's own exception event is not on its span",
        ),
        (lambda e: e.lifecycle.append(e.lifecycle[0]), "2 windows were opened and 1 closed"),
        (lambda e: e.lifecycle.pop(), "1 windows were opened and 0 closed"),
        (lambda e: close_with(e, seen=11), "11 events were seen, and 10 is the sum"),
        (lambda e: close_with(e, exported=7, seen=11), "7 events were exported, and 6 arrived"),
        (lambda e: close_with(e, in_flight=1, seen=11), "1 events were still in flight"),
        (lambda e: close_with(e, ring_full=2, seen=12), "2 events were dropped"),
        (lambda e: e.leaked.add("secret"), "a fake secret of the shop has left it unredacted"),
    ],
)
def test_each_fault_is_named(spoil: Callable[[Evidence], object], complaint: str) -> None:
    """One thing that is wrong gives a complaint that says what."""
    evidence, visits = build_good()
    spoil(evidence)
    assert [one for one in judge(evidence, visits) if complaint in one]


def test_same_fault_on_many_requests_is_told_once() -> None:
    """What is wrong on each request is one complaint, with their number and the first trace."""
    evidence, visits = build_good()
    visits.insert(2, add_visit(evidence, "window", ORDER, "second"))
    close_with(evidence, exported=11, seen=15)
    assert judge(evidence, visits) == []
    drop(evidence.logs, "sqlite3.connect")
    complaints = [one for one in judge(evidence, visits) if "no log record" in one]
    what = f"{ORDER}: no log record for sqlite3.connect to the shop's database"
    assert complaints == [f"{what} (2 requests, the first on trace order)"]


def test_full_span_is_not_held_against_the_log_records() -> None:
    """A span whose budget was used up says so itself: what it left out is no fault."""
    evidence, visits = build_good()
    evidence.logs.append(replace(evidence.logs[0], name="os.listdir"))
    close_with(evidence, exported=7, seen=11)
    assert judge(evidence, visits) == ["1 audit events without their span event: os.listdir"]
    gap = replace(build_lifecycle(GAP_NAME, 1900), trace_id="order", span_id="order-root")
    evidence.lifecycle.append(gap)
    assert judge(evidence, visits) == []
