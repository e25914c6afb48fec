"""A Collector or a consumer that goes away: what is lost, and that it is counted.

The consumers here are Collectors too, with examples/collector/minimal.yaml: real ones, whose files
tell what they got.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.cli.verdict import CLOSED, OPENED, judge, read_accounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.recording.event import Event

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FULL = ROOT / "collector-config.yaml"
MINIMAL = ROOT / "examples" / "collector" / "minimal.yaml"
APPROVED = "shop.order.approved"


def identify(event: Event) -> tuple[object, ...]:
    """Return what tells an event from every other: a batch may come twice after a crash."""
    return event.name, event.timestamp_ns, event.span_id, event.arguments_text


def read_consumer(collector: Any) -> Any:
    """Return what a consumer has got."""
    return collector.read_evidence("logs.jsonl", "traces.jsonl")


def read_files(collector: Any) -> Any:
    """Return what the Collector under test has kept itself."""
    return collector.read_evidence("audit-logs.jsonl", "traces.jsonl")


@pytest.fixture
def start_consumer(start_collector: Callable[..., Any]) -> Callable[[str], Any]:
    """Start a consumer."""
    return lambda name: start_collector(name, MINIMAL, OTELCOL_VERBOSITY="basic")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_killed_collector_loses_nothing_of_its_queue(
    *,
    protocol: str,
    start_collector: Callable[..., Any],
    start_consumer: Callable[[str], Any],
    start_shop: Callable[..., Any],
    place_orders: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """Killed in mid-window with its consumers away, it has all when it and they are back."""
    logs, traces = start_consumer("logs"), start_consumer("traces")
    logs.backend.kill()
    traces.backend.kill()
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{traces.grpc}",
        OTELCOL_TEMPO=f"127.0.0.1:{traces.grpc}",
        OTELCOL_LOGS=f"http://127.0.0.1:{logs.http}",
    )
    shop = start_shop(collector.endpoint(protocol), protocol)
    shop.signal(signal.SIGUSR1)
    wait_until(lambda: read_files(collector).list_lifecycle(OPENED), "a window opened")
    visits = place_orders(shop, 2)
    collector.backend.kill()
    visits += place_orders(shop, 2)
    collector.start()
    visits += place_orders(shop, 2)
    shop.signal(signal.SIGUSR2)
    wait_until(lambda: read_files(collector).list_lifecycle(CLOSED), "the window closed")
    shop.end()

    logs.start()
    traces.start()
    wait_until(lambda: read_consumer(logs).list_lifecycle(CLOSED), "the window's end, delivered")
    (closed,) = read_consumer(logs).list_lifecycle(CLOSED)
    accounts = read_accounts(closed)
    assert accounts["export_failed"] == 0
    assert accounts["exported"] >= 6 * 7

    def count(evidence: Any) -> int:
        return len(set(map(identify, evidence.logs)))

    wait_until(lambda: count(read_consumer(logs)) == accounts["exported"], "every log record")
    assert count(read_files(collector)) == accounts["exported"]
    wanted = {visit.trace_id for visit in visits}
    wait_until(
        lambda: wanted <= {span.trace_id for span in read_consumer(traces).spans}, "every trace"
    )


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_loss_without_a_queue_is_counted(
    *,
    protocol: str,
    start_collector: Callable[..., Any],
    start_consumer: Callable[[str], Any],
    start_shop: Callable[..., Any],
    place_orders: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """What came while the Collector was dead is lost, counted exactly, and told in band."""
    consumer = start_consumer("consumer")
    collector = start_collector(
        "collector", FOLDER / "unqueued.yaml", OTELCOL_NEXT=f"127.0.0.1:{consumer.grpc}"
    )
    shop = start_shop(
        collector.endpoint(protocol),
        protocol,
        OTEL_PYTHON_NOGI_EVENTS=APPROVED,
        OTEL_TRACES_EXPORTER="none",  # its complaint would silence ours: the SDK filters twins
        OTEL_EXPORTER_OTLP_TIMEOUT="5",
    )

    def read() -> Any:
        return read_consumer(consumer)

    shop.signal(signal.SIGUSR1)
    wait_until(lambda: read().list_lifecycle(OPENED), "a window opened")
    place_orders(shop, 3)
    wait_until(lambda: len(read().logs) == 3, "the events of three orders")
    collector.backend.kill()
    place_orders(shop, 1)  # one batch: none is under way, half confirmed, when it comes back
    wait_until(lambda: "Failed to export" in shop.read_output(), "a batch given up")
    collector.start()

    def place_one_more() -> bool:
        place_orders(shop, 1)
        return len(read().logs) > 3

    wait_until(place_one_more, "the Collector is found again")
    shop.signal(signal.SIGUSR2)
    wait_until(lambda: read().list_lifecycle(CLOSED), "the window closed")
    shop.end()
    evidence = read()
    accounts = read_accounts(evidence.list_lifecycle(CLOSED)[0])
    assert accounts["exported"] == len(evidence.logs)
    assert accounts["export_failed"] > 0
    assert (
        accounts["exported"] + accounts["export_failed"] == accounts["seen"] - accounts["filtered"]
    )
    told = [
        event.attributes["python.audit.dropped.count"]
        for event in evidence.list_lifecycle("python.audit.dropped")
    ]
    assert sum(told) == accounts["export_failed"]


def test_dead_consumer_holds_up_no_other(
    *,
    start_collector: Callable[..., Any],
    start_consumer: Callable[[str], Any],
    start_shop: Callable[..., Any],
    play: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """With one consumer dead all others get everything, and so does it when it is back."""
    jaeger, tempo, logs = (start_consumer(name) for name in ("jaeger", "tempo", "logs"))
    jaeger.backend.kill()
    collector = start_collector(
        "collector",
        FULL,
        OTELCOL_JAEGER=f"127.0.0.1:{jaeger.grpc}",
        OTELCOL_TEMPO=f"127.0.0.1:{tempo.grpc}",
        OTELCOL_LOGS=f"http://127.0.0.1:{logs.http}",
    )
    shop = start_shop(collector.endpoint("grpc"), "grpc")
    visits = play(shop, lambda: read_consumer(logs))
    files = read_files(collector)
    assert judge(files, visits) == []
    assert files.spans

    def is_complete(consumer: Any) -> bool:
        """Tell whether a consumer of traces, with the logs of the other, has what it must."""
        evidence = read_consumer(consumer)
        evidence.logs, evidence.lifecycle = files.logs, files.lifecycle
        return judge(evidence, visits) == []

    wait_until(lambda: is_complete(tempo), "the living consumer has every span event")
    delivered = read_consumer(logs)
    assert sorted(map(identify, delivered.logs)) == sorted(map(identify, files.logs))
    assert not read_consumer(jaeger).spans
    jaeger.start()
    wait_until(lambda: is_complete(jaeger), "the dead consumer has what it missed")
