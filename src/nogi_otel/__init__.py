"""Turn on a deep audit of a live Python service, and see every event on its request's trace.

Public names are loaded when they are first used: importing this package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nogi_otel.version import __version__

if TYPE_CHECKING:
    from nogi_otel.api import close_gate, flush, open_gate, status, window
    from nogi_otel.carriers.bridge import EventToSpanEventBridge
    from nogi_otel.errors import NogiError
    from nogi_otel.instrumentor import NogiInstrumentor
    from nogi_otel.nogi import Nogi

__all__ = [
    "EventToSpanEventBridge",
    "Nogi",
    "NogiError",
    "NogiInstrumentor",
    "__version__",
    "close_gate",
    "flush",
    "open_gate",
    "status",
    "window",
]

_HOMES = {
    "EventToSpanEventBridge": "nogi_otel.carriers.bridge",
    "Nogi": "nogi_otel.nogi",
    "NogiError": "nogi_otel.errors",
    "NogiInstrumentor": "nogi_otel.instrumentor",
    "close_gate": "nogi_otel.api",
    "flush": "nogi_otel.api",
    "open_gate": "nogi_otel.api",
    "status": "nogi_otel.api",
    "window": "nogi_otel.api",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
