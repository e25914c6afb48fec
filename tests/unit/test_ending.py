"""How a command that runs until it is told to stop is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from nogi_otel.cli.ending import Ending

if TYPE_CHECKING:
    import pytest


def test_a_thread_ends_the_wait() -> None:
    """``ask`` wakes the main thread, whether it comes before the wait or during it."""
    with Ending() as ending:
        ending.ask()
        ending.wait()
    with Ending() as ending:
        thread = threading.Timer(0.05, ending.ask)
        thread.start()
        ending.wait()
        thread.join()


def test_the_time_ends_the_wait() -> None:
    """Without anything else, the wait ends after its time."""
    with Ending() as ending:
        ending.wait(0.01)
        ending.wait(0)


def test_everything_is_given_back() -> None:
    """Handlers, the wake-up descriptor and the pipe are as they were; a late ``ask`` is nothing."""
    before = os.listdir("/proc/self/fd")
    with Ending() as ending:
        pass
    assert os.listdir("/proc/self/fd") == before
    ending.ask()


CHILD = """
import os, signal, sys
from nogi_otel.cli.ending import Ending
previous = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
with Ending() as ending:
    # The signal is there before the wait: its wake-up must not be lost.
    os.kill(os.getpid(), signal.{first})
    ending.wait()
    print("ended", flush=True)
    try:
        os.kill(os.getpid(), signal.{second})
        ending.wait()
    except KeyboardInterrupt:
        print("interrupted")
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == previous
assert signal.set_wakeup_fd(-1) == -1
"""


def test_a_signal_ends_the_wait_and_a_second_one_everything(subtests: pytest.Subtests) -> None:
    """SIGINT and SIGTERM alike: the first is a request, the second KeyboardInterrupt."""
    for first, second in (("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGINT")):
        with subtests.test(f"{first} {second}"):
            script = CHILD.format(first=first, second=second)
            child = subprocess.run(
                [sys.executable, "-c", script], capture_output=True, text=True, check=True
            )
            assert child.stdout == "ended\ninterrupted\n"


GAP = """
import os, select, signal
from nogi_otel.cli.ending import Ending

real = select.select
def signal_just_before_sleeping(*arguments):
    select.select = real
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    return real(*arguments)
select.select = signal_just_before_sleeping
with Ending() as ending:
    ending.wait()
print("ended")
"""


def test_a_signal_just_before_the_sleep_is_not_lost() -> None:
    """The condition was looked at, the signal comes, the thread sleeps: the pipe wakes it."""
    child = subprocess.run(
        [sys.executable, "-c", GAP], capture_output=True, text=True, check=True, timeout=60
    )
    assert child.stdout == "ended\n"
