"""Environment and keywords become one frozen ``Settings``, read once when a process is armed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from nogi_otel import environment_variables as names
from nogi_otel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "OTEL_PYTHON_NOGI_"
CARRIERS = ("logs", "span_events", "spans")
DEFAULT_CARRIERS = frozenset({"logs", "span_events"})
_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "kb": 1000, "mib": 1 << 20, "mb": 1000_000, "gib": 1 << 30}


class Rates(NamedTuple):
    """Limits in events a second; 0 is no limit."""

    total: int = 0
    by_pattern: tuple[tuple[str, int], ...] = ()
    """Event names or globs, each with the limit of every name that it matches."""

    def limit_name(self, event: str) -> int:
        """Return the limit of one event name: that of the first pattern that matches."""
        for pattern, rate in self.by_pattern:
            if fnmatchcase(event, pattern):
                return rate
        return 0


NO_RATES = Rates()


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process is audited. The field names are the variables' without their prefix."""

    events: str = "incident"
    excluded_events: str = ""
    where: str = ""
    emit: frozenset[str] = DEFAULT_CARRIERS
    start_signal: int | None = signal.SIGUSR1
    stop_signal: int | None = signal.SIGUSR2
    start: str = "armed"
    max_duration: float = 600.0
    """Seconds; 0 is no limit."""
    max_events: int = 0
    rate_limit: Rates = NO_RATES
    cpu_budget: float = 5.0
    """Percent of one core; 0 is no limit."""
    span_event_limit: int = 64
    code: str = "none"
    redact: tuple[str, ...] = ()
    unredact: tuple[str, ...] = ()
    recording: str = ""
    pipeline: str = "auto"
    endpoint: str = ""
    buffer: int = 8 << 20
    """Bytes."""
    flush_timeout: float = 5.0
    """Seconds."""


def load_settings(
    keywords: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings: keywords over environment over defaults.

    Raises:
        SettingsError: a value is not allowed; names the variable, the value and what is.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    known = {field.name for field in fields(Settings)}
    for field in sorted(known):
        variable = getattr(names, PREFIX + field.upper())
        text = environment.get(variable, "").strip()
        if text:
            values[field] = _parse(field, variable, text)
    for field, value in (keywords or {}).items():
        if field not in known:
            allowed = ", ".join(sorted(known))
            message = f"{field!r} is not a setting of nogi_otel. Use one of: {allowed}."
            raise SettingsError(message)
        if value is not None:
            values[field] = _parse(field, field, value)
    settings = Settings(**values)
    if settings.start_signal is not None and settings.start_signal == settings.stop_signal:
        message = (
            f"{names.OTEL_PYTHON_NOGI_START_SIGNAL} and {names.OTEL_PYTHON_NOGI_STOP_SIGNAL} are "
            f"both {signal_name(settings.start_signal)}: opening and closing are two commands, so "
            "give them two signals, or 'none'."
        )
        raise SettingsError(message)
    return settings


def rescue_signals(
    keywords: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return default settings, but with the signals that were asked for, where they are allowed.

    For a process whose settings were refused: a signal that its operator will send must not kill.
    """
    environment = os.environ if environment is None else environment
    rescued: dict[str, Any] = {}
    for field in ("start_signal", "stop_signal"):
        variable = getattr(names, PREFIX + field.upper())
        value = (keywords or {}).get(field) or environment.get(variable, "").strip()
        if value:
            with contextlib.suppress(SettingsError):
                rescued[field] = _parse(field, variable, value)
    return Settings(**rescued)


def override_settings(settings: Settings, keywords: Mapping[str, Any]) -> Settings:
    """Return the settings with some of them replaced, ``None`` meaning unchanged.

    Raises:
        SettingsError: a value is not allowed.
    """
    given = {key: _parse(key, key, value) for key, value in keywords.items() if value is not None}
    return replace(settings, **given)


def _parse(field: str, variable: str, value: object) -> Any:
    parse, allowed = _PARSERS[field]
    try:
        return parse(value)
    except (ValueError, TypeError, OverflowError):
        message = f"{variable}={value!r} is not allowed. Use {allowed}."
        raise SettingsError(message) from None


def _parse_text(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(_parse_text(one) for one in value)
    if not isinstance(value, str):
        raise TypeError
    return value


def _parse_list(separator: str) -> Callable[[object], tuple[str, ...]]:
    def parse(value: object) -> tuple[str, ...]:
        parts = _parse_text(value).split(separator) if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)):
            raise TypeError
        return tuple(text for one in parts if (text := _parse_text(one).strip()))

    return parse


def _parse_template(value: object) -> str:
    text = _parse_text(value)
    if not set(re.findall(r"\{([^{}]*)\}", text)) <= {"pid", "service"}:
        raise ValueError
    return text


def _parse_choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = _parse_text(value).strip().lower()
        if text not in choices:
            raise ValueError
        return text

    return parse


def _parse_carriers(value: object) -> frozenset[str]:
    chosen = frozenset(one.strip().lower() for one in _parse_text(value).split(",") if one.strip())
    if chosen == {"none"}:
        return frozenset()
    if not chosen or not chosen <= set(CARRIERS):
        raise ValueError
    return chosen


def _parse_endpoint(value: object) -> str:
    text = _parse_text(value).strip()
    if text and not re.fullmatch(r"https?://[^/\s]+\S*", text):
        raise ValueError
    return text


def _parse_count(minimum: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError
        number = int(value)
        if not minimum <= number <= _MAX_COUNT:
            raise ValueError
        return number

    return parse


_MAX_COUNT = 1 << 40


def _parse_rates(value: object) -> Rates:
    if isinstance(value, Rates):
        return value
    if isinstance(value, int):
        return Rates(_parse_count(0)(value))
    total = 0
    by_pattern: list[tuple[str, int]] = []
    for term in _parse_text(value).split(","):
        pattern, equals, rate = term.rpartition("=")
        if equals:
            if not pattern.strip():
                raise ValueError
            by_pattern.append((pattern.strip(), _parse_count(0)(rate.strip())))
        elif rate.strip():
            total = _parse_count(0)(rate.strip())
    return Rates(total, tuple(by_pattern))


def _parse_percent(value: object) -> float:
    number = _parse_seconds(value)
    if number > _MAX_PERCENT:
        raise ValueError
    return number


_MAX_PERCENT = 100


def _parse_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)
    if not 0 <= number <= _MAX_SECONDS:
        raise ValueError
    return number


_MAX_SECONDS = 366 * 86_400


def _parse_bytes(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        match = re.fullmatch(r"(\d{1,12})\s*([A-Za-z]*)", _parse_text(value).strip())
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError
        number = int(match[1]) * _UNITS[match[2].lower()]
    if not _MIN_BUFFER <= number <= _MAX_BUFFER:
        raise ValueError
    return number


_MIN_BUFFER = 64 << 10
_MAX_BUFFER = 4 << 30


def _parse_signal(value: object) -> int | None:
    """Return a signal's number, or None for ``none``."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = int(value)
    else:
        text = _parse_text(value).strip().upper()
        if text == "NONE":
            return None
        offset = re.fullmatch(r"(?:SIG)?(RTMIN|RTMAX)([+-]\d+)?", text)
        if text.isdecimal():
            number = int(text)
        elif offset is not None:
            number = int(signal.Signals[f"SIG{offset[1]}"]) + int(offset[2] or 0)
        else:
            try:
                number = int(signal.Signals[text if text.startswith("SIG") else f"SIG{text}"])
            except KeyError:
                raise ValueError from None
    if number not in signal.valid_signals() or number in _UNCATCHABLE:
        raise ValueError
    return number


_UNCATCHABLE = frozenset({signal.SIGKILL, signal.SIGSTOP})


def signal_name(number: int | None) -> str:
    """Return the name of a signal: ``SIGUSR1``, ``SIGRTMIN+3``, ``none``."""
    if number is None:
        return "none"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


_COUNT = "a whole number, 0 for no limit"
_SIGNAL = "the name or number of a signal that can be caught, such as SIGUSR1, or 'none'"
_TERMS = "a comma separated list of event names, globs, %classes and profiles"
_PARSERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "events": (_parse_text, _TERMS),
    "excluded_events": (_parse_text, _TERMS),
    "where": (_parse_text, 'a condition such as file.path =~ "/etc/*"'),
    "emit": (_parse_carriers, "one or more of " + ", ".join(CARRIERS) + ", or none"),
    "start_signal": (_parse_signal, _SIGNAL),
    "stop_signal": (_parse_signal, _SIGNAL),
    "start": (_parse_choice("armed", "open"), "armed or open"),
    "max_duration": (_parse_seconds, "a number of seconds, 0 for no limit"),
    "max_events": (_parse_count(0), _COUNT),
    "rate_limit": (_parse_rates, "events a second, such as 1000 or 1000,open=100; 0 for no limit"),
    "cpu_budget": (_parse_percent, "a percentage of one core from 0 (no limit) to 100"),
    "span_event_limit": (_parse_count(0), "a whole number, 0 for none"),
    "code": (_parse_choice("none", "location", "stack"), "none, location or stack"),
    "redact": (_parse_list(";"), "rules such as name=regex or key:name=regex, separated by ;"),
    "unredact": (_parse_list(","), "names of redaction rules, comma separated, or *"),
    "recording": (_parse_template, "the path of a file, with {pid} and {service} at most"),
    "pipeline": (_parse_choice("auto", "direct", "provider"), "auto, direct or provider"),
    "endpoint": (_parse_endpoint, "an address such as http://127.0.0.1:4318"),
    "buffer": (_parse_bytes, "a size such as 8MiB, from 64KiB to 4GiB"),
    "flush_timeout": (_parse_seconds, "a number of seconds"),
}
