"""Audit a live Flask service with two signals, and show its traces with every event on them.

Starts the shop of examples/ under opentelemetry-instrument and a receiver beside it, both on free
loopback ports, sends requests before, between and after USR1 and USR2, and then checks what has
arrived: the audit events that must be there, on the right spans, and none outside the window.

  nogi-otel demo                              some traces, and how many events there were
  nogi-otel demo --protocol grpc --keep out/  over gRPC, with all that was received kept
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import secrets
import signal as signals
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from nogi_otel.cli.evidence import Evidence
from nogi_otel.cli.render import detect_style
from nogi_otel.cli.service import Service
from nogi_otel.cli.shop import (
    OWN_PREFIX,
    SECRET_VARIABLES,
    build_command,
    build_environment,
    send_error,
    send_order,
)
from nogi_otel.cli.tree import describe, render_tree
from nogi_otel.cli.verdict import CLOSED, OPENED, count_dropped, judge, read_accounts
from nogi_otel.errors import DemoError
from nogi_otel.receiver import Receiver
from nogi_otel.receiver.address import Address
from nogi_otel.recording.otlp_json import SIGNALS, Signal
from nogi_otel.recording.writer import RecordingWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from google.protobuf.message import Message

    from nogi_otel.cli.shop import Visit

_ANY_PORT: Final = Address("127.0.0.1", 0)
_WAIT_S: Final = 10.0
_POLL_S: Final = 0.2
_MAX_REQUESTS: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--requests",
        type=_read_count,
        default=3,
        metavar="N",
        help="orders in each of the three phases (default %(default)s)",
    )
    parser.add_argument(
        "--traces",
        type=_read_count,
        default=2,
        metavar="N",
        help="how many traces are printed (default %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        choices=("http/protobuf", "grpc"),
        default="http/protobuf",
        help="how the shop sends (default %(default)s)",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep all that was received there, as OTLP JSON lines, and the shop's output",
    )
    parser.add_argument(
        "--shop",
        type=Path,
        metavar="PATH",
        help="the folder of the shop, where it is not beside this installation",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 0 if everything that must hold does.

    Raises:
        DemoError: something does not hold; names each thing.
        SettingsError: there is no shop to run.
        MissingExtraError: the receiver's or the shop's packages are not installed.
    """
    command = build_command(arguments.shop)
    # Its C core would write to stderr. It reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    fakes = {name: f"fake-{secrets.token_hex(8)}" for name in SECRET_VARIABLES}
    say = _keep_silent if arguments.json else _say
    with contextlib.ExitStack() as stack:
        stack.enter_context(_end_on_sigterm())
        folder, writers = _open_folder(arguments.keep, stack)
        evidence = Evidence(fakes.values(), writers)
        inbox: SimpleQueue[tuple[Signal, Message]] = SimpleQueue()
        with Receiver(
            lambda signal, message: inbox.put((signal, message)), http=_ANY_PORT, grpc=_ANY_PORT
        ) as receiver:
            address = receiver.grpc if arguments.protocol == "grpc" else receiver.http
            environment = build_environment(address.endpoint, arguments.protocol) | fakes
            service = Service(command, environment, folder / "shop.log")
            try:
                visits = _play(service, inbox, evidence, arguments.requests, say)
            except DemoError as error:
                say(_quote_output(service))
                raise DemoError(f"{error}{_name_settings()}") from error
        while not inbox.empty():
            evidence.add(*inbox.get())
        complaints = judge(evidence, visits)
        _print_outcome(evidence, visits, arguments, complaints)
        if complaints:
            say(_quote_output(service))
    if complaints:
        lines = "\n".join(f"  {complaint}" for complaint in complaints)
        raise DemoError(f"the demo has failed{_name_settings()}:\n{lines}")
    return 0


def _play(
    service: Service,
    inbox: SimpleQueue[tuple[Signal, Message]],
    evidence: Evidence,
    requests: int,
    say: Callable[[str], None],
) -> list[Visit]:
    """Run the shop from its start to its end, and give the requests that were sent to it."""
    say("starting the shop under opentelemetry-instrument")
    with service:
        say(f"it serves {service.url}, pid {service.pid}: {requests} orders, nothing is recorded")
        visits = [send_order(service, "before") for _ in range(requests)]
        say(f"kill -USR1 {service.pid}")
        service.signal(signals.SIGUSR1)
        _await(OPENED, service, inbox, evidence)
        say(f"the window is open: {requests} orders and a request that fails")
        visits += [send_order(service, "window") for _ in range(requests)]
        visits.append(send_error(service, "window"))
        say(f"kill -USR2 {service.pid}")
        service.signal(signals.SIGUSR2)
        _await(CLOSED, service, inbox, evidence)
        say(f"the window is closed: {requests} orders more, nothing is recorded")
        visits += [send_order(service, "after") for _ in range(requests)]
        # Its exporters flush at its end, so whatever is to arrive has arrived after it.
        service.end()
    say("the shop has ended")
    return visits


def _await(
    name: str,
    service: Service,
    inbox: SimpleQueue[tuple[Signal, Message]],
    evidence: Evidence,
) -> None:
    """Take in what arrives until a lifecycle record does."""
    deadline = time.monotonic() + _WAIT_S
    while not evidence.list_lifecycle(name):
        with contextlib.suppress(Empty):
            evidence.add(*inbox.get(timeout=_POLL_S))
        service.check()
        if time.monotonic() > deadline:
            raise DemoError(f"no {name} record has arrived within {_WAIT_S:g} s of the signal")


def _open_folder(
    keep: Path | None, stack: contextlib.ExitStack
) -> tuple[Path, dict[Signal, RecordingWriter]]:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nogi-demo-"))), {}
    writers = {
        name: stack.enter_context(RecordingWriter(keep / f"{name}.jsonl", name)) for name in SIGNALS
    }
    return keep, writers


@contextlib.contextmanager
def _end_on_sigterm() -> Iterator[None]:
    """Make SIGTERM end us as Ctrl-C does, so that the shop is ended too."""
    previous = signals.signal(signals.SIGTERM, signals.default_int_handler)
    try:
        yield
    finally:
        signals.signal(signals.SIGTERM, previous)


def _print_outcome(
    evidence: Evidence,
    visits: Sequence[Visit],
    arguments: argparse.Namespace,
    complaints: Sequence[str],
) -> None:
    """Print traces, and the one line only if nothing is wrong; or everything as JSON."""
    trace_ids = {event.trace_id for event in evidence.logs if event.trace_id}
    on_traces = sum(1 for event in evidence.logs if event.trace_id)
    shown = _choose(visits, arguments.traces)
    if arguments.json:
        print(
            json.dumps(
                {
                    "audit_events": on_traces,
                    "traces": len(trace_ids),
                    "dropped": count_dropped(evidence),
                    "off_trace": len(evidence.logs) - on_traces,
                    "accounts": [read_accounts(one) for one in evidence.list_lifecycle(CLOSED)],
                    "complaints": complaints,
                    "shown": [_outline(evidence, visit) for visit in shown],
                }
            )
        )
        return
    style = detect_style(sys.stdout)
    for visit in shown:
        _print(f"\n{visit.route}  trace {visit.trace_id}")
        spans = evidence.list_trace(visit.trace_id)
        for line in render_tree(spans, evidence.list_events(visit.trace_id), style):
            _print(line)
    if not complaints:
        _print(
            f"\n{on_traces} audit events on {len(trace_ids)} traces, "
            f"{count_dropped(evidence)} dropped"
        )


def _choose(visits: Sequence[Visit], number: int) -> list[Visit]:
    """Give orders of the window, and the request that fails last: it shows an exception too."""
    audited = [visit for visit in visits if visit.phase == "window"]
    *orders, failed = audited
    return [*orders[: max(number - 1, 1)], failed][:number]


def _outline(evidence: Evidence, visit: Visit) -> dict[str, object]:
    names = {span.span_id: span.name for span in evidence.list_trace(visit.trace_id)}
    return {
        "request": visit.route,
        "trace_id": visit.trace_id,
        "events": [
            {
                "event": event.name,
                "timestamp_ns": event.timestamp_ns,
                "span_id": event.span_id,
                "span": names.get(event.span_id, ""),
                "text": describe(event),
            }
            for event in evidence.list_events(visit.trace_id)
        ],
    }


def _name_settings() -> str:
    """Name the settings of whoever runs the demo: they reach the shop, and may be the reason."""
    names = sorted(name for name in os.environ if name.startswith(OWN_PREFIX))
    return f", with {', '.join(names)} set" if names else ""


def _quote_output(service: Service) -> str:
    return f"the last lines that the shop has printed:\n{service.read_output()}\n"


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep_silent(text: str) -> None:
    del text  # with --json, an error is all that stands on stderr


def _read_count(text: str) -> int:
    if text.isascii() and text.isdecimal() and 0 < int(text) <= _MAX_REQUESTS:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MAX_REQUESTS}")
