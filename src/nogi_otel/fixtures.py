"""What stays in a process for good once it is there, so that arming again does not add to it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture import CaptureCore, LoadedCore, RawEvent
    from nogi_otel.record import AuditRecord

FORK_WAIT_S = 10.0
"""How long a fork waits, at most, for imports that are under way. They take a third of a second on
an idle machine; the bound is for an import that waits for the very thread that forks."""


class Fixtures:
    """What stays in a process for good once it is there.

    CPython removes no audit hook, and ``os.register_at_fork`` no callback.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.loaded: LoadedCore | None = None
        self.following_forks = False
        self.finishing = False
        self.starting_in_children = False
        self.importing = threading.RLock()
        """Held while modules are imported for a first window. Never taken by a signal handler."""
        self._held = False

    def load_core(
        self,
        capacity: int,
        refine: Callable[[RawEvent], AuditRecord | None],
    ) -> CaptureCore:
        """Return the core of this process, made when it is first asked for.

        ``refine`` makes the record of an event that a span carries.
        """
        if self.loaded is None:
            from nogi_otel.capture import load_core
            from nogi_otel.carriers.context import find_span_source

            source = find_span_source()
            self.loaded = load_core(capacity, source)
            if source is not None and source.has_recording_spans:
                from nogi_otel.carriers.span_events import SpanEventCarrier

                core = self.loaded.core
                core.carry_notes(lambda processor: SpanEventCarrier(processor, core, refine))
        return self.loaded.core

    def follow_forks(self, reset_in_child: Callable[[], None]) -> None:
        """Have a fork wait for our imports, and begin anew in its child.

        A child that is forked while another thread imports keeps half a module for good, and the
        lock of that import with nobody to release it. So a fork waits while the drain prepares a
        first window, but not for ever.
        """
        if self.following_forks:
            return
        self.following_forks = True
        # Its own callbacks must stand before ours: they are a pair of a lock's, and OpenTelemetry
        # imports it at the moment of the first export.
        import concurrent.futures.thread  # noqa: F401

        def hold() -> None:
            self._held = self.importing.acquire(timeout=FORK_WAIT_S)

        def release() -> None:
            if self._held:
                self.importing.release()

        def renew() -> None:
            self.importing = threading.RLock()
            reset_in_child()

        os.register_at_fork(before=hold, after_in_parent=release, after_in_child=renew)

    def start_in_children(self, start: Callable[[], None]) -> None:
        """Have ``start`` called in each fork's child, after what is registered by now.

        Called when all that a thread of ours uses is imported: callbacks run in the order of their
        registration, and those of the modules that it uses must have made their locks anew.
        """
        if not self.starting_in_children:
            self.starting_in_children = True
            os.register_at_fork(after_in_child=start)

    def finish_at_exit(self, finish: Callable[[], None]) -> None:
        """Have ``finish`` called when the process ends."""
        if self.finishing:
            return
        self.finishing = True
        atexit.register(finish)
        process = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            finish_with_child(finish)


def finish_with_child(finish: Callable[[], None]) -> None:
    """Have ``finish`` called when this child of ``multiprocessing`` ends.

    It leaves by ``os._exit`` and runs no ``atexit`` (before 3.13), but its own finalizers.
    """
    from multiprocessing.util import Finalize

    Finalize(None, finish, exitpriority=0)
