"""From a captured event to an audit record: redact, decode, select by what was decoded.

The order matters: everything that leaves the process is derived from redacted arguments, so no
carrier, recording or condition can see what a rule has taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nogi_otel.record import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.capture import RawEvent
    from nogi_otel.catalogue.entry import AttributeValue
    from nogi_otel.record import AuditRecord
    from nogi_otel.redaction import Redactor
    from nogi_otel.selection import Selection


class Window(Protocol):
    """What a refinement needs of a window."""

    window_id: str
    selection: Selection


class Refinement:
    """The rules of one process, applied to one event after the other. Pure but for its tables."""

    def __init__(self, redactor: Redactor) -> None:
        """Take the redaction rules."""
        self._redactor = redactor

    def refine(self, raw: RawEvent, window: Window) -> AuditRecord | None:
        """Return the record of one event, or None where the window's condition leaves it out."""
        redacted = self._redactor.redact(raw.event, raw.arguments)
        record = decode(raw, redacted, window.window_id)
        selection = window.selection
        if selection.is_conditional(raw.event) and not selection.matches(view_record(record)):
            return None
        return record


def view_record(record: AuditRecord) -> Mapping[str, AttributeValue]:
    """Return what a condition can name: the attributes, and the record's own fields."""
    return {
        **record.attributes,
        "event": record.event,
        "body": record.body,
        "severity": record.severity,
        "thread.id": record.thread_id,
        "thread.name": record.thread_name,
        "trace_id": f"{record.trace_id:032x}" if record.trace_id else "",
        "span_id": f"{record.span_id:016x}" if record.span_id else "",
    }
