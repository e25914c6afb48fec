"""What stays in a process for good once it is there, so that arming again does not add to it."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture import CaptureCore, LoadedCore, RawEvent
    from nogi_otel.record import AuditRecord


class Fixtures:
    """What stays in a process for good once it is there.

    CPython removes no audit hook, an OpenTelemetry provider no processor, and
    ``os.register_at_fork`` no callback.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.loaded: LoadedCore | None = None
        self.span_processor: Any = None
        self.span_providers: list[Any] = []
        self.hooked_process = False

    def load_core(self, capacity: int) -> CaptureCore:
        """Return the core of this process, made when it is first asked for."""
        if self.loaded is None:
            from nogi_otel.capture import load_core
            from nogi_otel.carriers.context import find_span_source

            self.loaded = load_core(capacity, find_span_source())
        return self.loaded.core

    def attach_spans(
        self,
        core: CaptureCore,
        refine: Callable[[RawEvent], AuditRecord | None],
    ) -> bool:
        """Have the application's spans carry events; return whether they can.

        An application may set its provider after it was armed, so this is asked at each opening.
        """
        from nogi_otel.carriers.span_events import (
            SpanEventProcessor,
            find_tracer_provider,
        )

        provider = find_tracer_provider()
        if provider is None:
            return False
        if not any(one is provider for one in self.span_providers):
            if self.span_processor is None:
                self.span_processor = SpanEventProcessor(core, refine)
            provider.add_span_processor(self.span_processor)
            self.span_providers.append(provider)
        return True

    def hook_process(
        self,
        reset_in_child: Callable[[], None],
        finish: Callable[[], None],
    ) -> None:
        """Follow forks, and the end of the process."""
        if not self.hooked_process:
            self.hooked_process = True
            os.register_at_fork(after_in_child=reset_in_child)
            atexit.register(finish)
