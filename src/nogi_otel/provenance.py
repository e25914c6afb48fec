"""Whose error is it? What runs on the application's threads may swallow its own errors only.

A signal handler of the application may run between any two bytecodes of ours on the main thread,
and raise: an alarm, a timeout, a KeyboardInterrupt. That exception belongs to the application.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_OWN = f"{Path(__file__).parent}/"
_LIBRARIES = "/opentelemetry/"


def comes_again(error: Exception, attempt: Callable[[], object]) -> bool:
    """Return whether an error is ours: our code is pure, so it comes again for the same input.

    What another thread sends to this one (``PyThreadState_SetAsyncExc``) leaves no frame that
    tells it apart, but it does not come twice.
    """
    if not is_own(error):
        return False
    try:
        attempt()
    except Exception:  # noqa: BLE001 - whatever it is, it came again
        return True
    return False


def is_own(error: BaseException) -> bool:
    """Return whether an error came out of this package or of what it called.

    A handler leaves its own frame in the traceback: one of a file that belongs neither to this
    package, nor to OpenTelemetry, nor to the standard library.
    """
    paths = sysconfig.get_paths()
    installed = (f"{paths['purelib']}/", f"{paths['platlib']}/")
    standard = (f"{paths['stdlib']}/", f"{paths['platstdlib']}/", "<frozen")
    traceback = error.__traceback__
    while traceback is not None:
        path = traceback.tb_frame.f_code.co_filename
        ours = path.startswith(_OWN) or _LIBRARIES in path
        if not ours and (path.startswith(installed) or not path.startswith(standard)):
            return False
        traceback = traceback.tb_next
    return True
