"""Programs that are started, signals that are sent, and the shell's own ways in.

``process.pid`` means the observed process, so the target of a signal has a name of its own; the
executable, arguments and working directory are those of the program that is about to run.
Sources: ``Lib/subprocess.py``, ``Modules/posixmodule.c``, ``Modules/_posixsubprocess.c``,
``Modules/signalmodule.c``, ``Lib/pty.py``, ``Python/remote_debugging.c``, ``Modules/main.c``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Entry

_SIGNAL = "python.audit.signal"
_TARGET_PID = Attribute("python.audit.target.pid", "pid", "integer")
_SHOWN_COMMAND = ("{process.command_args|process.executable.path}",)


def _run(executable: str, arguments: str) -> tuple[Attribute, ...]:
    """Return the attributes of a program and its arguments, by the names of these two."""
    return (
        Attribute("process.executable.path", executable),
        Attribute("process.command_args", arguments, "strings"),
        Attribute("process.args_count", arguments, "count"),
    )


_STARTS = (
    Entry(
        "subprocess.Popen",
        ("executable", "args", "cwd", "env"),
        "process",
        (
            *_run("executable", "args"),
            # On Windows the arguments come as one text.
            Attribute("process.command_line", "args"),
            Attribute("process.working_directory", "cwd"),
        ),
        display=("{process.command_args|process.command_line|process.executable.path}",),
        withheld=("env",),
    ),
    Entry(
        "os.posix_spawn",
        ("path", "argv", "env"),
        "process",
        _run("path", "argv"),
        display=_SHOWN_COMMAND,
        withheld=("env",),
    ),
    Entry(
        "_posixsubprocess.fork_exec",
        ("exec_list", "args", "env"),
        "process",
        (
            # One candidate for each entry of PATH where the program has no path of its own.
            Attribute("process.executable.path", "exec_list", "sole"),
            Attribute("process.command_args", "args", "strings"),
            Attribute("process.args_count", "args", "count"),
        ),
        display=_SHOWN_COMMAND,
        withheld=("env",),
        since=(3, 14),
    ),
    Entry(
        "os.exec",
        ("path", "args", "env"),
        "process",
        _run("path", "args"),
        severity="WARN",
        display=_SHOWN_COMMAND,
        withheld=("env",),
    ),
    Entry(
        "os.spawn",
        ("mode", "path", "args", "env"),
        "process",
        _run("path", "args"),
        display=_SHOWN_COMMAND,
        withheld=("env",),
    ),
    Entry(
        "os.system",
        ("command",),
        "process",
        (Attribute("process.command_line", "command"),),
        severity="WARN",
    ),
    Entry(
        "pty.spawn",
        ("argv",),
        "process",
        (
            Attribute("process.command_args", "argv", "strings"),
            Attribute("process.args_count", "argv", "count"),
        ),
        severity="WARN",
    ),
    Entry("os.fork", (), "process"),
    Entry("os.forkpty", (), "process"),
    Entry(
        "os.startfile",
        ("path", "operation"),
        "process",
        (
            Attribute("file.path", "path"),
            Attribute("python.audit.operation", "operation"),
        ),
    ),
    Entry(
        "os.startfile/2",
        ("path", "operation", "arguments", "cwd", "show_cmd"),
        "process",
        (
            Attribute("file.path", "path"),
            Attribute("python.audit.operation", "operation"),
            Attribute("process.command_line", "arguments"),
            Attribute("process.working_directory", "cwd"),
        ),
        display=("{file.path}", " {process.command_line}"),
    ),
    Entry(
        "ensurepip.bootstrap",
        ("root",),
        "process",
        (Attribute("file.directory", "root"),),
    ),
)

_SIGNALS = (
    Entry(
        "os.kill",
        ("pid", "sig"),
        "process",
        (Attribute(_SIGNAL, "sig", "signal"), _TARGET_PID),
        display=("{python.audit.signal}", " {python.audit.target.pid}"),
    ),
    Entry(
        "os.killpg",
        ("pgid", "sig"),
        "process",
        (
            Attribute(_SIGNAL, "sig", "signal"),
            Attribute("python.audit.target.pgid", "pgid", "integer"),
        ),
        display=("{python.audit.signal}", " {python.audit.target.pgid}"),
    ),
    Entry(
        "signal.pthread_kill",
        ("thread_id", "signalnum"),
        "process",
        (
            Attribute(_SIGNAL, "signalnum", "signal"),
            Attribute("python.audit.target.thread_id", "thread_id", "integer"),
        ),
        display=("{python.audit.signal}", " {python.audit.target.thread_id}"),
    ),
)

_INJECTIONS = (
    Entry(
        "sys.remote_exec",
        ("pid", "script_path"),
        "process",
        (Attribute("file.path", "script_path"), _TARGET_PID),
        severity="WARN",
        display=("{file.path}", " in {python.audit.target.pid}"),
        since=(3, 14),
    ),
    Entry(
        "cpython.remote_debugger_script",
        ("script_path",),
        "process",
        (Attribute("file.path", "script_path"),),
        severity="WARN",
        since=(3, 14),
    ),
)

ENTRIES = (*_STARTS, *_SIGNALS, *_INJECTIONS)
