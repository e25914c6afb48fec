"""A service that is run as a child: started, told apart from its output, and always ended."""

from __future__ import annotations

import contextlib
import signal as signals
import subprocess
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from nogi_otel.cli.render import escape
from nogi_otel.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_READY: Final = "ready "
_START_S: Final = 30.0
_END_S: Final = 8.0
_TAIL_LINES: Final = 20


class Service:
    """Runs a command that prints ``ready URL ...`` when it serves. Use it as a context manager.

    Its output goes to a file. It has a session of its own, so that Ctrl-C reaches only us and the
    service is ended in order: SIGTERM, some seconds, SIGKILL.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> None:
        """Start nothing yet."""
        self.url = ""
        """Where it serves; known once it is started."""
        self._command = command
        self._environment = environment
        self._output = output
        self._process: subprocess.Popen[str] | None = None
        self._is_told_to_end = False
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="nogi-service", daemon=True)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._get_process().pid

    def start(self) -> None:
        """Run it and wait until it is ready.

        Raises:
            DemoError: it ended, or was not ready in time.
        """
        self._output.touch(mode=0o600)
        with self._output.open("a", encoding="utf-8") as file, _put_off_interrupts():
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                errors="backslashreplace",
                start_new_session=True,
            )
        self._reader.start()
        try:
            line = self._lines.get(timeout=_START_S)
        except Empty:
            raise DemoError(f"the shop was not ready within {_START_S:g} s") from None
        if line is None:
            self._get_process().wait(_END_S)
            self.check()
            raise DemoError("the shop closed its standard output before it was ready")
        self.url = line.split()[1]

    def check(self) -> None:
        """Raise ``DemoError`` if it does not run any more."""
        code = self._get_process().poll()
        if code is None:
            return
        message = f"the shop ended by itself, with {_name_exit(code)}"
        if -code in {signals.SIGUSR1, signals.SIGUSR2}:
            message += ": it was not armed, or arming was told not to bind that signal"
        raise DemoError(message)

    def signal(self, number: signals.Signals) -> None:
        """Send it a signal; it must still run."""
        self.check()
        self._get_process().send_signal(number)

    def end(self) -> None:
        """End it in order; by then it has sent all it had.

        Raises:
            DemoError: it had ended before, had to be killed, or failed at its end.
        """
        self.check()
        process = self._get_process()
        self._terminate(process)
        try:
            code = process.wait(_END_S)
        except subprocess.TimeoutExpired:
            raise DemoError(f"the shop did not end within {_END_S:g} s of SIGTERM") from None
        if code != 0:
            raise DemoError(f"the shop ended with {_name_exit(code)} when it was told to")

    def read_output(self) -> str:
        """Give the last lines it has printed, ready to be shown."""
        text = self._output.read_text(encoding="utf-8", errors="replace")
        return "\n".join(map(escape, text.splitlines()[-_TAIL_LINES:]))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        try:
            if process.poll() is None:
                self._terminate(process)
                process.wait(_END_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
            if self._reader.is_alive():  # an interrupt may have come before its start
                self._reader.join(1)

    def _terminate(self, process: subprocess.Popen[str]) -> None:
        """Send SIGTERM once: a second one may interrupt a service that is cleaning up."""
        if not self._is_told_to_end:
            self._is_told_to_end = True
            process.terminate()

    def _get_process(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise DemoError("the shop is not started")
        return self._process

    def _read(self) -> None:
        """Copy standard output to the file, for ever: a full pipe would stop the service."""
        stream = self._get_process().stdout
        if stream is None:
            return
        with stream, self._output.open("a", encoding="utf-8") as file:
            for line in stream:
                file.write(line)
                file.flush()
                if line.startswith(_READY) and len(line.split()) > 1:
                    self._lines.put(line)
        self._lines.put(None)


@contextlib.contextmanager
def _put_off_interrupts() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait: they would make ``Popen`` lose the child it has just made.

    They are not blocked, because the child would inherit that.
    """
    waiting: list[int] = []

    def note(number: int, _: object) -> None:
        waiting.append(number)

    numbers = (signals.SIGINT, signals.SIGTERM)
    previous = {number: signals.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signals.signal(number, handler)
    for waited in waiting:
        signals.raise_signal(waited)


def _name_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signals.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
