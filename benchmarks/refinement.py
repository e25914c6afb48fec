"""What the drain does with one event before it ships it: redaction and decoding."""

from __future__ import annotations

from statistics import median
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from nogi_otel.capture import RawEvent
from nogi_otel.configuration import build_limits, compile_redactor, compile_settings
from nogi_otel.gate import Window, Wiring
from nogi_otel.refinement import Refinement
from nogi_otel.settings import Settings

if TYPE_CHECKING:
    from benchmarks.case import Measured

REPEATS = 30
EVENTS = 500


def time_refinement(event: str, arguments: tuple[Any, ...]) -> Measured:
    """Return the CPU time of redacting and decoding one event of these arguments."""
    settings = Settings(events="everything")
    refinement = Refinement(compile_redactor(settings))
    wiring = Wiring(wake=lambda: None, read_frames=None)
    window = Window(compile_settings(settings), build_limits(settings), "benchmark", wiring)
    raw = RawEvent(
        1, event, arguments, 1, "MainThread", 1, 1, 1, on_span=False, frames=(), gate=window.gate
    )
    taken = []
    for _ in range(REPEATS):
        begin = thread_time_ns()
        for _ in range(EVENTS):
            refinement.refine(raw, window)
        taken.append((thread_time_ns() - begin) / EVENTS)
    return {"us": median(taken) / 1000}
