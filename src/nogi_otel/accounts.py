"""What became of audit events: the parts always sum up to what was seen."""

from __future__ import annotations

from typing import NamedTuple


class Shipped(NamedTuple):
    """What became of a batch."""

    exported: int
    failed: int


class Accounts(NamedTuple):
    """What became of every event seen in a window; the parts sum up to ``seen``, exactly."""

    seen: int
    filtered: int
    rate_limited: int
    sampled_out: int
    """Left out by the drain's budget of CPU time."""
    over_limit: int
    """Came after the window had reached its number of events, or after its end."""
    ring_full: int
    hook_failed: int
    redaction_failed: int
    exported: int
    export_failed: int
    not_carried: int
    """No chosen carrier takes it: span events alone, and no recording span was current."""
    in_flight: int

    @property
    def dropped(self) -> int:
        """What was wanted and is lost."""
        return (
            self.rate_limited
            + self.sampled_out
            + self.ring_full
            + self.hook_failed
            + self.redaction_failed
            + self.export_failed
        )
