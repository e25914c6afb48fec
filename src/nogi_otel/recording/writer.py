"""Appends OTLP JSON lines to a file: one write a line, so that readers never see half of one."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nogi_otel.errors import RecordingError
from nogi_otel.recording.otlp_json import encode_line, split_data

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from nogi_otel.recording.otlp_json import JsonObject, Signal

MAX_LINE_BYTES: Final = (1 << 20) - 1
"""The Collector's ``otlp_json_file`` receiver cuts a line of more than 1 MiB."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_UNSAFE_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_SERVICE_CHARACTERS: Final = 64

_ADVICE: Final = {
    errno.ENOSPC: "free some space or choose another file",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another file",
    errno.EACCES: "this user may not write there; choose another file or change its permissions",
    errno.EPERM: "this user may not write there; choose another file or change its permissions",
    errno.EROFS: "the file system is read-only; choose another file",
    errno.EISDIR: "it is a directory; name a file in it",
    errno.ENOTDIR: "a part of the path is a file; choose another path",
    errno.EFBIG: "the file may not grow further; choose another file",
}


def expand_path(template: str, pid: int, service_name: str) -> Path:
    """Give the path of a recording: ``{pid}`` and ``{service}`` filled in, ``~`` expanded.

    The service name loses what has a meaning in a path, so it can never leave the directory.

    Raises:
        RecordingError: the template is empty or has another placeholder.
    """
    if not template:
        raise RecordingError(
            "the path of a recording is empty; name a file, for example audit-{pid}.jsonl"
        )
    service = _UNSAFE_IN_FILE_NAMES.sub("_", service_name).lstrip(".")[:_MAX_SERVICE_CHARACTERS]
    values = {"pid": str(pid), "service": service or "unknown_service"}

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise RecordingError(
                f"the path of a recording, {template!r}, has the placeholder {{{name}}}; "
                "only {pid} and {service} are known"
            )
        return values[name]

    return Path(_PLACEHOLDER.sub(fill, template)).expanduser()


class RecordingWriter:
    """Appends the data of one signal to one file, a line at a time; for one thread.

    The file is created for this user alone (0600), its directory too where it is missing (0700).
    After an error the file ends with a whole line, and the next ``append`` may be tried.

    Raises:
        RecordingError: the file cannot be opened; says what to do.
    """

    def __init__(self, path: Path | str, signal: Signal) -> None:
        self.path = Path(path)
        self.signal = signal
        self.lines = 0
        """How many lines were written by this writer."""
        self.bytes = 0
        """How many bytes were written by this writer, in whole lines."""
        self.oversized = 0
        """How many single records were left out because one alone is longer than a line may be."""
        self._must_end_line = _is_cut(self.path)
        try:
            _make_private_directories(self.path.parent)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise _explain("open", self.path, error) from error

    def append(self, data: JsonObject) -> None:
        """Write a ``LogsData``, ``TracesData`` or ``MetricsData`` as one line, or as several.

        Raises:
            RecordingError: nothing more can be written. Lines before the failing one stay.
        """
        line = encode_line(data)
        if len(line) <= MAX_LINE_BYTES:
            self._write(line)
            return
        halves = split_data(self.signal, data)
        if halves is None:
            self.oversized += 1
            return
        for half in halves:
            self.append(half)

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        prefix = b"\n" if self._must_end_line else b""
        pending = prefix + line
        written = 0
        try:
            # One call, so that the line lands whole beside those of other processes (O_APPEND). The
            # kernel stops short only where the disk is full; the next call then says why.
            while written < len(pending):
                written += os.write(self._descriptor, pending[written:])
        except OSError as error:
            if written:
                self._take_back(written)
            raise _explain("write", self.path, error) from error
        self._must_end_line = False
        self.lines += 1
        self.bytes += len(line)

    def _take_back(self, written: int) -> None:
        """Cut off the beginning of a line that could not be finished.

        Only if it still is the end of the file: what another process appended behind it stays, and
        the next line of ours begins by ending the broken one.
        """
        try:
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if os.fstat(self._descriptor).st_size == end:
                os.ftruncate(self._descriptor, end - written)
                return
        except OSError:
            pass
        self._must_end_line = True


def _is_cut(path: Path) -> bool:
    """Tell whether the file ends inside a line, as a crash of its writer leaves it."""
    try:
        with path.open("rb") as file:
            return (
                file.seek(0, os.SEEK_END) > 0
                and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            )
    except OSError:
        return False


def _make_private_directories(directory: Path) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _explain(action: str, path: Path, error: OSError) -> RecordingError:
    advice = _ADVICE.get(error.errno or 0)
    ending = f"; {advice}" if advice else ""
    return RecordingError(f"cannot {action} the recording {path}: {error.strerror}{ending}")
