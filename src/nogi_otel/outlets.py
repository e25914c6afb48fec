"""Where the drain ships to in this process: the OTLP exporter or provider, and the recording.

It also says, in band, what happens to the audit itself: an audit tool must be auditable.
"""

from __future__ import annotations

import logging
import os
from time import time_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.accounts import Shipped
from nogi_otel.carriers.attributes import (
    DROPPED_EVENT_NAME,
    THROTTLED_EVENT_NAME,
    WINDOW_CLOSED_EVENT_NAME,
    WINDOW_OPENED_EVENT_NAME,
)
from nogi_otel.carriers.context import suppress_instrumentation
from nogi_otel.carriers.logs import build_event
from nogi_otel.carriers.span_events import find_tracer_provider
from nogi_otel.carriers.spans import open_span_sink
from nogi_otel.errors import RecordingError
from nogi_otel.otlp import find_resource, open_sink
from nogi_otel.record import render_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from nogi_otel.carriers.spans import SpanSink
    from nogi_otel.gate import Window
    from nogi_otel.otlp import Sink
    from nogi_otel.record import AuditRecord
    from nogi_otel.recording.sink import RecordingSink
    from nogi_otel.settings import Settings

logger = logging.getLogger("nogi_otel")


class ProcessOutlets:
    """The outlets of one process. A fork's child makes its own: sockets are not shared."""

    def __init__(
        self,
        settings: Settings,
        importing: Callable[[], AbstractContextManager[object]],
        imported: Callable[[], None],
        handler: Callable[[str, str], object] | None = None,
    ) -> None:
        """Open nothing yet.

        ``importing`` is what a fork waits for, and is held while a way out is made; ``imported`` is
        called after it.
        """
        self._imported = imported
        self._importing = importing
        self._settings = settings
        self._handler = handler
        self._sink: Sink | None = None
        self._span_sink: SpanSink | None = None
        self._recording: RecordingSink | None = None
        self._recording_failed = False
        self._refused = False
        """Whether the backend takes no logs, and is left alone with them."""
        self._warned = False
        self._is_complete = False
        """Whether there is no way out to be looked for any more."""
        self._suppressed = False
        self._failing = False
        self._unreported_drops = 0

    @property
    def carries_logs(self) -> bool:
        """Whether records leave one by one; else only span events carry them."""
        settings = self._settings
        if "spans" in settings.emit or ("logs" in settings.emit and not self._refused):
            return True
        return bool(settings.recording) or self._handler is not None

    def announce(self, window: Window) -> None:
        """Find the ways out, warn where there is none, and tell that a window is open."""
        self._suppress_instrumentation()
        with self._importing():
            spans = self._find_ways()
            self._open_recording()
            self._imported()
        ways = (self._sink, self._span_sink, self._recording, self._handler)
        nowhere = all(way is None for way in ways)
        if nowhere and not spans and not self._warned:
            self._warned = True
            logger.warning(
                "The audit window %s is open, but no OpenTelemetry SDK is configured, so its "
                "events go nowhere. Run the program under opentelemetry-instrument, configure a "
                "LoggerProvider or TracerProvider, or set OTEL_PYTHON_NOGI_RECORDING to a file.",
                window.window_id,
            )
        limits = window.limits
        self._tell(
            WINDOW_OPENED_EVENT_NAME,
            f"audit window opened by {window.opened_by}",
            {
                **self._identify(window),
                "nogi.window.opened_by": window.opened_by,
                "nogi.window.events": window.selection.events,
                "nogi.window.excluded_events": window.selection.excluded_events,
                "nogi.window.emit": ",".join(sorted(self._settings.emit)),
                "nogi.window.max_duration": limits.duration_ns / 1e9,
                "nogi.window.max_events": limits.events,
            },
            window.opened_ns,
        )

    def refresh(self) -> None:
        """Look for providers that the application has set since the window was opened."""
        if self._is_complete:
            return
        try:
            with self._importing():
                self._find_ways()
        except Exception:
            self._is_complete = True
            logger.exception("A way out for audit records could not be made.")

    def _find_ways(self) -> bool:
        """Find the ways out that are not found yet; return whether spans can carry events."""
        emit = self._settings.emit
        if self._sink is None and "logs" in emit and not self._refused:
            self._sink = open_sink(self._settings.pipeline, self._settings.endpoint)
        if self._span_sink is None and "spans" in emit:
            self._span_sink = open_span_sink()
        self._is_complete = (self._sink is not None or self._refused or "logs" not in emit) and (
            self._span_sink is not None or "spans" not in emit
        )
        return "span_events" in emit and find_tracer_provider() is not None

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Ship a batch everywhere; a record counts as exported where one outlet has taken it."""
        taken = 0
        if self._recording is not None:
            try:
                self._recording.write(records)
                taken = len(records)
            except RecordingError as error:
                if not self._recording_failed:
                    self._recording_failed = True
                    logger.warning("%s", error)
        if self._handler is not None:
            self._call_handler(self._handler, records)
            taken = len(records)
        if self._span_sink is not None:
            taken = max(taken, self._span_sink.ship(records))
        if self._sink is not None:
            exported = self._sink.ship(records).exported
            self._failing = exported < len(records)
            taken = max(taken, exported)
            self._drop_refused()
        return Shipped(exported=taken, failed=len(records) - taken)

    def report_drops(self, window: Window, dropped: int) -> None:
        """Tell that events are missing here, by reason; later, while the receiver is away."""
        self._unreported_drops += dropped
        if not self._unreported_drops:
            return
        if self._failing and self._recording is None:
            return
        dropped, self._unreported_drops = self._unreported_drops, 0
        accounts = window.account(0)
        self._tell(
            DROPPED_EVENT_NAME,
            f"{dropped} audit events dropped",
            {
                **self._identify(window),
                "python.audit.dropped.count": dropped,
                "python.audit.dropped.rate_limited": accounts.rate_limited,
                "python.audit.dropped.sampled_out": accounts.sampled_out,
                "python.audit.dropped.ring_full": accounts.ring_full,
                "python.audit.dropped.hook_failed": accounts.hook_failed,
                "python.audit.dropped.redaction_failed": accounts.redaction_failed,
                "python.audit.dropped.export_failed": accounts.export_failed,
            },
            time_ns(),
            "WARN",
        )

    def report_throttle(self, window: Window, rate: int) -> None:
        """Tell that the budget of CPU time is used up, and what is taken from now on."""
        share = self._settings.cpu_budget
        self._tell(
            THROTTLED_EVENT_NAME,
            f"audit slowed to {rate} events a second: the drain may use {share:g} % of a core "
            "(OTEL_PYTHON_NOGI_CPU_BUDGET)",
            {
                **self._identify(window),
                "nogi.window.rate": rate,
                "nogi.window.cpu_budget": share,
            },
            time_ns(),
            "WARN",
        )

    def flush(self) -> None:
        """Have the application's providers export what was handed over."""
        if self._span_sink is not None:
            self._span_sink.flush()
        if self._sink is not None:
            self._sink.flush()

    def settle(self, window: Window) -> None:
        """Tell that a window is closed, with its accounts."""
        accounts = window.account(0)
        counts = {f"nogi.window.{name}": value for name, value in accounts._asdict().items()}
        self._tell(
            WINDOW_CLOSED_EVENT_NAME,
            f"audit window closed by {window.closed_by}: {accounts.seen} events seen, "
            f"{accounts.exported} exported, {accounts.dropped} dropped",
            {
                **self._identify(window),
                "nogi.window.opened_by": window.opened_by,
                "nogi.window.closed_by": window.closed_by,
                **counts,
                "nogi.window.dropped": accounts.dropped,
                "nogi.window.redaction_errors": window.redaction_errors,
            },
            window.closed_ns or time_ns(),
        )

    def close(self) -> None:
        """Let go of the exporter and the recording."""
        if self._span_sink is not None:
            self._span_sink.close()
            self._span_sink = None
        if self._sink is not None:
            self._sink.close()
            self._sink = None
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def abort(self) -> None:
        """End an export that is under way; called from another thread when time is up."""
        if self._span_sink is not None:
            self._span_sink.close()
        if self._sink is not None:
            self._sink.close()

    def _tell(
        self,
        name: str,
        body: str,
        attributes: Mapping[str, Any],
        timestamp_ns: int,
        severity: str = "INFO",
    ) -> None:
        event = build_event(name, body, attributes, timestamp_ns, severity)
        if self._recording is not None and not self._recording_failed:
            try:
                self._recording.write_event(event)
            except RecordingError as error:
                self._recording_failed = True
                logger.warning("%s", error)
        if self._sink is not None:
            self._sink.ship_event(event)
            self._drop_refused()

    def _drop_refused(self) -> None:
        """Leave a backend alone that takes no logs."""
        if self._sink is not None and self._sink.refused:
            self._sink.close()
            self._sink = None
            self._refused = True
            self._is_complete = True

    @staticmethod
    def _identify(window: Window) -> dict[str, Any]:
        return {"nogi.window.id": window.window_id, "process.pid": os.getpid()}

    @staticmethod
    def _call_handler(
        handler: Callable[[str, str], object],
        records: Sequence[AuditRecord],
    ) -> None:
        """Call a program's own handler; its errors are logged, and end nothing."""
        for record in records:
            try:
                handler(record.event, render_arguments(record.arguments))
            except Exception:  # noqa: PERF203 - each event has its own chance
                logger.exception("The handler of Nogi(handler=...) failed for %s.", record.event)

    def _open_recording(self) -> None:
        if self._recording is None and self._settings.recording and not self._recording_failed:
            from nogi_otel.recording.sink import RecordingSink

            try:
                self._recording = RecordingSink(self._settings.recording, find_resource())
            except RecordingError as error:
                self._recording_failed = True
                logger.warning("%s", error)

    def _suppress_instrumentation(self) -> None:
        """Mark the drain's own context, so that no instrumentation traces its exports."""
        if not self._suppressed:
            suppress_instrumentation()
            self._suppressed = True
