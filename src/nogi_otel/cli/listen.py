"""Receive OTLP on this machine and print audit events as they arrive.

One line an event, with the trace and span it belongs to. Traces, logs and metrics are all
accepted, over gRPC and HTTP, on loopback only; only audit events are printed.

  nogi-otel listen                            every audit event, as it arrives
  nogi-otel listen -e 'socket.*' -e open      only connections and opened files
  nogi-otel listen -o incident/               record everything too, as OTLP JSON lines
  nogi-otel listen --format json | jq .body   one JSON object a line
  nogi-otel listen --format nogi              what nogi's own client prints

Standard output holds events and nothing else. Ctrl-C ends it and says how many there were.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nogi_otel.cli.ending import Ending
from nogi_otel.cli.printer import LinePrinter
from nogi_otel.errors import NogiError, SettingsError
from nogi_otel.receiver import DEFAULT_GRPC, DEFAULT_HTTP, Receiver
from nogi_otel.receiver.address import Address, parse_address
from nogi_otel.recording.otlp_json import SIGNALS, Signal
from nogi_otel.recording.writer import RecordingWriter

if TYPE_CHECKING:
    from nogi_otel.cli.feed import Feed
    from nogi_otel.cli.render import Format

_MAX_SECONDS: Final = 10.0**8
"""Three years: what the system can wait for has a limit."""
_READ_S: Final = 10.0
"""How long what has arrived may take to be read and recorded at the end."""
_PRINT_S: Final = 2.0
"""How long the reader of standard output may take for the last lines."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    show = parser.add_argument_group("what is printed")
    show.add_argument(
        "--format",
        choices=("line", "nogi", "json"),
        default="line",
        help="one line an event (default), nogi's two lines, or one JSON object a line",
    )
    show.add_argument(
        "--json", action="store_true", help="the same as --format json; errors are JSON too"
    )
    show.add_argument(
        "-e",
        "--event",
        action="append",
        default=[],
        metavar="GLOB",
        help="only audit events whose name matches, such as 'socket.*'; may be given several times",
    )
    show.add_argument(
        "--span-events",
        action="store_true",
        help="print audit events that arrive on spans too; never one event twice",
    )
    keep = parser.add_argument_group("what is kept")
    keep.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="append everything that arrives to traces.jsonl, logs.jsonl and metrics.jsonl there",
    )
    listen = parser.add_argument_group("where it listens")
    listen.add_argument(
        "--http",
        type=_read_address,
        default=DEFAULT_HTTP,
        metavar="HOST:PORT",
        help="for OTLP/HTTP (default %(default)s); port 0 is any free one",
    )
    listen.add_argument(
        "--grpc",
        type=_read_address,
        default=DEFAULT_GRPC,
        metavar="HOST:PORT",
        help="for OTLP/gRPC (default %(default)s); port 0 is any free one",
    )
    listen.add_argument(
        "--port-file",
        type=Path,
        metavar="FILE",
        help="write both addresses there, as JSON, once they are open",
    )
    end = parser.add_argument_group("when it ends")
    end.add_argument(
        "--max-events", type=_read_count, metavar="N", help="after N audit events are printed"
    )
    end.add_argument("--duration", type=_read_seconds, metavar="S", help="after S seconds")


def run(arguments: argparse.Namespace) -> int:
    """Listen until a signal, a limit or a reader that has gone; 0 in all these cases.

    Raises:
        ReceiverError: an address is taken or not allowed.
        RecordingError: the recording cannot be opened, or had to be given up on the way.
        MissingExtraError: uvicorn is not installed.
    """
    form: Format = "json" if arguments.json else arguments.format
    arguments.json = form == "json"
    if sys.stdout is None:
        raise NogiError("standard output is closed; there is nowhere to print events to")
    # Its C core would write to stderr what we say ourselves. It reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())

    from nogi_otel.cli.feed import Feed, Wanted  # protobuf and the servers load from here on

    with contextlib.ExitStack() as stack:
        ending = stack.enter_context(Ending())
        writers = _open_writers(arguments.output, stack)
        if form == "nogi":
            _say("Starting the audit listener")
        printer = LinePrinter(sys.stdout.fileno(), ending.ask)
        wanted = Wanted(form, arguments.event, arguments.span_events, arguments.max_events)
        feed = Feed(wanted, sys.stdout, printer, writers, end=ending.ask, warn=_say)
        receiver = Receiver(feed.receive, http=arguments.http, grpc=arguments.grpc)
        with receiver:
            if arguments.port_file is not None:
                _write_port_file(arguments.port_file, receiver)
            _say(_introduce(receiver))
            if form == "nogi":
                _say("Audit client listening...")
            ending.wait(arguments.duration)
        feed.close(_READ_S)
        printer.close(_PRINT_S)
    _say(_summarise(feed, printer, writers))
    _raise_failures(feed, printer)
    return 0


def _raise_failures(feed: Feed, printer: LinePrinter) -> None:
    if feed.failure is not None:
        raise feed.failure
    if printer.error is not None and not isinstance(printer.error, BrokenPipeError):
        raise NogiError(f"cannot write to standard output: {printer.error.strerror}")
    if feed.recording_error is not None:
        raise feed.recording_error


def _open_writers(
    directory: Path | None, stack: contextlib.ExitStack
) -> dict[Signal, RecordingWriter]:
    if directory is None:
        return {}
    return {
        name: stack.enter_context(RecordingWriter(directory / f"{name}.jsonl", name))
        for name in SIGNALS
    }


def _introduce(receiver: Receiver) -> str:
    variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
    lines = [f"Listening for OTLP: gRPC on {receiver.grpc}, HTTP on {receiver.http}."]
    if (receiver.grpc, receiver.http) == (DEFAULT_GRPC, DEFAULT_HTTP):
        lines.append("Services on this machine send here unless they are told otherwise.")
    else:
        lines += [
            "Set one of these for the service:",
            f"  {variable}={receiver.grpc.endpoint}",
            f"  OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf {variable}={receiver.http.endpoint}",
        ]
    lines.append("Open a window with kill -USR1 PID, close it with kill -USR2 PID; Ctrl-C ends.")
    return "\n".join(lines)


def _write_port_file(path: Path, receiver: Receiver) -> None:
    """Write the addresses in one step, so that whoever waits for the file never reads half."""
    addresses = {
        name: {"host": address.host, "port": address.port, "endpoint": address.endpoint}
        for name, address in (("http", receiver.http), ("grpc", receiver.grpc))
    }
    text = json.dumps({**addresses, "pid": os.getpid()})
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(text + "\n")
        Path(file.name).replace(path)
    except OSError as error:
        raise NogiError(f"cannot write the port file {path}: {error.strerror}") from error


def _summarise(feed: Feed, printer: LinePrinter, writers: dict[Signal, RecordingWriter]) -> str:
    events = _count("audit event", feed.events)
    traces = _count("trace", len(feed.trace_ids))
    text = f"{events} on {traces}, {_count('line', printer.dropped)} dropped"
    if feed.unread_requests:
        text += f", {_count('request', feed.unread_requests)} came too fast and were not read"
    if writers:
        recorded = sum(writer.lines for writer in writers.values())
        directory = next(iter(writers.values())).path.parent
        text += f", {_count('line', recorded)} recorded in {directory}"
    oversized = sum(writer.oversized for writer in writers.values())
    if oversized:
        text += f", {_count('record', oversized)} too long to be recorded"
    return text


def _count(noun: str, number: int) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _read_address(text: str) -> Address:
    try:
        return parse_address(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _read_count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def _read_seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if math.isfinite(seconds) and seconds > 0:
            return min(seconds, _MAX_SECONDS)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
