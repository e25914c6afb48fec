"""Redaction and decoding: subprocess.Popen."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.refinement import time_refinement

CASE = Case(
    "refinement",
    3,
    "subprocess.Popen",
    lambda: time_refinement(
        "subprocess.Popen",
        ("/usr/bin/curl", ("curl", "-s", "https://example.org/a?b=c"), None, None),
    ),
)
