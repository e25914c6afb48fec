"""nogi_otel as its user has it: an open window, a drain, an exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nogi_otel
from benchmarks.application import export_spans
from benchmarks.clock import time_shipping
from benchmarks.sink import start_sink

if TYPE_CHECKING:
    from benchmarks.case import Measured


def measure_agent(emit: str) -> Measured:
    """Raise bursts under spans that are exported over OTLP, with these carriers."""
    with start_sink() as endpoint:
        begin_span, flush = export_spans(endpoint)
        nogi_otel.NogiInstrumentor().instrument(
            events="my-event",
            emit=emit,
            pipeline="direct",
            endpoint=endpoint,
            cpu_budget=0,  # all of it is shipped, as the peers do
            buffer="16MiB",
        )
        nogi_otel.open_gate()

        def ship() -> None:
            nogi_otel.flush(60)
            flush()

        measured = time_shipping(begin_span, ship)
        accounts = nogi_otel.close_gate(60) or {}
        assert accounts["dropped"] == accounts["in_flight"] == 0, accounts
        return measured
