"""What one watched process has sent: its spans, its audit events and the life of its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nogi_otel.cli.spans import iterate_spans
from nogi_otel.recording.event import iterate_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.message import Message

    from nogi_otel.cli.spans import Span
    from nogi_otel.recording.event import Event
    from nogi_otel.recording.otlp_json import Signal
    from nogi_otel.recording.writer import RecordingWriter


class Evidence:
    """Keeps all that arrives, in memory: for a process that is watched for some seconds."""

    def __init__(
        self, secrets: Iterable[str] = (), writers: Mapping[Signal, RecordingWriter] | None = None
    ) -> None:
        """Begin with nothing; ``secrets`` must not arrive, ``writers`` record what does."""
        self.logs: list[Event] = []
        """Audit events that came as log records."""
        self.span_events: list[Event] = []
        """Audit events that came on a span."""
        self.lifecycle: list[Event] = []
        """Windows opened and closed, and gaps; from log records and from spans."""
        self.spans: list[Span] = []
        self.leaked: set[str] = set()
        """The secrets that did arrive."""
        self._secrets = {secret: secret.encode() for secret in secrets}
        self._writers = writers or {}

    def add(self, signal: Signal, message: Message) -> None:
        """Take one request in."""
        from nogi_otel.receiver.proto_json import encode_message  # loads protobuf

        content = message.SerializeToString()
        self.leaked.update(text for text, encoded in self._secrets.items() if encoded in content)
        data = encode_message(message)
        if signal in self._writers and data:
            self._writers[signal].append(data)
        for event in iterate_events(signal, data):
            if not event.is_audit:
                self.lifecycle.append(event)
            elif event.source == "log":
                self.logs.append(event)
            else:
                self.span_events.append(event)
        if signal == "traces":
            self.spans.extend(iterate_spans(data))

    def list_lifecycle(self, name: str) -> list[Event]:
        """Give the lifecycle records of one name, in the order in which they came."""
        return [event for event in self.lifecycle if event.name == name]

    def list_trace(self, trace_id: str) -> list[Span]:
        """Give the spans of one trace, by their start."""
        spans = [span for span in self.spans if span.trace_id == trace_id]
        return sorted(spans, key=lambda span: span.start_ns)

    def list_events(self, trace_id: str) -> list[Event]:
        """Give the audit events of one trace, by time, one that came both ways once only."""
        from nogi_otel.cli.twins import Twins

        twins = Twins()
        found = [
            event
            for event in (*self.logs, *self.span_events)
            if event.trace_id == trace_id and not twins.meet(event)
        ]
        return sorted(found, key=lambda event: event.timestamp_ns)
