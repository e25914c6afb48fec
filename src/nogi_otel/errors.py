"""The exception tree: one base, each class with the exit code of the command that meets it.

``cli.main`` is the only place that turns an error into an exit code. Messages say what happened
and what to do about it.
"""

from __future__ import annotations


class NogiError(Exception):
    """Base of every error that nogi_otel raises on purpose."""

    exit_code = 1


class SettingsError(NogiError):
    """A setting has a value that is not allowed; names the setting, the value and what is."""

    exit_code = 2


class SelectionError(SettingsError):
    """A selection or predicate cannot be read; the message marks the column."""


class MissingExtraError(NogiError):
    """A command needs packages of an extra that is not installed."""

    exit_code = 2


class ReceiverError(NogiError):
    """The OTLP receiver cannot listen, for example because the port is taken."""

    exit_code = 4


class RecordingError(NogiError):
    """A recording cannot be read or written."""

    exit_code = 5


class DemoError(NogiError):
    """The demo ran, and what must be there was not there."""

    exit_code = 1
