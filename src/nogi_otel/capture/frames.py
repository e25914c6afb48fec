"""Where in the application an event was raised, taken without raising an event for it.

``sys._getframe`` and ``frame.f_code`` are audited themselves (CPython ``Python/sysmodule.c``,
``Objects/frameobject.c``), so the frames are read through the C API: ``PyThreadState_GetFrame``,
``PyFrame_GetCode`` and ``PyFrame_GetLineNumber``, which are not.
"""

from __future__ import annotations

import ctypes
import sysconfig
from typing import TYPE_CHECKING, Any

from nogi_otel.capture.snapshot import MAX_NAME, MAX_TEXT, exact_text
from nogi_otel.capture.values import CodeRef

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WALK = 128
"""Frames looked at, at most, in search of one of the application's."""

_api = ctypes.pythonapi
_get_state = _api.PyThreadState_Get
_get_state.restype = ctypes.c_void_p
_get_frame = _api.PyThreadState_GetFrame
_get_frame.argtypes = [ctypes.c_void_p]
_get_frame.restype = ctypes.py_object
_get_code = _api.PyFrame_GetCode
_get_code.argtypes = [ctypes.py_object]
_get_code.restype = ctypes.py_object
_get_line = _api.PyFrame_GetLineNumber
_get_line.argtypes = [ctypes.py_object]
_get_line.restype = ctypes.c_int


def build_frame_reader(package_directory: str) -> Callable[[int], tuple[CodeRef, ...]]:
    """Return the function that takes up to N frames of the application, innermost first.

    Frames of this package are left out always; frames of the standard library and of installed
    packages are left out until the first one of the application is found. Where there is none,
    the innermost frame stands for it.
    """
    paths = sysconfig.get_paths()
    foreign = tuple(
        {f"{paths[name]}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    )
    own = f"{package_directory}/"

    def read_frames(limit: int) -> tuple[CodeRef, ...]:
        taken: list[CodeRef] = []
        innermost: CodeRef | None = None
        frame: Any = _get_frame(_get_state())
        for _ in range(MAX_WALK):
            if frame is None or len(taken) >= limit:
                break
            code = _get_code(frame)
            path = exact_text(code.co_filename, MAX_TEXT)
            if not path.startswith(own):
                name = getattr(code, "co_qualname", code.co_name)  # PYVERSIONS: since 3.11
                here = CodeRef(exact_text(name, MAX_NAME), path, _get_line(frame))
                if innermost is None:
                    innermost = here
                if taken or not (path.startswith(foreign) or path.startswith("<frozen")):
                    taken.append(here)
            frame = frame.f_back
        if not taken and innermost is not None:
            taken.append(innermost)
        return tuple(taken)

    return read_frames
