"""``Nogi()``: the one line that programs written against the original ``nogi`` begin with.

What its arguments were, and what they are here:

``host``, ``port``
    Where the publisher was bound. Here: where the OTLP/HTTP receiver listens; by default what the
    ``OTEL_EXPORTER_OTLP_*`` variables say, else ``http://localhost:4318``.
``handler``
    Consumed the events in a thread. Here: called with the event's name and its data as text, on
    the drain's thread, besides what is exported.
``socket``
    ``False`` made no publisher. Here: exports nothing, which leaves the handler.
``audit``
    Replaced the hook. There is no such thing here: a hook must keep rules that a program's own
    cannot be held to. Select with ``OTEL_PYTHON_NOGI_EVENTS``.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from nogi_otel import agent
from nogi_otel import environment_variables as names
from nogi_otel.errors import NogiError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("nogi_otel")

DEFAULT_PORT = 4318
"""OTLP over HTTP, where the original had a port of its own."""
DEFAULT_EVENTS = "incident,network"
"""What the original showed of a program that talks to the network, without the noise."""


class Nogi:
    """Arms this process: SIGUSR1 opens the gate, SIGUSR2 closes it.

    Works with or without an OpenTelemetry SDK: audit events go out through an OTLP exporter of
    their own. Raises nothing but ``SettingsError`` for arguments that cannot be honoured.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        handler: Callable[[str, str], object] | None = None,
        socket: bool = True,  # noqa: FBT001, FBT002 - the original's signature
        audit: object = None,
    ) -> None:
        """Bind the signals."""
        if audit is not None:
            message = (
                "Nogi(audit=...) is not supported: an audit hook of your own may deadlock the "
                "process. Select events with OTEL_PYTHON_NOGI_EVENTS, or pass handler=..."
            )
            raise SettingsError(message)
        if not socket and handler is None:
            message = "Nogi(socket=False) needs a handler: pass handler=function(event, data)."
            raise SettingsError(message)
        keywords: dict[str, object] = {"pipeline": "direct"}
        if names.OTEL_PYTHON_NOGI_EVENTS not in os.environ:
            keywords["events"] = DEFAULT_EVENTS
        if host is not None or port is not None:
            shown = "localhost" if host in {None, "*", "0.0.0.0"} else host  # noqa: S104
            keywords["endpoint"] = f"http://{shown}:{port or DEFAULT_PORT}"
        if not socket:
            keywords["emit"] = "none"
        current = agent.get_agent()
        if current is not None and current.machinery is None:
            # Armed by opentelemetry-instrument, and nothing was opened yet: this program says how.
            agent.disarm()
        try:
            agent.arm(keywords, handler)
        except NogiError as error:
            logger.error("nogi opens no window: %s", error)  # noqa: TRY400 - says what to do
