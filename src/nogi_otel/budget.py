"""The drain's budget of CPU time: what it may use of one core, and what to take when it is over.

The drain shares the interpreter with the application, so what it uses is what the application
loses. It measures its own thread's CPU time; a window starts with some credit, so that a short
look at a busy service is complete, and earns more as time passes.
"""

from __future__ import annotations

from time import monotonic_ns, thread_time_ns

BURST_NS = 2_000_000_000
"""The credit that a window starts with, and the most that it can save up."""
MIN_RATE = 10


class CpuBudget:
    """Watches the CPU time of the thread it is made on."""

    def __init__(self, share: float) -> None:
        """Begin with full credit; ``share`` is of one core, 0 for no limit."""
        self._share = share
        self._credit_ns = float(BURST_NS)
        self._cpu_ns = thread_time_ns()
        self._wall_ns = monotonic_ns()
        self._cost_ns = 0.0
        """CPU time of one event, a moving average."""
        self.throttling = False

    def charge(self, events: int) -> None:
        """Settle what was used since the last call, in which ``events`` were drained."""
        cpu_ns, wall_ns = thread_time_ns(), monotonic_ns()
        used_ns, passed_ns = cpu_ns - self._cpu_ns, wall_ns - self._wall_ns
        self._cpu_ns, self._wall_ns = cpu_ns, wall_ns
        self._credit_ns = min(self._credit_ns + self._share * passed_ns - used_ns, BURST_NS)
        if events:
            cost_ns = used_ns / events
            self._cost_ns = (self._cost_ns * 7 + cost_ns) / 8 if self._cost_ns else cost_ns

    @property
    def is_spent(self) -> bool:
        """Whether the drain should rest until more time has passed."""
        return bool(self._share) and self._credit_ns <= 0

    def choose_rate(self) -> int:
        """Return how many events a second can be paid for; 0 while there is credit to spend.

        It begins when half of the credit is gone and ends when it has grown back, so that it does
        not flicker.
        """
        if not self._share:
            return 0
        if self._credit_ns < BURST_NS / 2:
            self.throttling = True
        elif self._credit_ns > BURST_NS * 0.9:
            self.throttling = False
        if not self.throttling or not self._cost_ns:
            return 0
        return max(int(self._share * 1e9 / self._cost_ns), MIN_RATE)
