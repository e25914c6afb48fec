"""``python -m nogi_otel``: the same as ``nogi-otel``."""

from __future__ import annotations

from nogi_otel.cli.main import run

if __name__ == "__main__":
    raise SystemExit(run())
