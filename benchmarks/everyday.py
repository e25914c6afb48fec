"""What programs do all day and what raises audit events while they do."""

from __future__ import annotations

import copy
import io
import logging
from typing import TYPE_CHECKING

from benchmarks.clock import time_call

if TYPE_CHECKING:
    from benchmarks.case import Measured


def time_warning() -> Measured:
    """Return what one formatted record costs, written to memory."""
    stream = io.StringIO()
    logger = logging.getLogger("benchmarks")
    logger.propagate = False
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)

    def clear() -> None:
        stream.seek(0)
        stream.truncate()

    return {"ns": time_call(lambda: logger.warning("order %d", 7), 5000, clear)}


def time_deepcopy() -> Measured:
    """Return what one copy of a small nested value costs."""
    value = {f"key.{number}": [number, str(number), {"a": number}] for number in range(10)}
    return {"ns": time_call(lambda: copy.deepcopy(value), 2000)}
