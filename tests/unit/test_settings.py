"""Environment and keywords become settings; what is not allowed is named."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

import pytest

from nogi_otel import environment_variables
from nogi_otel.errors import SettingsError
from nogi_otel.settings import (
    PREFIX,
    Rates,
    Settings,
    load_settings,
    override_settings,
    rescue_signals,
    signal_name,
)

FIELDS = [field.name for field in dataclasses.fields(Settings)]

ALLOWED: list[tuple[str, str, Any]] = [
    ("events", "socket.*,%file", "socket.*,%file"),
    ("excluded_events", "open", "open"),
    ("where", 'file.path =~ "/etc/*"', 'file.path =~ "/etc/*"'),
    ("emit", "logs", {"logs"}),
    ("emit", " SPAN_EVENTS , logs,", {"logs", "span_events"}),
    ("emit", "none", set()),
    ("start_signal", "SIGUSR2", signal.SIGUSR2),
    ("start_signal", "hup", signal.SIGHUP),
    ("start_signal", "SIGRTMIN+3", signal.SIGRTMIN + 3),
    ("start_signal", "rtmax-1", signal.SIGRTMAX - 1),
    ("start_signal", "10", 10),
    ("start_signal", "none", None),
    ("stop_signal", "USR1", signal.SIGUSR1),
    ("start", "OPEN", "open"),
    ("max_duration", "0", 0.0),
    ("max_duration", "1.5", 1.5),
    ("max_events", "100", 100),
    ("rate_limit", "1000", Rates(1000)),
    ("rate_limit", "1000, open = 100 ,socket.*=5", Rates(1000, (("open", 100), ("socket.*", 5)))),
    ("rate_limit", "open=1", Rates(0, (("open", 1),))),
    ("cpu_budget", "2.5", 2.5),
    ("span_event_limit", "0", 0),
    ("code", "stack", "stack"),
    ("redact", "mine=secret; key:theirs=tok.n", ("mine=secret", "key:theirs=tok.n")),
    ("unredact", "url, key", ("url", "key")),
    ("recording", "audit-{pid}.jsonl", "audit-{pid}.jsonl"),
    ("pipeline", "provider", "provider"),
    ("endpoint", "http://127.0.0.1:4318", "http://127.0.0.1:4318"),
    ("buffer", "1MiB", 1 << 20),
    ("buffer", "65536", 65536),
    ("buffer", "100 kb", 100_000),
    ("flush_timeout", "0.5", 0.5),
]

REFUSED: list[tuple[str, str]] = [
    ("emit", "logs,metrics"),
    ("emit", ","),
    ("emit", "none,logs"),
    ("start_signal", "SIGKILL"),
    ("start_signal", "SIGSTOP"),
    ("start_signal", "SIGNOTHING"),
    ("start_signal", "0"),
    ("start_signal", "999"),
    ("start_signal", "-1"),
    ("start_signal", "RTMIN+99"),
    ("stop_signal", "9"),
    ("start", "closed"),
    ("max_duration", "-1"),
    ("max_duration", "nan"),
    ("max_duration", "inf"),
    ("max_duration", "ten"),
    ("max_events", "-1"),
    ("max_events", "1.5"),
    ("max_events", "9" * 30),
    ("rate_limit", "fast"),
    ("rate_limit", "open=fast"),
    ("rate_limit", "=5"),
    ("rate_limit", "-5"),
    ("cpu_budget", "101"),
    ("span_event_limit", "-1"),
    ("code", "lines"),
    ("pipeline", "both"),
    ("endpoint", "127.0.0.1:4318"),
    ("endpoint", "ftp://127.0.0.1"),
    ("endpoint", "http://"),
    ("endpoint", "http://a b"),
    ("buffer", "1"),
    ("buffer", "8 parsecs"),
    ("buffer", "99GiB"),
    ("buffer", "-8MiB"),
    ("flush_timeout", "-0.1"),
]


def test_every_setting_has_its_variable() -> None:
    """Each field has a documented variable, and there is no variable without a field."""
    variables = {name for name in vars(environment_variables) if name.startswith(PREFIX)}
    assert variables == {PREFIX + field.upper() for field in FIELDS}


def test_defaults_stand_where_nothing_is_said() -> None:
    """An empty environment, and variables that are empty or blank, give the defaults."""
    blank = {PREFIX + field.upper(): " " for field in FIELDS}
    assert load_settings({}, {}) == load_settings(None, blank) == Settings()


@pytest.mark.parametrize(("field", "text", "expected"), ALLOWED)
def test_a_variable_is_read(field: str, text: str, expected: Any) -> None:
    """A value of the environment and the same one as a keyword give the same setting."""
    stop = {"stop_signal": "SIGWINCH"} if field == "start_signal" else {}
    start = {"start_signal": "SIGWINCH"} if field == "stop_signal" else {}
    environment = {PREFIX + field.upper(): f" {text} "}
    settings = load_settings({**stop, **start}, environment)
    assert getattr(settings, field) == expected
    assert getattr(load_settings({**stop, **start, field: text}, {}), field) == expected


@pytest.mark.parametrize(("field", "text"), REFUSED)
def test_a_refusal_names_the_variable_the_value_and_what_is_allowed(field: str, text: str) -> None:
    """The message of a refusal tells which variable, which value, and what to use."""
    variable = PREFIX + field.upper()
    with pytest.raises(SettingsError) as caught:
        load_settings({}, {variable: text})
    message = str(caught.value)
    assert message.startswith(f"{variable}={text!r} is not allowed. Use ")
    assert len(message) > len(f"{variable}={text!r} is not allowed. Use .")
    with pytest.raises(SettingsError, match=field):
        load_settings({field: text}, {})


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [object(), 1j, b"raw", [1, None], {"a": 1}, True])
def test_a_keyword_of_a_wrong_type_is_refused(field: str, value: object) -> None:
    """No keyword of any type raises anything but SettingsError."""
    with pytest.raises(SettingsError, match=field):
        load_settings({field: value}, {})


def test_keywords_win_over_the_environment() -> None:
    """A keyword replaces the variable; None leaves it; a bad variable is still refused."""
    environment = {PREFIX + "MAX_EVENTS": "5"}
    assert load_settings({"max_events": 7}, environment).max_events == 7
    assert load_settings({"max_events": None}, environment).max_events == 5


def test_lists_are_allowed_where_terms_are() -> None:
    """A keyword may give terms as a list."""
    settings = load_settings({"events": ["open", "socket.*"], "emit": ("logs",)}, {})
    assert settings.events == "open,socket.*"
    assert settings.emit == {"logs"}


def test_an_unknown_keyword_is_refused_with_the_known_ones() -> None:
    """The message of an unknown keyword lists what there is."""
    with pytest.raises(SettingsError, match="'event' is not a setting") as caught:
        load_settings({"event": "open"}, {})
    assert all(field in str(caught.value) for field in FIELDS)


def test_one_signal_cannot_be_both() -> None:
    """Opening and closing by one signal is refused; by none it is allowed."""
    with pytest.raises(SettingsError, match="both SIGUSR2"):
        load_settings({"start_signal": "SIGUSR2"}, {})
    settings = load_settings({"start_signal": "none", "stop_signal": "none"}, {})
    assert settings.start_signal is settings.stop_signal is None


def test_signals_are_rescued_from_refused_settings() -> None:
    """With settings that were refused, the signals that were asked for are still known."""
    environment = {PREFIX + "START_SIGNAL": "SIGHUP", PREFIX + "STOP_SIGNAL": "SIGKILL"}
    rescued = rescue_signals({}, environment)
    assert rescued.start_signal == signal.SIGHUP
    assert rescued.stop_signal == signal.SIGUSR2


def test_overriding_changes_what_is_given() -> None:
    """A window's own settings replace the process's; None and everything else stay."""
    settings = override_settings(Settings(max_events=5), {"events": "open", "max_events": None})
    assert (settings.events, settings.max_events) == ("open", 5)
    with pytest.raises(SettingsError, match="max_duration=-1"):
        override_settings(Settings(), {"max_duration": -1})


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "text", ["\0", "\udcff", "x" * 100_000, "=", ";;", "∞", "\uff11\uff10", "0x10", "1_0"]
)
def test_no_value_raises_anything_else(field: str, text: str) -> None:
    """Odd text is taken or refused, and never raises another error."""
    try:
        load_settings({}, {PREFIX + field.upper(): text})
    except SettingsError as error:
        assert PREFIX in str(error)  # noqa: PT017 - either outcome is right


def test_signals_have_names() -> None:
    """A number of a signal is told by its name, real-time ones by their distance."""
    assert signal_name(signal.SIGUSR1) == "SIGUSR1"
    assert signal_name(signal.SIGRTMIN + 3) == "SIGRTMIN+3"
    assert signal_name(None) == "none"
