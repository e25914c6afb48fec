"""Settings, compiled: the selection, the redaction rules and the limits that they describe."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from nogi_otel import environment_variables as names
from nogi_otel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nogi_otel.gate import Limits
    from nogi_otel.redaction import Redactor
    from nogi_otel.selection import Selection
    from nogi_otel.settings import Settings

STACK_FRAMES = 16
_FRAME_LIMITS = {"none": 0, "location": 1, "stack": STACK_FRAMES}
WINDOW_SETTINGS = (
    "events",
    "excluded_events",
    "where",
    "max_duration",
    "max_events",
    "rate_limit",
)
"""The settings that may differ from window to window."""


def compile_settings(settings: Settings) -> Selection:
    """Return the selection that the settings describe.

    Raises:
        SelectionError: a term or the condition cannot be read; names the variable.
    """
    from nogi_otel.selection import compile_selection

    events, excluded, where = settings.events, settings.excluded_events, settings.where or None
    with name_variable(names.OTEL_PYTHON_NOGI_EVENTS):
        compile_selection(events, "", None)
    with name_variable(names.OTEL_PYTHON_NOGI_EXCLUDED_EVENTS):
        compile_selection(events, excluded, None)
    with name_variable(names.OTEL_PYTHON_NOGI_WHERE):
        return compile_selection(events, excluded, where)


def compile_redactor(settings: Settings) -> Redactor:
    """Return the redaction rules that the settings describe.

    Raises:
        SettingsError: a rule cannot be read; names the variable.
    """
    from nogi_otel.redaction import build_redactor

    with name_variable(names.OTEL_PYTHON_NOGI_REDACT):
        build_redactor(settings.redact, ())
    with name_variable(names.OTEL_PYTHON_NOGI_UNREDACT):
        return build_redactor(settings.redact, settings.unredact)


@contextmanager
def name_variable(variable: str) -> Iterator[None]:
    """Name the variable in the error of the setting that is read inside."""
    try:
        yield
    except SettingsError as error:
        raise type(error)(f"{variable}: {error}") from None


def build_limits(settings: Settings) -> Limits:
    """Return the limits that the settings describe."""
    from nogi_otel.gate import Limits

    return Limits(
        duration_ns=int(settings.max_duration * 1e9),
        events=settings.max_events,
        rates=settings.rate_limit,
        span_events=settings.span_event_limit if "span_events" in settings.emit else 0,
        frames=_FRAME_LIMITS[settings.code],
    )
