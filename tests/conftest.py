"""What every test stands on: a quiet environment, Hypothesis profiles, a clean process after it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# No wall-clock deadline in either: the machine may be busy.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci", deadline=None, database=None, derandomize=True, max_examples=300, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# The tests speak to loopback and set what they need: the settings, proxies and certificate bundles
# of whoever runs them must not reach a child. (A bundle named for requests overrides OTLP's own.)
for _name in list(os.environ):
    if (
        _name.startswith("OTEL_")
        or _name.lower().endswith("_proxy")
        or _name in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    ):
        del os.environ[_name]


def _refuse_hook(*_: object) -> NoReturn:
    pytest.fail("an audit hook cannot be removed: install it in a child process")


@pytest.fixture(scope="session", autouse=True)
def _guard_session() -> Iterator[None]:
    """No audit hook is installed in the process of the tests, and no child outlives them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "addaudithook", _refuse_hook)
        yield
    left = [
        child.cmdline()
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]
    assert not left, f"child processes were left running: {left}"


@pytest.fixture(autouse=True)
def _guard_test() -> Iterator[None]:
    """A test leaves the two signals as it found them, and no thread of nogi_otel."""
    handlers = _read_handlers()
    yield
    assert _read_handlers() == handlers, "a signal handler was left bound"
    threads = [thread.name for thread in threading.enumerate() if "nogi" in thread.name]
    assert not threads, f"threads were left running: {threads}"


def _read_handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGURG)]
