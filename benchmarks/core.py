"""A capture core for a case, with or without a current span."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider

from nogi_otel.capture import load_core
from nogi_otel.capture.gate_state import OpenGate
from nogi_otel.carriers.context import find_span_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from nogi_otel.capture import CaptureCore

CAPACITY = 1 << 20


def make_core() -> CaptureCore:
    """Return a core whose hook is installed and whose gate is closed."""
    core = load_core(CAPACITY, find_span_source()).core
    core.install()
    return core


def open_core(*, selects: bool = True, note_limit: int = 0) -> CaptureCore:
    """Return a core whose gate is open; nobody drains it."""
    core = make_core()
    core.open(OpenGate(None, lambda _: selects, lambda: None, note_limit=note_limit))
    return core


@contextmanager
def current_span() -> Iterator[Span]:
    """Make a recording span current that nobody exports."""
    with TracerProvider().get_tracer("benchmarks").start_as_current_span("request") as span:
        yield span
