"""Where in the application an event was raised: the setting ``CODE``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = """
import json, logging, os, sys, tempfile
from nogi_otel import NogiInstrumentor, close_gate, open_gate
NogiInstrumentor().instrument(
    events=sys.argv[2], recording="audit.jsonl", emit="none", code=sys.argv[1]
)
open_gate()

class Shop:
    def order(self):
        sys.audit("shop.order", 1)          # line 11

def read_price():
    with tempfile.NamedTemporaryFile():     # line 14: the file is opened in the standard library
        pass

for _ in range(3):
    Shop().order()
read_price()
logging.getLogger("quiet").warning("raises events of its own")
close_gate()
print("done", flush=True)
"""


def read_records(directory: Path) -> list[dict[str, Any]]:
    """Return the audit records of a recording, their attributes as a dict."""
    records = []
    for line in (directory / "audit.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceLogs"]:
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    attributes = {
                        one["key"]: next(iter(one["value"].values()))
                        for one in record["attributes"]
                    }
                    if "python.audit.event" in attributes:
                        records.append(attributes)
    return records


@pytest.fixture
def run(start_child: Callable[..., Any], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Run the program with a setting of CODE and a selection; return what it recorded."""

    def run_child(code: str, events: str = "shop.order,open") -> list[dict[str, Any]]:
        child = start_child(SOURCE, code, events)
        assert child.read_line() == "done"
        assert child.finish() == 0, child.errors
        return read_records(tmp_path)

    return run_child


def find(records: list[dict[str, Any]], event: str) -> dict[str, Any]:
    """Return the first record of an event."""
    return next(record for record in records if record["python.audit.event"] == event)


def test_location_is_the_applications(run: Callable[..., list[dict[str, Any]]]) -> None:
    """``location`` names file, line and function of the first frame of the application."""
    records = run("location")
    order = find(records, "shop.order")
    assert order["code.file.path"].endswith("child_0.py")
    assert order["code.line.number"] == "11"
    assert order["code.function.name"] in {"Shop.order", "order"}  # PYVERSIONS: qualified in 3.11
    assert "code.stacktrace" not in order


def test_frames_of_the_standard_library_are_passed_over(
    run: Callable[..., list[dict[str, Any]]],
) -> None:
    """A file that ``tempfile`` opens is opened by who called ``tempfile``."""
    opened = find(run("location"), "open")
    assert opened["code.function.name"] == "read_price"
    assert opened["code.line.number"] == "14"


def test_stack_is_a_traceback(run: Callable[..., list[dict[str, Any]]]) -> None:
    """``stack`` adds the callers too, outermost first, within the limit of a value."""
    order = find(run("stack"), "shop.order")
    lines = order["code.stacktrace"].splitlines()
    assert lines[-1].endswith(("in Shop.order", "in order"))
    assert lines[0].endswith("in <module>")
    assert len(order["code.stacktrace"].encode()) <= 1024


def test_a_stack_is_told_once_in_a_window(run: Callable[..., list[dict[str, Any]]]) -> None:
    """Later log records of the same stack carry its id and the location alone."""
    orders = [one for one in run("stack") if one["python.audit.event"] == "shop.order"]
    assert len({order["nogi.stack.id"] for order in orders}) == 1
    assert ["code.stacktrace" in order for order in orders] == [True, False, False]
    assert len({order["code.line.number"] for order in orders}) == 1


def test_none_says_nothing(run: Callable[..., list[dict[str, Any]]]) -> None:
    """By default no frame is looked at."""
    order = find(run("none"), "shop.order")
    assert not [key for key in order if key.startswith("code.")]


def test_reading_frames_raises_no_event(run: Callable[..., list[dict[str, Any]]]) -> None:
    """With every event selected, a stack for each adds no event to what the program raises."""
    plain = [one["python.audit.event"] for one in run("none", "everything")]
    Path.unlink(Path("audit.jsonl"), missing_ok=True)
    traced = [one["python.audit.event"] for one in run("stack", "everything")][len(plain) :]
    assert traced.count("sys._getframe") == plain.count("sys._getframe")
    assert traced.count("object.__getattr__") == plain.count("object.__getattr__")
