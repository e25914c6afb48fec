"""What describing an audit event costs, beside a call of a function that does nothing.

Run as ``python bench_describe.py [seconds]``. Prints the lowest of several rounds, in nanoseconds
and as a multiple of the empty call: the multiple is what can be compared between machines.
"""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING

from nogi_otel.capture.values import SocketRef
from nogi_otel.catalogue import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.capture.values import Value

_SOCKET = SocketRef("socket.socket", 2, 1, 0)
_WITHHELD = "[REDACTED:withheld]"
EVENTS: tuple[tuple[str, tuple[Value, ...]], ...] = (
    ("socket.connect", (_SOCKET, ("10.0.0.7", 5432))),
    ("open", ("/var/lib/shop/orders.json", "w", 524865)),
    (
        "subprocess.Popen",
        ("/usr/bin/curl", ("/usr/bin/curl", "-s", "https://shop.test/"), None, _WITHHELD),
    ),
    ("urllib.Request", ("https://shop.test/orders", _WITHHELD, _WITHHELD, "POST")),
    ("order.placed", ("a-17", 3, 9.5)),
)
ROUNDS = 9
CALLS = 2_000


def do_nothing(event: str, arguments: tuple[Value, ...]) -> None:
    """Take the same arguments and do nothing: the price of a call and of the loop."""


def measure(
    function: Callable[[str, tuple[Value, ...]], object],
    event: str,
    arguments: tuple[Value, ...],
    seconds: float,
) -> float:
    """Return the nanoseconds of one call: the lowest of the rounds that fit into ``seconds``."""
    lowest = float("inf")
    end = perf_counter_ns() + int(seconds * 1e9)
    rounds = 0
    while rounds < ROUNDS or perf_counter_ns() < end:
        begin = perf_counter_ns()
        for _ in range(CALLS):
            function(event, arguments)
        lowest = min(lowest, (perf_counter_ns() - begin) / CALLS)
        rounds += 1
    return lowest


def main() -> None:
    """Print one line for each event."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    print(f"{'event':<18} {'ns':>8} {'calls':>8}   Python {sys.version.split()[0]}")
    for event, arguments in EVENTS:
        empty = measure(do_nothing, event, arguments, seconds / 5)
        cost = measure(describe, event, arguments, seconds)
        print(f"{event:<18} {cost:>8.0f} {cost / empty:>8.1f}")


if __name__ == "__main__":
    main()
