"""What must hold after the demo: which audit events, on which spans, and none beside them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from nogi_otel.accounts import Accounts
from nogi_otel.cli.shop import ERROR, ORDER
from nogi_otel.cli.spans import SERVER
from nogi_otel.recording.event import GAP_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nogi_otel.cli.evidence import Evidence
    from nogi_otel.cli.shop import Visit
    from nogi_otel.cli.spans import Span
    from nogi_otel.recording.event import Event

OPENED: Final = "nogi.window.opened"
CLOSED: Final = "nogi.window.closed"
_OUTCOMES: Final = tuple(name for name in Accounts._fields if name != "seen")


Matcher: TypeAlias = "Callable[[tuple[object, ...], Visit], bool]"
"""Whether arguments, of which there is one at least, are those of a visit."""


class Expected(NamedTuple):
    """An audit event that each visit of a route must have raised."""

    event: str
    what: str
    span: Literal["request", "inner call"]
    """Whose span it must stand on."""
    matches: Matcher


def _names(file_name: str) -> Matcher:
    # Not at the end: up to 3.10, sqlite3 gives its path as bytes, which are shown as b'...'.
    return lambda arguments, _: f"/{file_name}" in str(arguments[0])


def _dials(arguments: tuple[object, ...], visit: Visit) -> bool:
    return len(arguments) > 1 and arguments[1] == ("127.0.0.1", visit.port)


def _runs_invoice(arguments: tuple[object, ...], _: Visit) -> bool:
    return len(arguments) > 1 and "invoice.py" in str(arguments[1])


def _approves(arguments: tuple[object, ...], visit: Visit) -> bool:
    return arguments[0] == visit.order_id


EXPECTED: Final = {
    ORDER: (
        Expected("open", "of the price list", "request", _names("prices.json")),
        Expected("sqlite3.connect", "to the shop's database", "request", _names("shop.db")),
        Expected("socket.connect", "of the inner call", "inner call", _dials),
        Expected("subprocess.Popen", "of the invoice", "request", _runs_invoice),
        Expected("shop.order.approved", "with the order's number", "request", _approves),
    ),
    ERROR: (Expected("open", "of the vouchers", "request", _names("vouchers.json")),),
}


def judge(evidence: Evidence, visits: Sequence[Visit]) -> list[str]:
    """Give a complaint for each thing that does not hold; none at all means that the demo worked.

    What is the same on several requests is told once.
    """
    complaints = list(_judge_window(evidence))
    found: dict[str, list[str]] = {}
    for visit in visits:
        for complaint in _judge_visit(evidence, visit):
            found.setdefault(complaint, []).append(visit.trace_id)
    for complaint, trace_ids in found.items():
        where = f"trace {trace_ids[0]}"
        if len(trace_ids) > 1:
            where = f"{len(trace_ids)} requests, the first on {where}"
        complaints.append(f"{complaint} ({where})")
    complaints += _judge_twins(evidence)
    for _ in evidence.leaked:
        complaints.append("a fake secret of the shop has left it unredacted")
    return complaints


def _judge_visit(evidence: Evidence, visit: Visit) -> Iterator[str]:
    spans = evidence.list_trace(visit.trace_id)
    root = next((span for span in spans if span.parent_id == visit.parent_id), None)
    if root is None:
        yield f"{visit.route}: its span has not arrived"
        return
    if visit.phase != "window":
        if evidence.list_events(visit.trace_id):
            yield f"{visit.route}: audit events on a request sent {visit.phase} the window"
        return
    client = _find_client(spans, root)
    for expected in EXPECTED[visit.route]:
        name = f"{expected.event} {expected.what}"
        span = root if expected.span == "request" else client
        if span is None:
            yield f"{visit.route}: the span of its inner call has not arrived"
            continue
        logs = _find(evidence.logs, expected, visit)
        span_events = _find(evidence.span_events, expected, visit)
        for carrier, events in (("log record", logs), ("span event", span_events)):
            if not events:
                yield f"{visit.route}: no {carrier} for {name}"
            elif not any(event.span_id == span.span_id for event in events):
                yield f"{visit.route}: the {carrier} for {name} is not on the span {span.name!r}"
    if visit.route == ERROR and not any(event.name == "exception" for event in root.events):
        yield f"{visit.route}: the application's own exception event is not on its span"


def _find(events: Sequence[Event], expected: Expected, visit: Visit) -> list[Event]:
    return [
        event
        for event in events
        if event.trace_id == visit.trace_id
        and event.name == expected.event
        and event.arguments
        and expected.matches(event.arguments, visit)
    ]


def _find_client(spans: Sequence[Span], root: Span) -> Span | None:
    """Give the span of the inner call: the one between the two requests that the shop served."""
    callers = {span.parent_id for span in spans if span.kind == SERVER and span is not root}
    return next((span for span in spans if span.span_id in callers), None)


def _judge_window(evidence: Evidence) -> Iterator[str]:
    opened, closed = evidence.list_lifecycle(OPENED), evidence.list_lifecycle(CLOSED)
    if len(opened) != 1 or len(closed) != 1:
        yield f"{len(opened)} windows were opened and {len(closed)} closed, instead of one"
        return
    beginning_ns, end_ns = opened[0].timestamp_ns, closed[0].timestamp_ns
    outside = [
        event
        for event in (*evidence.logs, *evidence.span_events)
        if not beginning_ns <= event.timestamp_ns <= end_ns
    ]
    if outside:
        yield f"{len(outside)} audit events outside the window, {outside[0].name} among them"
    accounts = read_accounts(closed[0])
    seen = accounts["seen"]
    total = sum(accounts[name] for name in _OUTCOMES)
    if seen != total:
        yield f"{seen} events were seen, and {total} is the sum of what became of them"
    if accounts["exported"] != len(evidence.logs):
        yield f"{accounts['exported']} events were exported, and {len(evidence.logs)} arrived"
    if accounts["in_flight"]:
        yield f"{accounts['in_flight']} events were still in flight when the window was settled"
    dropped = count_dropped(evidence)
    if dropped:
        yield f"{dropped} events were dropped"


def _judge_twins(evidence: Evidence) -> Iterator[str]:
    """Hold log records against span events: on a span that has arrived, each has its twin."""
    full = {event.span_id for event in evidence.list_lifecycle(GAP_NAME) if event.span_id}
    arrived = {span.span_id for span in evidence.spans} - full
    logs, span_events = (
        Counter(
            (event.name, event.timestamp_ns, event.span_id)
            for event in events
            if event.span_id in arrived
        )
        for events in (evidence.logs, evidence.span_events)
    )
    for missing, of in ((logs - span_events, "span event"), (span_events - logs, "log record")):
        if missing:
            names = ", ".join(sorted({name for name, _, _ in missing}))
            yield f"{missing.total()} audit events without their {of}: {names}"


def read_accounts(closed: Event) -> dict[str, int]:
    """Give the accounts that a closed window's record tells; what it does not tell is 0."""
    values = {name: closed.attributes.get(f"nogi.window.{name}") for name in Accounts._fields}
    return {name: value if isinstance(value, int) else 0 for name, value in values.items()}


def count_dropped(evidence: Evidence) -> int:
    """Give how many audit events were wanted and are lost, as the windows' records tell."""
    return sum(
        Accounts(**read_accounts(closed)).dropped for closed in evidence.list_lifecycle(CLOSED)
    )
