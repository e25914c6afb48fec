"""A text that a person wrote, and the error that marks the place where it cannot be read."""

from __future__ import annotations

from typing import NamedTuple

from nogi_otel.errors import SelectionError

_SHOWN = 96
"""Characters of the text that the error shows, at most."""


class MarkedText(NamedTuple):
    """What is read, and what it is called in an error: ``selection``, ``condition``."""

    text: str
    kind: str

    def refuse(self, column: int, expected: str) -> SelectionError:
        """Return the error that shows the text with a caret under ``column``, counted from 0."""
        begin = max(min(column - _SHOWN // 2, len(self.text) - _SHOWN), 0)
        shown = self.text[begin : begin + _SHOWN]
        # One column a character: nothing that a terminal obeys, or draws in two columns or none.
        line = "".join(one if " " <= one <= "~" else "?" for one in shown)
        before = "..." if begin else ""
        after = "..." if begin + _SHOWN < len(self.text) else ""
        return SelectionError(
            f"the {self.kind} cannot be read at column {column + 1}: expected {expected}.\n"
            f"  {before}{line}{after}\n"
            f"  {' ' * (len(before) + column - begin)}^"
        )
