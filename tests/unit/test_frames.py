"""Where an event was raised: read in the hook, so reading it may raise no event itself."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any


def run_child(source: str, *arguments: str) -> Any:
    """Run source in a child process; return what it prints, which is JSON."""
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (child.returncode, child.stderr) == (0, "")
    return json.loads(child.stdout)


def test_reading_frames_raises_no_audit_event() -> None:
    """``sys._getframe`` and ``f_code`` are audited; the frame reader is not heard by any hook."""
    heard = run_child(
        """
        import json, sys
        from nogi_otel.capture.frames import build_frame_reader

        read_frames = build_frame_reader("/nowhere")
        heard, listening = [], False

        def hook(event, arguments):
            if listening:
                heard.append(event)

        def descend(depth):
            global listening
            if depth:
                return descend(depth - 1)
            listening = True
            frames = read_frames(16)
            listening = False
            return frames

        sys.addaudithook(hook)
        frames = descend(30)
        listening = True
        sys._getframe()  # the hook does hear
        listening = False
        print(json.dumps([heard, len(frames)]))
        """
    )
    assert heard == [["sys._getframe"], 16]


def test_frames_are_the_applications_innermost_first() -> None:
    """Frames of the standard library and of this package are left out until the application's."""
    frames = run_child(
        """
        import functools, json, sys, tempfile, types
        import nogi_otel
        from nogi_otel.capture.frames import build_frame_reader

        own = nogi_otel.__path__[0]
        read_frames = build_frame_reader(own)
        sys.modules["application"] = application = types.ModuleType("application")
        source = (
            "def outer(f): return inner(f)\\n"
            "def inner(f): return functools.reduce(f, [1, 2])\\n"
        )
        application.functools = functools
        exec(compile(source, "/srv/application.py", "exec"), application.__dict__)
        hooked = {"read_frames": read_frames}
        exec(compile("def hook(a, b): return read_frames(2)", own + "/hook.py", "exec"), hooked)
        library = {"hook": hooked["hook"]}
        exec(compile("def call(a, b): return hook(a, b)", json.__file__, "exec"), library)
        print(json.dumps(application.outer(library["call"])))
        """
    )
    assert frames == [["inner", "/srv/application.py", 2], ["outer", "/srv/application.py", 1]]


def test_without_the_application_the_innermost_frame_stands_for_it() -> None:
    """An event raised by a thread of the standard library alone has a place."""
    frames = run_child(
        """
        import _thread, json, textwrap
        import nogi_otel
        from nogi_otel.capture.frames import build_frame_reader

        done = _thread.allocate_lock()
        done.acquire()
        found = []
        scope = {"read_frames": build_frame_reader(nogi_otel.__path__[0]), "found": found}
        source = '''
        def call(): return read_frames(4)
        def go(): found.append(call()); done.release()
        '''
        exec(compile(textwrap.dedent(source), json.__file__, "exec"), scope)
        scope["done"] = done
        _thread.start_new_thread(scope["go"], ())
        done.acquire()
        print(json.dumps(found[0]))
        """
    )
    ((name, path, _),) = frames
    assert name == "call"
    assert path.endswith("/json/__init__.py")


def test_hostile_code_names_are_not_asked() -> None:
    """A code object whose names are ``str`` subclasses runs nothing of theirs."""
    called = run_child(
        """
        import json, sys
        from nogi_otel.capture.frames import build_frame_reader

        called = []

        class Text(str):
            def startswith(self, *_): called.append("startswith"); return False
            def __getitem__(self, _): called.append("getitem"); return self
            def __format__(self, _): called.append("format"); return ""

        read_frames = build_frame_reader("/nowhere")

        def call():
            return read_frames(4)

        names = {"co_name": Text("name"), "co_filename": Text("file")}
        if sys.version_info >= (3, 11):
            names["co_qualname"] = Text("qualname")
        call.__code__ = call.__code__.replace(**names)
        frames = call()
        assert all(type(text) is str for frame in frames for text in frame[:2]), frames
        print(json.dumps(called))
        """
    )
    assert called == []


def test_deep_stacks_are_walked_to_a_bound() -> None:
    """Under a thousand frames of the standard library the walk ends, with one frame."""
    frames = run_child(
        """
        import json, sys
        import nogi_otel
        from nogi_otel.capture.frames import build_frame_reader

        read_frames = build_frame_reader(nogi_otel.__path__[0])
        library = {"read_frames": read_frames}
        source = "def call(n): return call(n - 1) if n else read_frames(16)"
        exec(compile(source, json.__file__, "exec"), library)
        sys.setrecursionlimit(3000)
        print(json.dumps(library["call"](1000)))
        """
    )
    assert len(frames) == 1
