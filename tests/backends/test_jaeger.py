"""Jaeger shows the audit events: each on the span in which it happened, with its attributes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.shop import SECRET_VARIABLES
from nogi_otel.cli.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Callable

FULL = Path(__file__).parents[2] / "collector-config.yaml"
PROTOCOLS = ["http/protobuf", "grpc"]
OF_AN_ORDER = {
    "python.audit.open",
    "python.audit.sqlite3.connect",
    "python.audit.subprocess.Popen",
    "python.audit.shop.order.approved",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_events_are_on_their_spans(  # noqa: PLR0913 - fixtures
    *,
    protocol: str,
    jaeger: Any,
    start_collector: Callable[..., Any],
    start_shop: Callable[..., Any],
    play: Callable[..., Any],
    find_ports: Callable[[int], list[int]],
    wait_until: Callable[..., Any],
    ask: Callable[..., Any],
) -> None:
    """From the shop through the Collector, with its other consumers away."""
    tempo, logs = find_ports(2)
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{jaeger.grpc}",
        OTELCOL_TEMPO=f"127.0.0.1:{tempo}",
        OTELCOL_LOGS=f"http://127.0.0.1:{logs}",
    )
    secrets = {name: f"fake-secret-{number}" for number, name in enumerate(SECRET_VARIABLES)}
    shop = start_shop(collector.endpoint(protocol), protocol, **secrets)

    def read_files() -> Any:
        return collector.read_evidence("audit-logs.jsonl", "traces.jsonl")

    visits = play(shop, read_files)
    files = read_files()
    counts = {visit.trace_id: 0 for visit in visits}
    for span in files.spans:
        counts[span.trace_id] += 1

    def is_whole(trace_id: str) -> bool:
        return len(jaeger.read_trace(trace_id).spans) == counts[trace_id]

    for visit in visits:
        wait_until(lambda visit=visit: is_whole(visit.trace_id), f"trace {visit.trace_id}")
    shown = files  # the log records from the Collector's file, the spans from Jaeger
    shown.spans, shown.span_events = [], []
    for visit in visits:
        trace = jaeger.read_trace(visit.trace_id)
        shown.spans += trace.spans
        shown.span_events += trace.span_events
    assert judge(shown, visits) == []

    order = next(visit for visit in visits if visit.phase == "window")
    trace = jaeger.read_trace(order.trace_id)
    root = next(span for span in trace.spans if span.parent_id == order.parent_id)
    assert {event.name for event in root.events} >= OF_AN_ORDER
    assert all(root.start_ns <= event.timestamp_ns <= root.end_ns for event in root.events)
    approved = next(event for event in root.events if event.name.endswith("approved"))
    assert approved.attributes["python.audit.event"] == "shop.order.approved"
    assert approved.attributes["python.audit.args"] == f"[{order.order_id},9.0]"
    opened = next(event for event in root.events if event.name == "python.audit.open")
    assert str(opened.attributes["file.path"]).endswith("/prices.json")
    inner = next(span for span in trace.spans if span.name == "GET")
    connected = next(e for e in inner.events if e.name == "python.audit.socket.connect")
    assert connected.attributes["network.peer.address"] == "127.0.0.1"
    assert connected.attributes["network.peer.port"] == order.port

    page = json.dumps(ask(f"{jaeger.url}/api/traces/{order.trace_id}"))
    assert '"key": "event", "type": "string", "value": "python.audit.open"' in page
    assert not [secret for secret in secrets.values() if secret in page]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_jaeger_alone_costs_one_warning(
    *,
    protocol: str,
    jaeger: Any,
    start_shop: Callable[..., Any],
    place_orders: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """It takes no logs: that is said once, and no span event is lost for it."""
    endpoint = f"http://127.0.0.1:{jaeger.grpc if protocol == 'grpc' else jaeger.http}"
    shop = start_shop(
        endpoint, protocol, OTEL_PYTHON_NOGI_START="open", OTEL_BLRP_SCHEDULE_DELAY="100"
    )

    def is_open() -> bool:
        (visit,) = place_orders(shop, 1)
        wait_until(lambda: jaeger.read_trace(visit.trace_id).spans, "the trace")
        return bool(jaeger.read_trace(visit.trace_id).span_events)

    wait_until(is_open, "the window is open")
    visits = place_orders(shop, 5)
    shop.end()
    for visit in visits:
        wait_until(
            lambda visit=visit: any(
                span.parent_id == visit.parent_id
                for span in jaeger.read_trace(visit.trace_id).spans
            ),
            "the trace",
        )
        trace = jaeger.read_trace(visit.trace_id)
        root = next(span for span in trace.spans if span.parent_id == visit.parent_id)
        assert {event.name for event in root.events} >= OF_AN_ORDER
    said = [
        line
        for line in shop.read_output().splitlines()
        if "HTTP/1.1" not in line and not line.startswith("ready ")
    ]
    assert len(said) == 1, "\n".join(said)
    assert "takes no logs" in said[0]


def test_events_are_found_by_their_attributes(
    jaeger: Any,
    start_shop: Callable[..., Any],
    place_orders: Callable[..., Any],
    wait_until: Callable[..., Any],
    ask: Callable[..., Any],
) -> None:
    """Jaeger's search finds the trace by an attribute of an event; it does not know event names."""
    shop = start_shop(
        f"http://127.0.0.1:{jaeger.http}",
        OTEL_PYTHON_NOGI_START="open",
        OTEL_PYTHON_NOGI_EMIT="span_events",
    )

    def search(**tags: str) -> set[str]:
        answer = ask(f"{jaeger.url}/api/traces", service="shop", limit=100, tags=json.dumps(tags))
        return {trace["traceID"] for trace in (answer or {}).get("data") or []}

    def find() -> bool:
        (visit,) = place_orders(shop, 1)
        wait_until(lambda: jaeger.read_trace(visit.trace_id).spans, "the trace")
        return visit.trace_id in search(**{"python.audit.event": "shop.order.approved"})

    wait_until(find, "an order's trace is found by the name of its event")
    assert search(**{"python.audit.event": "no.such.event"}) == set()
    shop.end()
