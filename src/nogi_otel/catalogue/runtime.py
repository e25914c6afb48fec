"""Threads, memory, environment variables, limits, logs of the system, and the terminal.

Sources: ``Modules/_threadmodule.c``, ``Python/pystate.c``, ``Modules/gcmodule.c``,
``Modules/mmapmodule.c``, ``Modules/arraymodule.c``, ``Modules/posixmodule.c``,
``Modules/resource.c``, ``Modules/syslogmodule.c``, ``Modules/fcntlmodule.c``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Entry, Group

_FUNCTION = Group(("code.file.path", "code.line.number", "code.function.name"), "function", "code")
_SHOWN_FUNCTION = ("{code.function.name}",)
_DESCRIPTOR = Attribute("python.audit.file.descriptor", "fd", "integer")
_VARIABLE = (Attribute("python.audit.environment.name", "key"),)
_RESOURCE = (
    Attribute("python.audit.resource.name", "resource", "resource"),
    Attribute("python.audit.resource.limits", "limits", "integers"),
)
_SHOWN_RESOURCE = ("{python.audit.resource.name}", " {python.audit.resource.limits}")

_THREADS = (
    Entry(
        "_thread.start_new_thread",
        ("function", "args", "kwargs"),
        "thread",
        (_FUNCTION,),
        display=_SHOWN_FUNCTION,
        withheld=("args", "kwargs"),
        since=(3, 12),
    ),
    Entry(
        "_thread.start_joinable_thread",
        ("function", "daemon", "handle"),
        "thread",
        (_FUNCTION, Attribute("python.audit.thread.daemon", "daemon", "integer")),
        display=_SHOWN_FUNCTION,
        since=(3, 13),
    ),
    Entry("sys._current_frames", (), "thread"),
    Entry("sys._current_exceptions", (), "thread"),
    Entry(
        "time.sleep",
        ("secs",),
        "thread",
        (Attribute("python.audit.sleep.seconds", "secs", "seconds"),),
        noise=True,
        since=(3, 13),
    ),
)

_MEMORY = (
    Entry(
        "mmap.__new__",
        ("fileno", "length", "access", "offset"),
        "memory",
        (
            Attribute("python.audit.file.descriptor", "fileno", "integer"),
            Attribute("python.audit.size", "length", "integer"),
        ),
        display=("{python.audit.file.descriptor}", " {python.audit.size}"),
    ),
    Entry(
        "array.__new__",
        ("typecode", "initializer"),
        "memory",
        (Attribute("python.audit.typecode", "typecode"),),
        withheld=("initializer",),
        noise=True,
    ),
    Entry(
        "gc.get_objects",
        ("generation",),
        "memory",
        (Attribute("cpython.gc.generation", "generation", "generation"),),
        noise=True,
    ),
    Entry("gc.get_referents", ("objs",), "memory", withheld=("objs",), noise=True),
    Entry("gc.get_referrers", ("objs",), "memory", withheld=("objs",), noise=True),
    Entry(
        "builtins.id",
        ("id",),
        "memory",
        (Attribute("python.audit.pointer", "id", "pointer"),),
        noise=True,
    ),
)

_ENVIRONMENT = (
    Entry("os.putenv", ("key", "value"), "os", _VARIABLE, withheld=("value",)),
    Entry("os.unsetenv", ("key",), "os", _VARIABLE),
    Entry("os._clearenv", (), "os", since=(3, 15)),
    Entry("resource.setrlimit", ("resource", "limits"), "os", _RESOURCE, display=_SHOWN_RESOURCE),
    Entry(
        "resource.prlimit",
        ("pid", "resource", "limits"),
        "os",
        (*_RESOURCE, Attribute("python.audit.target.pid", "pid", "integer")),
        display=(*_SHOWN_RESOURCE, " of {python.audit.target.pid}"),
    ),
    Entry(
        "fcntl.fcntl",
        ("fd", "cmd", "arg"),
        "os",
        (_DESCRIPTOR, Attribute("python.audit.command", "cmd", "integer")),
        display=("{python.audit.file.descriptor}", " {python.audit.command}"),
        withheld=("arg",),
    ),
    Entry(
        "fcntl.ioctl",
        ("fd", "request", "arg"),
        "os",
        (_DESCRIPTOR, Attribute("python.audit.command", "request", "integer")),
        display=("{python.audit.file.descriptor}", " {python.audit.command}"),
        withheld=("arg",),
    ),
)

_LOGS = (
    Entry("syslog.closelog", (), "os"),
    Entry(
        "syslog.openlog",
        ("ident", "logoption", "facility"),
        "os",
        (Attribute("python.audit.syslog.ident", "ident"),),
    ),
    Entry("syslog.setlogmask", ("maskpri",), "os"),
    Entry(
        "syslog.syslog",
        ("priority", "message"),
        "os",
        (Attribute("python.audit.syslog.priority", "priority", "integer"),),
        withheld=("message",),
    ),
)

_TERMINAL = (
    Entry("builtins.input", ("prompt",), "os", (Attribute("python.audit.prompt", "prompt"),)),
    Entry("builtins.input/result", ("result",), "os", withheld=("result",)),
)

_INTERPRETERS = (
    Entry("cpython.PyInterpreterState_New", (), "os"),
    Entry("cpython.PyInterpreterState_Clear", (), "os"),
    # Only hooks in C see it.
    Entry("cpython._PySys_ClearAuditHooks", (), "os"),
    Entry(
        "cpython.PyConfig_Set",
        ("name", "value"),
        "os",
        (Attribute("python.audit.name", "name"),),
        severity="WARN",
        withheld=("value",),
        since=(3, 14),
    ),
)

ENTRIES = (*_THREADS, *_MEMORY, *_ENVIRONMENT, *_LOGS, *_TERMINAL, *_INTERPRETERS)
