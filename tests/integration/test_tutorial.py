"""The tutorial's program shows what the tutorial's page says."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
PROGRAM = re.findall(r"^```python\n# app.py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
SHOWN = re.findall(r"^[\d:.]+ shop\[\d+\] (.*?)  trace=(\S+) span=(\S+)", PAGE, re.MULTILINE)


def read_url(child: Any) -> str:
    """Wait until the service says where it listens."""
    deadline = monotonic() + 30
    while not (found := re.search(r"Running on (http://\S+)", child.errors)):
        assert monotonic() < deadline, child.errors
        sleep(0.02)
    return found[1]


def test_the_page_shows_what_its_program_does(
    start_child: Callable[..., Any], otel_environment: dict[str, str], collected: Any
) -> None:
    """Of three requests the one in the window is seen, its events on one span, line by line."""
    child = start_child(
        PROGRAM.replace("port=8000", "port=0"), environment=otel_environment, instrumented=True
    )
    url = read_url(child)
    assert requests.get(f"{url}/orders/1", timeout=30).text == "approved\n"
    child.kill(signal.SIGUSR1)
    collected.wait_for(lambda c: c.named("nogi.window.opened"), "the window opens")
    requests.get(f"{url}/orders/2", timeout=30)
    collected.wait_for(lambda c: c.audit_logs("shop.order.approved"), "the order is seen")
    child.kill(signal.SIGUSR2)
    collected.wait_for(lambda c: c.named("nogi.window.closed"), "the window closes")
    requests.get(f"{url}/orders/3", timeout=30)
    child.kill(signal.SIGINT)
    child.finish()

    records = collected.audit_logs()
    shown = [line for line in SHOWN if line[1] != "-"]
    assert [record["body"] for record in records] == [body for body, _, _ in shown]
    assert len({(record["traceId"], record["spanId"]) for record in records}) == 1
    assert len({(trace_id, span_id) for _, trace_id, span_id in shown}) == 1
