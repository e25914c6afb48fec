"""Redaction and decoding: socket.connect."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.refinement import time_refinement
from nogi_otel.capture.values import SocketRef

CASE = Case(
    "refinement",
    1,
    "socket.connect",
    lambda: time_refinement(
        "socket.connect", (SocketRef("socket.socket", 2, 1, 6), ("127.0.0.1", 5432))
    ),
)
