"""What redacting an audit event costs, beside a call of a function that does nothing.

Run as ``python bench_redaction.py [seconds]``. Prints the lowest of several rounds, in nanoseconds
of this thread and as a multiple of the empty call: the multiple is what can be compared between
machines. The hostile texts have the size that the snapshot keeps, and keep the rules busy.
"""

from __future__ import annotations

import sys
from time import thread_time_ns
from typing import TYPE_CHECKING

from nogi_otel.capture.snapshot import MAX_TEXT
from nogi_otel.capture.values import Clipped, SocketRef
from nogi_otel.redaction import build_redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value

SOCKET = SocketRef("socket.socket", 2, 1, 0)


def repeat(unit: str) -> Clipped:
    """Return a text of the longest length, cut by the snapshot, made of one piece."""
    return Clipped((unit * MAX_TEXT)[:MAX_TEXT], 1_000_000)


CASES: dict[str, tuple[str, tuple[Value, ...]]] = {
    "three short texts": ("order.placed", ("orders", "alice", "/srv/app/orders.json")),
    "open": ("open", ("/usr/lib/python3.11/site-packages/flask/app.py", "rb", 524288)),
    "socket.connect": ("socket.connect", (SOCKET, ("10.0.0.7", 5432))),
    "socket.connect, IPv6": ("socket.connect", (SOCKET, ("fe80::1", 5432, 0, 0))),
    "import": ("import", ("json.decoder", None, None, None, None)),
    "urllib.Request": ("urllib.Request", ("https://shop.test/orders?page=2", None, {}, "GET")),
    "subprocess.Popen": ("subprocess.Popen", ("/bin/ls", ("ls", "-l", "/srv"), None, None)),
    "a dict": ("order.placed", ({"id": "a-17", "author": "alice", "count": 3},)),
    "secret: password=": ("order.placed", ("login user=alice password=hunter2 ok",)),
    "secret: URL": ("urllib.Request", ("https://a:b@shop.test/?token=x", b"a", {"b": "c"}, "GET")),
    "secret: command": ("subprocess.Popen", ("mysql", ("mysql", "-phunter2"), None, {"A": "b"})),
    "hostile: harmless pairs": ("order.placed", (repeat("a=1&"),)),
    "hostile: secret pairs": ("order.placed", (repeat("token=a&"),)),
    "hostile: open quotes": ("order.placed", (repeat("password='"),)),
    "hostile: parameters": ("order.placed", (repeat("?&sig="),)),
    "hostile: shell words": ("os.system", (repeat("mysql -p "),)),
    "hostile: nested lines": ("os.system", (repeat("sh -c '\""),)),
    "hostile: digits": ("order.placed", (repeat("4111 "),)),
    "hostile: Basic": ("order.placed", (repeat("Basic AAAA "),)),
}
ROUNDS = 200
CALLS = 20


def do_nothing(event: str, arguments: tuple[Value, ...]) -> None:
    """Take the same arguments and do nothing: the price of a call and of the loop."""


def time_call(
    call: Callable[[str, tuple[Value, ...]], object],
    event: str,
    arguments: tuple[Value, ...],
    seconds: float,
) -> float:
    """Return the nanoseconds of one call, the lowest of the rounds that fit in the time."""
    end_ns = thread_time_ns() + int(seconds * 1e9)
    calls = CALLS
    lowest = float("inf")
    for done in range(ROUNDS):
        start_ns = thread_time_ns()
        for _ in range(calls):
            call(event, arguments)
        stop_ns = thread_time_ns()
        lowest = min(lowest, (stop_ns - start_ns) / calls)
        if stop_ns > end_ns:
            break
        if done == 0:
            calls = max(int(seconds * 1e9 / ROUNDS / lowest), 1)
    return lowest


def main() -> None:
    """Print one line a case."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    redact = build_redactor().redact
    print(f"{'case':26} {'ns/event':>10} {'x empty call':>13}")
    for name, (event, arguments) in CASES.items():
        empty_ns = time_call(do_nothing, event, arguments, seconds / 5)
        redact_ns = time_call(redact, event, arguments, seconds)
        print(f"{name:26} {redact_ns:10.0f} {redact_ns / empty_ns:13.1f}")


if __name__ == "__main__":
    main()
