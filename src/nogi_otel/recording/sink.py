"""The watched process's own recording: audit records as OTLP JSON lines, no Collector needed."""

from __future__ import annotations

import os
from time import time_ns
from typing import TYPE_CHECKING, Any, Protocol

from nogi_otel.carriers.attributes import (
    SCHEMA_URL,
    SCOPE_NAME,
    SEVERITY_NUMBERS,
    EventNames,
    build_attributes,
)
from nogi_otel.recording.otlp_json import (
    build_data,
    encode_any_value,
    encode_attributes,
    encode_int,
    encode_span_id,
    encode_trace_id,
)
from nogi_otel.recording.writer import RecordingWriter, expand_path
from nogi_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nogi_otel.record import AuditRecord
    from nogi_otel.recording.otlp_json import JsonObject


class HasAttributes(Protocol):
    """A resource, as far as a recording needs it."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its attributes, ``service.name`` among them."""


class RecordingSink:
    """Writes audit records to one file.

    Raises:
        RecordingError: the file cannot be opened or written; says what to do.
    """

    def __init__(self, template: str, resource: HasAttributes) -> None:
        """Open the file that ``template`` names for this process."""
        self._resource = dict(resource.attributes)
        path = expand_path(template, os.getpid(), str(self._resource.get("service.name", "")))
        self._writer = RecordingWriter(path, "logs")
        self._names = EventNames()

    def write(self, records: Sequence[AuditRecord]) -> None:
        """Append the records as one line of ``LogsData``."""
        self._append([self._encode(record) for record in records])

    def write_event(self, event: Any) -> None:
        """Append a log record about this package itself."""
        self._append(
            [
                {
                    "timeUnixNano": encode_int(event.timestamp),
                    "observedTimeUnixNano": encode_int(event.observed_timestamp),
                    "severityNumber": event.severity_number.value,
                    "severityText": event.severity_text,
                    "body": encode_any_value(event.body),
                    "attributes": encode_attributes(event.attributes),
                    "eventName": event.event_name,
                }
            ]
        )

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _append(self, log_records: list[JsonObject]) -> None:
        self._writer.append(
            build_data(
                "logs",
                log_records,
                resource=self._resource,
                scope_name=SCOPE_NAME,
                scope_version=__version__,
                schema_url=SCHEMA_URL,
            )
        )

    def _encode(self, record: AuditRecord) -> JsonObject:
        encoded: JsonObject = {
            "timeUnixNano": encode_int(record.timestamp_ns),
            "observedTimeUnixNano": encode_int(time_ns()),
            "severityNumber": SEVERITY_NUMBERS[record.severity],
            "severityText": record.severity,
            "body": encode_any_value(record.body),
            "attributes": encode_attributes(build_attributes(record)),
            "eventName": self._names.name_event(record.event),
        }
        if record.trace_id:
            encoded["flags"] = record.trace_flags
            encoded["traceId"] = encode_trace_id(record.trace_id)
            encoded["spanId"] = encode_span_id(record.span_id)
        return encoded
