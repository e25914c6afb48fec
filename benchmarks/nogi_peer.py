"""nogi 0.2.0 as a peer: its own classes, enabled the way its signal does it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from benchmarks.case import NotHereError

if TYPE_CHECKING:
    from collections.abc import Callable


def make_nogi() -> Any:
    """Return nogi's ``Nogi``, bound to a free port of loopback when it starts."""
    try:
        import nogi
    except ImportError:
        message = "not installed: pip install nogi==0.2.0"
        raise NotHereError(message) from None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return nogi.Nogi(host="127.0.0.1", port=port)


def start_nogi() -> Callable[[], object]:
    """Enable nogi; return what waits until its queue is published."""
    peer = make_nogi()
    peer.start(None, None)
    return peer.q.join  # type: ignore[no-any-return]
