"""Loki has the log records: by event and by trace, and as many as the process says it sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.verdict import CLOSED, read_accounts

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FULL = ROOT / "collector-config.yaml"
DASHBOARD = ROOT / "examples" / "compose" / "grafana" / "dashboards" / "audit.json"
PAGE = ROOT / "docs" / "grafana.md"
VARIABLES = {"$service": "shop", "$event": ".*", "$trace": ".*", "$__auto": "1m", "$__range": "1h"}
HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_every_record_is_found_by_event_and_by_trace(  # noqa: PLR0913 - fixtures
    *,
    protocol: str,
    loki: str,
    start_collector: Callable[..., Any],
    start_shop: Callable[..., Any],
    play: Callable[..., Any],
    find_ports: Callable[[int], list[int]],
    wait_until: Callable[..., Any],
    ask: Callable[..., Any],
) -> None:
    """What Loki counts is what the window's last record says, to the last one."""
    jaeger, tempo = find_ports(2)
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{jaeger}",
        OTELCOL_TEMPO=f"127.0.0.1:{tempo}",
        OTELCOL_LOGS=f"{loki}/otlp",
    )
    service = f"shop-{protocol[:4]}"
    shop = start_shop(collector.endpoint(protocol), protocol, OTEL_SERVICE_NAME=service)

    def read_files() -> Any:
        return collector.read_evidence("audit-logs.jsonl", "traces.jsonl")

    def query(expression: str) -> list[Any]:
        now_ns = time_ns()
        answer = ask(
            f"{loki}/loki/api/v1/query_range",
            query=f'{{service_name="{service}"}} | {expression}',
            start=now_ns - HOUR_NS,
            end=now_ns + HOUR_NS,
            limit=5000,
        )
        streams = answer["data"]["result"] if isinstance(answer, dict) else []
        return [stream["stream"] for stream in streams for _ in stream["values"]]

    visits = play(shop, read_files)
    wait_until(lambda: query(f"event_name=`{CLOSED}`"), "the window's end is in Loki")
    files = read_files()
    (closed,) = files.list_lifecycle(CLOSED)
    accounts = read_accounts(closed)
    assert accounts["export_failed"] == 0

    found = query("event_name=~`python[.]audit[.].+`")
    assert len(found) == accounts["exported"] == len(files.logs)
    assert Counter(one["python_audit_event"] for one in found) == Counter(
        event.name for event in files.logs
    )
    for name, number in Counter(event.name for event in files.logs).items():
        assert len(query(f"event_name=`python.audit.{name}`")) == number, name
    for visit in visits:
        sent = [event for event in files.logs if event.trace_id == visit.trace_id]
        assert len(query(f"trace_id=`{visit.trace_id}`")) == len(sent)
        assert bool(sent) == (visit.phase == "window")
    opened = query("event_name=`python.audit.open` | file_path=~`.+/prices[.]json`")
    assert len(opened) == sum(visit.route == "POST /orders" for visit in visits) / 3


def test_loki_understands_the_queries_that_we_give_away(loki: str, ask: Callable[..., Any]) -> None:
    """Those of the dashboard, with its variables filled in, and those of the page on Grafana."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [
        target["expr"] for panel in panels for target in panel["targets"] if "expr" in target
    ]
    (block,) = re.findall(
        r"## LogQL.*?```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    queries += block.splitlines()
    assert len(queries) >= 10
    for query in queries:
        filled = query
        for name, value in VARIABLES.items():
            filled = filled.replace(name, value)
        answer = ask(f"{loki}/loki/api/v1/query_range", query=filled, limit=10)
        assert isinstance(answer, dict), filled
        assert answer["status"] == "success", filled
    assert ask(f"{loki}/loki/api/v1/query_range", query='{trace_id="x"', limit=10) is None
