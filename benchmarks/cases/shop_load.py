"""examples/shop under load, at 1,000 audit events a second."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.shop import time_shop

CASE = Case("shop", 0, "GET /stock, two clients", time_shop)
