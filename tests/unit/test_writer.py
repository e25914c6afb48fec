"""A recording on disk: whole lines, private files, errors that say what to do."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nogi_otel.errors import RecordingError
from nogi_otel.recording.otlp_json import build_data, decode_line
from nogi_otel.recording.writer import MAX_LINE_BYTES, RecordingWriter, expand_path

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_logs(*bodies: str) -> dict[str, Any]:
    """Give a LogsData with one record a body."""
    records = [{"body": {"stringValue": body}} for body in bodies]
    return build_data("logs", records, resource={"service.name": "shop"}, scope_name="test")


def read_bodies(path: Path) -> list[str]:
    """Give the bodies of all records in a file; every line must be whole."""
    return [
        record["body"]["stringValue"]
        for line in path.read_bytes().splitlines(keepends=True)
        for resource_logs in decode_line(line)[1]["resourceLogs"]
        for record in resource_logs["scopeLogs"][0]["logRecords"]
    ]


@pytest.fixture
def private_umask() -> Iterator[None]:
    """A umask that takes nothing away: what is private is so by our own doing."""
    previous = os.umask(0)
    yield
    os.umask(previous)


@pytest.mark.usefixtures("private_umask")
def test_file_and_directories_are_for_this_user_alone(tmp_path: Path) -> None:
    """The file is created 0600 and every missing directory above it 0700."""
    path = tmp_path / "a" / "b" / "logs.jsonl"
    with RecordingWriter(path, "logs") as writer:
        writer.append(make_logs("x"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_lines_are_appended_and_counted(tmp_path: Path) -> None:
    """A second writer goes on where the first ended, and each counts its own lines and bytes."""
    path = tmp_path / "logs.jsonl"
    with RecordingWriter(path, "logs") as first:
        first.append(make_logs("a"))
        first.append(make_logs("b", "c"))
    with RecordingWriter(path, "logs") as second:
        second.append(make_logs("d"))
    assert read_bodies(path) == ["a", "b", "c", "d"]
    assert (first.lines, second.lines) == (2, 1)
    assert first.bytes + second.bytes == path.stat().st_size


def test_a_batch_that_is_too_long_becomes_several_lines(tmp_path: Path) -> None:
    """No line reaches 1 MiB, which the Collector's reader would cut; no record is lost."""
    path = tmp_path / "logs.jsonl"
    bodies = [str(number) * 1000 for number in range(3000)]
    with RecordingWriter(path, "logs") as writer:
        writer.append(make_logs(*bodies))
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == writer.lines > 1
    assert max(map(len, lines)) < 1 << 20
    assert read_bodies(path) == bodies


def test_a_single_record_that_is_too_long_is_left_out_and_counted(tmp_path: Path) -> None:
    """One record beyond the limit cannot be split: it is counted, and its neighbours stay."""
    path = tmp_path / "logs.jsonl"
    with RecordingWriter(path, "logs") as writer:
        writer.append(make_logs("a", "x" * MAX_LINE_BYTES, "b"))
    assert writer.oversized == 1
    assert read_bodies(path) == ["a", "b"]


def test_a_line_of_another_process_that_was_cut_does_not_spoil_ours(tmp_path: Path) -> None:
    """After a crash left half a line, the next line begins on its own."""
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b'{"resourceLogs":[')
    with RecordingWriter(path, "logs") as writer:
        writer.append(make_logs("a"))
        writer.append(make_logs("b"))
    lines = path.read_bytes().splitlines()
    assert lines[0] == b'{"resourceLogs":['
    assert len(lines) == 3


def test_threads_with_a_writer_each_never_mix_lines(tmp_path: Path) -> None:
    """Each line is one write on an O_APPEND descriptor, so parallel writers keep them whole."""
    path = tmp_path / "logs.jsonl"

    def write(name: str) -> None:
        with RecordingWriter(path, "logs") as writer:
            for _ in range(50):
                writer.append(make_logs(name * 5000))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bodies = read_bodies(path)
    assert len(bodies) == 200
    assert all(len(set(body)) == 1 for body in bodies)


def test_a_full_device_is_an_error_with_advice() -> None:
    """No space left: the error names the file, the reason and what to do."""
    writer = RecordingWriter("/dev/full", "logs")
    with pytest.raises(RecordingError, match=r"/dev/full: No space left on device; free some"):
        writer.append(make_logs("a"))
    assert writer.lines == 0
    writer.close()


LIMITED = """
import json, resource, sys
from nogi_otel.errors import RecordingError
from nogi_otel.recording.otlp_json import build_data
from nogi_otel.recording.writer import RecordingWriter

def logs(body):
    records = [{"body": {"stringValue": body}}]
    return build_data("logs", records, resource={}, scope_name="test")

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
writer = RecordingWriter(sys.argv[1], "logs")
writer.append(logs("before"))
try:
    writer.append(logs("x" * 8192))
except RecordingError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.append(logs("after"))
print(writer.lines)
"""


def test_no_half_line_is_left_where_the_space_ends(tmp_path: Path) -> None:
    """The kernel takes the beginning of a line and then no more: the beginning is taken back."""
    path = tmp_path / "logs.jsonl"
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=True
    )
    message, lines = child.stdout.splitlines()
    assert message == (
        f"cannot write the recording {path}: File too large; the file may not grow further; "
        "choose another file"
    )
    assert lines == "2"
    assert read_bodies(path) == ["before", "after"]


def test_a_directory_cannot_be_a_recording(tmp_path: Path) -> None:
    """A path that cannot be opened is refused at once, with advice."""
    with pytest.raises(RecordingError, match="it is a directory; name a file in it"):
        RecordingWriter(tmp_path, "logs")
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match="a part of the path is a file"):
        RecordingWriter(tmp_path / "file" / "logs.jsonl", "logs")


UNPRIVILEGED = """
import os, sys
from nogi_otel.errors import RecordingError
from nogi_otel.recording.writer import RecordingWriter

if os.geteuid() == 0:
    os.setuid(65534)
try:
    RecordingWriter(sys.argv[1], "logs")
except RecordingError as error:
    print(error)
"""


def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    """Where this user may not write, the error says so."""
    tmp_path.chmod(0o500)
    path = tmp_path / "logs.jsonl"
    child = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(path)], capture_output=True, text=True, check=True
    )
    assert child.stdout == (
        f"cannot open the recording {path}: Permission denied; this user may not write there; "
        "choose another file or change its permissions\n"
    )


def test_path_templates_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholders are filled in, and ~ is the home directory."""
    monkeypatch.setenv("HOME", "/home/somebody")
    path = expand_path("~/audit-{service}-{pid}.jsonl", 42, "shop")
    assert path == Path("/home/somebody/audit-shop-42.jsonl")
    assert expand_path("a{pid}{pid}", 7, "") == Path("a77")


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("", "unknown_service"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unknown_service"),
        ("a b\n\x00c", "a_b_c"),
        ("{pid}", "_pid_"),
        ("größe", "gr_e"),
        ("x" * 300, "x" * 64),
    ],
)
def test_a_service_name_cannot_leave_the_directory(service: str, name: str) -> None:
    """What has a meaning in a path or a template is taken out of a service name."""
    assert expand_path("dir/{service}.jsonl", 1, service) == Path("dir") / f"{name}.jsonl"


@pytest.mark.parametrize("template", ["", "audit-{host}.jsonl", "{}"])
def test_an_unknown_placeholder_is_an_error(template: str) -> None:
    """A template that cannot be filled in is refused and not written literally."""
    with pytest.raises(RecordingError, match="path of a recording"):
        expand_path(template, 1, "shop")


def test_a_line_is_json_that_anybody_can_read(tmp_path: Path) -> None:
    """A line is one JSON object in UTF-8."""
    path = tmp_path / "logs.jsonl"
    with RecordingWriter(path, "logs") as writer:
        writer.append(make_logs("é\n\x1b"))
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == make_logs("é\n\x1b")
