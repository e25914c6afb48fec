"""The program of a child process: runs one test function with a real audit hook.

``python child.py CORE FILE FUNCTION``. An audit hook cannot be removed, so every case has a
process of its own, in the way of CPython's ``Lib/test/audit-tests.py``. It exits with 0 where the
function returns, with 77 and the reason where it cannot run here, and with a traceback where an
assertion fails.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from nogi_otel.capture import load_core
from nogi_otel.capture.gate_state import OpenGate

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture import CaptureCore, RawEvent, SpanSource

EXIT_NOT_HERE = 77


class NotHereError(Exception):
    """This Python lacks what the case needs; the message says what."""


class Bench:
    """What a case works with: one core of the kind under test, its hook, and its gates."""

    event = "case.event"
    """The event that a gate selects unless told otherwise."""

    def __init__(self, core_name: str) -> None:
        self.core_name = core_name
        self.core: CaptureCore

    def make(self, capacity: int = 10_000, source: SpanSource | None = None) -> CaptureCore:
        """Make the core under test and install its hook: the one place that chooses."""
        self.core = load_core(capacity, source).core
        assert self.core.name == self.core_name
        self.core.carry_notes(lambda processor: processor)
        self.core.install()
        return self.core

    def open(
        self,
        select: Callable[[str], bool] = event.__eq__,
        owner: object = None,
        **limits: Any,
    ) -> OpenGate:
        """Open a gate that selects ``event`` alone, unless told otherwise."""
        gate = OpenGate(owner, select, _do_nothing, **limits)
        self.core.open(gate)
        return gate

    def take(self) -> list[RawEvent]:
        """Take all that is in the ring."""
        return self.core.take(sys.maxsize)

    def take_arguments(self) -> list[tuple[Any, ...]]:
        """Take all that is in the ring; return the arguments alone."""
        return [raw.arguments for raw in self.take()]

    @staticmethod
    def leave(reason: str) -> NoReturn:
        """Say that this Python lacks what the case needs."""
        raise NotHereError(reason)

    @staticmethod
    def find_spans() -> SpanSource:
        """Return where OpenTelemetry keeps the current span."""
        from nogi_otel.carriers.context import find_span_source

        source = find_span_source()
        assert source is not None
        return source


def _do_nothing() -> None:
    return None


def _main(core_name: str, path: str, function: str) -> int:
    spec = importlib.util.spec_from_file_location("case", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["case"] = module
    spec.loader.exec_module(module)
    try:
        getattr(module, function)(Bench(core_name))
    except NotHereError as error:
        print(error)
        return EXIT_NOT_HERE
    return 0


if __name__ == "__main__":
    sys.modules["child"] = sys.modules["__main__"]
    sys.exit(_main(*sys.argv[1:]))
