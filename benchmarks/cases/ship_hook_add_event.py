"""What one would write first: a hook that calls ``span.add_event``. It deadlocks, in time."""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry import trace

from benchmarks.application import export_spans
from benchmarks.case import Case, Measured
from benchmarks.clock import time_shipping
from benchmarks.sink import start_sink


def measure() -> Measured:
    """Raise bursts under spans that are exported over OTLP."""
    with start_sink() as endpoint:
        begin_span, flush = export_spans(endpoint)

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "my-event":
                trace.get_current_span().add_event(event, {"arguments": str(arguments)})

        sys.addaudithook(hook)
        return time_shipping(begin_span, flush)


CASE = Case("shipping", 4, "a hook that calls span.add_event", measure)
