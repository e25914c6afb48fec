"""Redaction and decoding: an application's event."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.refinement import time_refinement

CASE = Case(
    "refinement",
    0,
    "an application's event",
    lambda: time_refinement("shop.order.approved", (17, 99.5)),
)
