"""Events as they are read from OTLP JSON: log records and span events."""

from __future__ import annotations

from typing import Any

import pytest

from nogi_otel.errors import RecordingError
from nogi_otel.recording.event import Event, iterate_events
from nogi_otel.recording.otlp_json import build_data, encode_attributes

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"


def read_log(record: dict[str, Any], attributes: dict[str, object] | None = None) -> list[Event]:
    """Give the events in a request of one log record."""
    record = {**record, "attributes": encode_attributes(attributes or {})}
    resource = {"service.name": "shop", "process.pid": 7}
    return list(
        iterate_events("logs", build_data("logs", [record], resource=resource, scope_name="t"))
    )


def test_a_log_record_becomes_an_event_with_everything_in_it() -> None:
    """Name, time, ids, body, severity, attributes, resource and arguments all arrive."""
    (event,) = read_log(
        {
            "eventName": "python.audit.socket.connect",
            "timeUnixNano": "1700000000123456789",
            "traceId": TRACE_ID.upper(),
            "spanId": SPAN_ID,
            "body": {"stringValue": "socket.connect 127.0.0.1:443"},
            "severityNumber": 13,
            "severityText": "WARN",
        },
        {
            "network.peer.port": 443,
            "thread.name": "MainThread",
            "process.pid": 1234,
            "python.audit.event": "socket.connect",
            "python.audit.args": '["<socket.socket>",["127.0.0.1",443],null,{"a":[1.5]}]',
        },
    )
    assert event.name == "socket.connect"
    assert event.timestamp_ns == 1_700_000_000_123_456_789
    assert (event.trace_id, event.span_id) == (TRACE_ID, SPAN_ID)
    assert event.body == "socket.connect 127.0.0.1:443"
    assert event.severity == "WARN"
    assert event.attributes["network.peer.port"] == 443
    assert event.resource == {"service.name": "shop", "process.pid": 7}
    assert event.arguments == ("<socket.socket>", ("127.0.0.1", 443), None, {"a": (1.5,)})
    assert (event.service_name, event.process_id, event.thread_name) == ("shop", 1234, "MainThread")
    assert event.source == "log"
    assert event.is_audit


def test_a_span_event_becomes_an_event_with_the_ids_of_its_span() -> None:
    """Only the audit events of a span are given, with the span's ids and no body."""
    span = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": "GET /",
        "events": [
            {"name": "exception", "timeUnixNano": "1"},
            {
                "name": "python.audit.open",
                "timeUnixNano": "5",
                "attributes": encode_attributes({"python.audit.args": '["/etc/hosts"]'}),
            },
            {"name": "python.audit.dropped", "timeUnixNano": "6"},
        ],
    }
    data = build_data("traces", [span, {"name": "no events"}], resource={}, scope_name="app")
    opened, dropped = iterate_events("traces", data)
    assert (opened.name, opened.timestamp_ns, opened.source) == ("open", 5, "span_event")
    assert (opened.trace_id, opened.span_id, opened.body) == (TRACE_ID, SPAN_ID, "")
    assert opened.arguments == ("/etc/hosts",)
    assert (dropped.name, dropped.is_audit) == ("python.audit.dropped", False)


def test_metrics_hold_no_events() -> None:
    """A request of metrics gives none."""
    assert list(iterate_events("metrics", {"resourceMetrics": [{}]})) == []


def test_other_log_records_are_skipped() -> None:
    """The application's own log records are not events of ours."""
    assert read_log({"body": {"stringValue": "hello"}}) == []
    assert read_log({"eventName": "gen_ai.choice"}) == []


def test_the_name_is_taken_from_the_attribute_where_it_is() -> None:
    """A record named ``python.audit.other``, or one whose name was lost, still tells its event."""
    (other,) = read_log({"eventName": "python.audit.other"}, {"python.audit.event": "my-event.77"})
    assert other.name == "my-event.77"
    (nameless,) = read_log({}, {"python.audit.event": "open"})
    assert nameless.name == "open"
    (bare,) = read_log({"eventName": "python.audit.open"})
    assert bare.name == "open"


@pytest.mark.parametrize(
    "name", ["nogi.window.opened", "nogi.window.closed", "python.audit.dropped"]
)
def test_lifecycle_records_are_no_audit_events(name: str) -> None:
    """A window that opens or closes and a gap are shown, and told from audit events."""
    (event,) = read_log({"eventName": name})
    assert (event.name, event.is_audit) == (name, False)


def test_an_application_may_call_its_own_audit_event_dropped() -> None:
    """``sys.audit("dropped")`` is an audit event, though its record is named like a gap."""
    (event,) = read_log({"eventName": "python.audit.dropped"}, {"python.audit.event": "dropped"})
    assert (event.name, event.is_audit) == ("dropped", True)


@pytest.mark.parametrize(
    ("trace_id", "span_id", "expected"),
    [
        ("", "", ("", "")),
        ("00" * 16, "00" * 8, ("", "")),
        ("abcd", SPAN_ID, ("", "")),
        (TRACE_ID, "", (TRACE_ID, "")),
        (TRACE_ID, "abcd", (TRACE_ID, "")),
        (None, None, ("", "")),
    ],
)
def test_an_invalid_id_counts_as_none(
    trace_id: str | None, span_id: str | None, expected: tuple[str, str]
) -> None:
    """An id of the wrong length or of zeros is no id (logs.proto)."""
    record = {"eventName": "python.audit.open", "traceId": trace_id, "spanId": span_id}
    (event,) = read_log(record)
    assert (event.trace_id, event.span_id) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, ""),
        (1, "TRACE"),
        (4, "TRACE"),
        (9, "INFO"),
        (12, "INFO"),
        (13, "WARN"),
        (24, "FATAL"),
        (25, ""),
    ],
)
def test_the_severity_comes_from_the_number_where_there_is_no_text(number: int, text: str) -> None:
    """The logs data model gives each name four numbers."""
    (event,) = read_log({"eventName": "python.audit.open", "severityNumber": number})
    assert event.severity == text


@pytest.mark.parametrize(
    "text", ["", "[1,", "3", "{}", "[" * 5000, "[" * 33 + "]" * 33, "9" * 5000]
)
def test_arguments_that_cannot_be_read_are_none_and_their_text_stays(text: str) -> None:
    """Arguments that are not a JSON array, or nested without end, are still there as text."""
    (event,) = read_log({"eventName": "python.audit.open"}, {"python.audit.args": text})
    assert event.arguments is None
    assert event.arguments_text == text


def test_the_observed_time_stands_in_for_a_missing_time() -> None:
    """The logs data model lets a sender leave the time out."""
    (event,) = read_log({"eventName": "python.audit.open", "observedTimeUnixNano": 12})
    assert event.timestamp_ns == 12


@pytest.mark.parametrize(
    ("signal", "data"),
    [
        ("logs", {"resourceLogs": 1}),
        ("logs", {"resourceLogs": [1]}),
        ("logs", {"resourceLogs": [{"resource": []}]}),
        ("logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": 5}]}]}]}),
        (
            "logs",
            {
                "resourceLogs": [
                    {"scopeLogs": [{"logRecords": [{"eventName": "nogi.x", "body": 1}]}]}
                ]
            },
        ),
        ("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [{"events": [None, 3]}]}]}]}),
    ],
)
def test_a_shape_that_is_not_otlp_is_a_recording_error(signal: Any, data: dict[str, Any]) -> None:
    """Reading gives events or the one error, never a TypeError or a KeyError."""
    with pytest.raises(RecordingError):
        list(iterate_events(signal, data))
