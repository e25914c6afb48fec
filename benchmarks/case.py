"""A case: one row of one table, measured in a process of its own."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Measured = dict[str, float]
"""Column -> value, in the unit that the column names."""


class NotHereError(Exception):
    """A case cannot run in this environment; says what is missing."""


@dataclass(frozen=True)
class Case:
    """One row, defined as ``CASE`` by a module in ``benchmarks/cases`` and named like it."""

    table: str
    """A key of ``benchmarks.table.TABLES``."""
    row: int
    """Its place in the table; the first row is what the others are compared with."""
    title: str
    measure: Callable[[], Measured]
    """Called once, in a fresh process: may install hooks, set providers, leave threads."""


def load_cases() -> dict[str, Case]:
    """Return all cases, in the order of their tables and rows."""
    from benchmarks import cases
    from benchmarks.table import TABLES

    found = {
        module.name: importlib.import_module(f"benchmarks.cases.{module.name}").CASE
        for module in pkgutil.iter_modules(cases.__path__)
    }
    order = list(TABLES)
    return dict(sorted(found.items(), key=lambda one: (order.index(one[1].table), one[1].row)))
