"""What one would write next: a hook that calls ``Logger.emit``."""

from __future__ import annotations

import sys
from time import time_ns
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from benchmarks.application import export_spans
from benchmarks.case import Case, Measured
from benchmarks.clock import BURST, time_shipping
from benchmarks.sink import start_sink


def measure() -> Measured:
    """Raise bursts under spans that are exported over OTLP, and the records too."""
    with start_sink() as endpoint:
        begin_span, flush = export_spans(endpoint)
        provider = LoggerProvider()
        exporter = OTLPLogExporter(f"{endpoint}/v1/logs")
        provider.add_log_record_processor(
            BatchLogRecordProcessor(exporter, max_queue_size=2 * BURST)
        )
        emit = provider.get_logger("benchmarks").emit

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "my-event":
                emit(
                    LogRecord(
                        timestamp=time_ns(),
                        event_name=event,
                        severity_number=SeverityNumber.INFO,
                        body=event,
                        attributes={"arguments": str(arguments)},
                    )
                )

        def ship() -> None:
            provider.force_flush()
            flush()

        sys.addaudithook(hook)
        return time_shipping(begin_span, ship)


CASE = Case("shipping", 5, "a hook that calls Logger.emit", measure)
