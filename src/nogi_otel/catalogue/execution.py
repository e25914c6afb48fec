"""Imports, code that is made or run, and the hooks that watch it.

Sources: ``Python/import.c``, ``Python/bltinmodule.c``, ``Python/sysmodule.c``,
``Objects/codeobject.c``, ``Objects/funcobject.c``, ``Modules/_pickle.c``, ``Python/marshal.c``,
``Modules/main.c``, ``Python/pythonrun.c``, ``Python/errors.c``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Entry, Group

_CODE_KEYS = ("code.file.path", "code.line.number", "code.function.name")
_SHOWN_CODE = ("{code.function.name}", " {code.file.path}", ":{code.line.number}")
_NAME = Attribute("python.audit.name", "name")
_FILE = (Attribute("file.path", "filename"),)

_IMPORTS = (
    Entry(
        "import",
        ("module", "filename", "sys.path", "sys.meta_path", "sys.path_hooks"),
        "import",
        (
            Attribute("python.audit.module", "module"),
            # Only extension modules come with the file that they are loaded from.
            Attribute("file.path", "filename"),
        ),
        display=("{python.audit.module}", " {file.path}"),
        noise=True,
    ),
    Entry(
        "pickle.find_class",
        ("module", "name"),
        "code",
        (Attribute("python.audit.module", "module"), _NAME),
        display=("{python.audit.module}", ".{python.audit.name}"),
        noise=True,
    ),
    Entry("marshal.load", (), "code", noise=True),
    Entry("marshal.loads", ("bytes",), "code", withheld=("bytes",), noise=True),
    Entry("marshal.dumps", ("value", "version"), "code", withheld=("value",), noise=True),
)

_CODE = (
    Entry(
        "compile",
        ("source", "filename"),
        "code",
        (Attribute("code.file.path", "filename"),),
        withheld=("source",),
        noise=True,
    ),
    Entry(
        "exec",
        ("code_object",),
        "code",
        (Group(_CODE_KEYS, "code_object", "code"),),
        display=_SHOWN_CODE,
        noise=True,
    ),
    Entry(
        "code.__new__",
        (
            "code",
            "filename",
            "name",
            "argcount",
            "posonlyargcount",
            "kwonlyargcount",
            "nlocals",
            "stacksize",
            "flags",
        ),
        "code",
        (Attribute("code.file.path", "filename"), Attribute("code.function.name", "name")),
        display=("{code.function.name}", " {code.file.path}"),
        noise=True,
    ),
    Entry(
        "function.__new__",
        ("code",),
        "code",
        (Group(_CODE_KEYS, "code", "code"),),
        display=_SHOWN_CODE,
        noise=True,
    ),
    Entry(
        "object.__getattr__",
        ("obj", "name"),
        "code",
        (_NAME, Attribute("python.audit.object.type", "obj", "type")),
        display=("{python.audit.object.type}", ".{python.audit.name}"),
        noise=True,
    ),
    Entry(
        "object.__setattr__",
        ("obj", "name", "value"),
        "code",
        (_NAME, Attribute("python.audit.object.type", "obj", "type")),
        display=("{python.audit.object.type}", ".{python.audit.name}"),
        withheld=("value",),
        noise=True,
    ),
    Entry(
        "object.__delattr__",
        ("obj", "name"),
        "code",
        (_NAME, Attribute("python.audit.object.type", "obj", "type")),
        display=("{python.audit.object.type}", ".{python.audit.name}"),
        noise=True,
    ),
    Entry("sys._getframe", ("frame",), "code", noise=True),
    Entry(
        "sys._getframemodulename",
        ("depth",),
        "code",
        (Attribute("python.audit.depth", "depth", "integer"),),
        noise=True,
        since=(3, 12),
    ),
)

_HOOKS = (
    Entry("sys.addaudithook", (), "code", severity="WARN"),
    Entry("sys.settrace", (), "code", severity="WARN"),
    Entry("sys.setprofile", (), "code", severity="WARN"),
    Entry(
        "sys.monitoring.register_callback",
        ("func",),
        "code",
        (Group(_CODE_KEYS, "func", "code"),),
        severity="WARN",
        display=_SHOWN_CODE,
        since=(3, 12),
    ),
    Entry("setopencodehook", (), "code", severity="WARN"),
    Entry(
        "builtins.breakpoint",
        ("breakpointhook",),
        "code",
        (Group(_CODE_KEYS, "breakpointhook", "code"),),
        severity="WARN",
        display=_SHOWN_CODE,
    ),
    Entry("pdb.Pdb", (), "code", severity="WARN"),
    Entry(
        "sys.excepthook",
        ("hook", "type", "value", "traceback"),
        "code",
        (Attribute("exception.type", "value", "type"),),
        severity="WARN",
    ),
    Entry("sys.unraisablehook", ("hook", "unraisable"), "code", severity="WARN"),
    Entry("sys.set_asyncgen_hook_firstiter", (), "code", noise=True),
    Entry("sys.set_asyncgen_hook_finalizer", (), "code", noise=True),
)

_PROGRAM = (
    Entry("cpython.run_command", ("command",), "code", withheld=("command",)),
    Entry("cpython.run_file", ("filename",), "code", _FILE),
    Entry(
        "cpython.run_interactivehook",
        ("hook",),
        "code",
        (Group(_CODE_KEYS, "hook", "code"),),
        display=_SHOWN_CODE,
    ),
    Entry(
        "cpython.run_module",
        ("module-name",),
        "code",
        (Attribute("python.audit.module", "module-name"),),
    ),
    Entry("cpython.run_startup", ("filename",), "code", _FILE),
    Entry("cpython.run_stdin", (), "code"),
)

ENTRIES = (*_IMPORTS, *_CODE, *_HOOKS, *_PROGRAM)
