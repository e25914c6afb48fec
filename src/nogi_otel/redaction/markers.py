"""How a value that was taken is written, and the account of what was taken."""

from __future__ import annotations

import re

MARKER = re.compile(r"\[REDACTED:[a-z0-9-]+\]")
URL_MARKER = "REDACTED"
"""What stands in a URL. OpenTelemetry semantic conventions 1.44, attribute ``url.full``."""
ERROR_MARKER = "[REDACTED:error]"
"""Stands for a value that could not be redacted."""
MAX_TEXT = 32_768
"""Characters of one text that rules are tried on; the snapshot keeps far fewer."""
MAX_WORK = 262_144
"""What may be looked at for one argument: characters of suspicious texts, and values."""


class OverBudgetError(Exception):
    """A value is too large or too deep to be redacted in bounded time. Never leaves the package."""


def write_marker(rule: str) -> str:
    """Return what stands for a value that this rule has taken."""
    return f"[REDACTED:{rule}]"


class Account:
    """What the rules have taken from one event, and how much work is left for an argument."""

    __slots__ = ("rules", "work_left")

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self.rules: list[str] = []
        """In the order of taking, each once."""
        self.work_left = MAX_WORK

    def begin_argument(self) -> None:
        """Give the next argument its own budget, so that one cannot use up another's."""
        self.work_left = MAX_WORK

    def take(self, rule: str) -> str:
        """Note that a rule has taken a value, and return what stands for it."""
        if rule not in self.rules:
            self.rules.append(rule)
        return write_marker(rule)

    def work(self, amount: int) -> None:
        """Spend some of the budget.

        Raises:
            OverBudgetError: there is none left.
        """
        self.work_left -= amount
        if self.work_left < 0:
            raise OverBudgetError
