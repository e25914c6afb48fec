"""Redaction and decoding: open."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.refinement import time_refinement

CASE = Case(
    "refinement",
    2,
    "open",
    lambda: time_refinement("open", ("/etc/hosts", "r", 524288)),
)
