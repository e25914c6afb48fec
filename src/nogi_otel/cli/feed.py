"""From received requests to printed lines and recorded ones, in a thread of its own."""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from nogi_otel.cli.backlog import Backlog
from nogi_otel.cli.render import detect_style, render
from nogi_otel.cli.twins import Twins
from nogi_otel.errors import RecordingError
from nogi_otel.receiver.proto_json import encode_message
from nogi_otel.recording.event import iterate_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from google.protobuf.message import Message

    from nogi_otel.cli.printer import LinePrinter
    from nogi_otel.cli.render import Format
    from nogi_otel.recording.event import Event
    from nogi_otel.recording.otlp_json import JsonObject, Signal
    from nogi_otel.recording.writer import RecordingWriter

_MAX_PENDING_BYTES: Final = 64 << 20
"""Of requests that wait to be read, in their binary form."""
_MAX_TRACE_IDS: Final = 1_000_000


class Wanted(NamedTuple):
    """Which events are printed, and how."""

    form: Format
    patterns: Sequence[str] = ()
    """Globs of which one must match the audit event's name; none at all means every event."""
    span_events: bool = False
    """Print audit events that arrive on spans too."""
    max_events: int | None = None
    """End after this many audit events."""


class Feed:
    """The consumer of a receiver: records what arrives and prints the events in it.

    ``receive`` only puts a request in a bounded queue, so a sender never waits for the disk or the
    terminal.
    """

    def __init__(
        self,
        wanted: Wanted,
        stream: TextIO,
        printer: LinePrinter,
        writers: Mapping[Signal, RecordingWriter],
        *,
        end: Callable[[], None],
        warn: Callable[[str], None],
    ) -> None:
        """Begin; ``end`` is called when there is no reason to go on, ``warn`` with a message."""
        self.events = 0
        """How many audit events were wanted and came."""
        self.trace_ids: set[str] = set()
        """The traces they are on, a million at most."""
        self.unread_requests = 0
        """How many requests came faster than they could be read."""
        self.recording_error: RecordingError | None = None
        """Why recording stopped."""
        self.failure: BaseException | None = None
        """An error of our own that ended the thread."""
        self._wanted = wanted
        self._stream = stream
        self._printer = printer
        self._writers = dict(writers)
        self._end = end
        self._warn = warn
        self._printed = 0
        self._twins = Twins()
        self._backlog: Backlog[tuple[Signal, Message]] = Backlog(_MAX_PENDING_BYTES)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nogi-feed", daemon=True)
        self._thread.start()

    def receive(self, signal: Signal, message: Message) -> None:
        """Take one request; never waits."""
        if not self._backlog.put((signal, message), message.ByteSize()):
            with self._lock:
                self.unread_requests += 1

    def close(self, timeout_s: float) -> None:
        """Read what has arrived, for ``timeout_s`` at most, and count the rest as unread."""
        self._backlog.close()
        self._thread.join(timeout_s)
        self.unread_requests += len(self._backlog.discard())

    def _run(self) -> None:
        try:
            while batch := self._backlog.take(1):
                for signal, message in batch:
                    self._handle(signal, message)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever closes us
            self.failure = error
            self._backlog.discard()
            self._end()

    def _handle(self, signal: Signal, message: Message) -> None:
        writer = self._writers.get(signal)
        is_shown = signal == "logs" or (signal == "traces" and self._wanted.span_events)
        if not writer and not is_shown:
            return
        data = encode_message(message)
        if writer and data:
            self._record(writer, data)
        if is_shown:
            self._print(signal, data)

    def _record(self, writer: RecordingWriter, data: JsonObject) -> None:
        try:
            writer.append(data)
        except RecordingError as error:
            # The live view goes on: it may be all that is left of an incident on a full disk.
            self.recording_error = error
            self._writers.clear()
            self._warn(f"{error}; recording has stopped, the live view goes on")

    def _print(self, signal: Signal, data: JsonObject) -> None:
        style = detect_style(self._stream)
        for event in iterate_events(signal, data):
            if self._is_full():
                return
            if not self._is_wanted(event):
                continue
            if event.is_audit:
                self._count(event)
            text = render(event, self._wanted.form, style)
            if text and self._printer.put(self._encode(text)) and event.is_audit:
                self._printed += 1
                if self._is_full():
                    self._end()

    def _is_full(self) -> bool:
        limit = self._wanted.max_events
        return limit is not None and self._printed >= limit

    def _is_wanted(self, event: Event) -> bool:
        patterns = self._wanted.patterns
        if event.is_audit and patterns and not any(fnmatchcase(event.name, p) for p in patterns):
            return False
        return not (self._wanted.span_events and self._twins.meet(event))

    def _count(self, event: Event) -> None:
        self.events += 1
        if event.trace_id and len(self.trace_ids) < _MAX_TRACE_IDS:
            self.trace_ids.add(event.trace_id)

    def _encode(self, text: str) -> bytes:
        encoding = self._stream.encoding or "utf-8"
        return f"{text}\n".encode(encoding, "backslashreplace")
