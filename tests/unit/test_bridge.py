"""The bridge from events to span events: the four conditions of the specification, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from nogi_otel import EventToSpanEventBridge

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Any:
    """A tracer of the real SDK."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


@pytest.fixture
def logger() -> Any:
    """A logger of the real SDK whose only processor is the bridge."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(EventToSpanEventBridge())
    return provider.get_logger("test")


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    """Return the one span that was exported."""
    (span,) = spans.get_finished_spans()
    return span


def test_an_event_is_added_to_its_span(
    tracer: Any, logger: Any, spans: InMemorySpanExporter
) -> None:
    """Name, time and all attributes are the record's."""
    with tracer.start_as_current_span("request"):
        logger.emit(timestamp=17, event_name="shop.paid", attributes={"amount": 9, "by": "card"})
    (event,) = only(spans).events
    assert (event.name, event.timestamp) == ("shop.paid", 17)
    assert dict(event.attributes or {}) == {"amount": 9, "by": "card"}


def test_the_observed_time_stands_in(tracer: Any, logger: Any, spans: InMemorySpanExporter) -> None:
    """A record without a time of its own has the time at which it was observed."""
    with tracer.start_as_current_span("request"):
        logger.emit(observed_timestamp=23, event_name="shop.paid")
    assert only(spans).events[0].timestamp == 23


def test_a_record_without_an_event_name_is_no_event(
    tracer: Any, logger: Any, spans: InMemorySpanExporter
) -> None:
    """Condition one: the name."""
    with tracer.start_as_current_span("request"):
        logger.emit(timestamp=17, body="an ordinary log line")
    assert only(spans).events == ()


def test_a_record_outside_of_a_span_goes_nowhere(
    tracer: Any, logger: Any, spans: InMemorySpanExporter
) -> None:
    """Condition two: valid ids."""
    logger.emit(timestamp=17, event_name="shop.paid")
    with tracer.start_as_current_span("request"):
        pass
    assert only(spans).events == ()


def test_a_span_that_does_not_record_is_left_alone(
    tracer: Any, logger: Any, spans: InMemorySpanExporter
) -> None:
    """Condition three: the span in the record's own context is recording."""
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span("request"):
        logger.emit(
            timestamp=17,
            event_name="shop.paid",
            context=set_span_in_context(NonRecordingSpan(remote)),
        )
    assert only(spans).events == ()


def test_an_event_of_another_span_is_not_added(
    tracer: Any, logger: Any, spans: InMemorySpanExporter
) -> None:
    """Condition four: the ids are those of the span."""
    from opentelemetry._logs import LogRecord

    with tracer.start_as_current_span("request"):
        record = LogRecord(timestamp=17, event_name="shop.paid")
        record.span_id = 99
        logger.emit(record)
    assert only(spans).events == ()
