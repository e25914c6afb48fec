"""What an official exporter says about its failures, heard through its logger.

``export`` returns success or failure and no reason; the reason goes to the exporter's logger, once
for each batch and each retry. For our own exporter we listen there, on our own thread, say what
it means once, and let the application's log be.
"""

from __future__ import annotations

import logging
from _thread import get_ident

LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
_REFUSALS = frozenset({"404", "405", "501", "StatusCode.UNIMPLEMENTED"})
"""How a backend says that it takes no logs at all (OTLP specification 1.11)."""
_EXPORTED = ("Failed to export", "Transient error")


class ExportReports(logging.Filter):
    """Takes the exporter's log records of the thread on which it was made."""

    def __init__(self) -> None:
        """Begin to listen."""
        super().__init__()
        self._thread_id = get_ident()
        self.reason = ""
        """What the last failure was about."""
        self.refused = False
        """Whether the backend has said that it takes no logs."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a report to ourselves; let everything else pass."""
        message = str(record.msg)
        if record.thread != self._thread_id or not message.startswith(_EXPORTED):
            return True
        self.reason = record.getMessage()
        arguments = record.args if isinstance(record.args, tuple) else ()
        if any(str(argument) in _REFUSALS for argument in arguments):
            self.refused = True
        return False

    def close(self) -> None:
        """Listen no more."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)
