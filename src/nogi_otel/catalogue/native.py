"""``ctypes``: foreign code and raw memory, past every check of the interpreter.

Ordinary calls of foreign functions raise no audit event. Sources: ``Modules/_ctypes/callproc.c``,
``Modules/_ctypes/_ctypes.c``, ``Lib/ctypes/__init__.py``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Entry, Severity

_WARN: Severity = "WARN"
_SIZE = Attribute("python.audit.size", "size", "integer")
_POINTER = "python.audit.pointer"
_SYMBOL = Attribute("python.audit.symbol", "name")
_SHOWN_RANGE = ("{python.audit.pointer}", " {python.audit.size}")
_OBJECT = (Attribute("python.audit.object.type", "obj", "type"),)

ENTRIES = (
    Entry(
        "ctypes.dlopen",
        ("name",),
        "ctypes",
        (Attribute("python.audit.library", "name"),),
        severity=_WARN,
    ),
    Entry("ctypes.dlsym", ("library", "name"), "ctypes", (_SYMBOL,), severity=_WARN),
    Entry(
        "ctypes.dlsym/handle",
        ("handle", "name"),
        "ctypes",
        (_SYMBOL, Attribute("python.audit.handle", "handle", "pointer")),
        severity=_WARN,
    ),
    Entry(
        "ctypes.call_function",
        ("func_pointer", "arguments"),
        "ctypes",
        (Attribute(_POINTER, "func_pointer", "pointer"),),
        severity=_WARN,
        withheld=("arguments",),
    ),
    Entry(
        "ctypes.cdata",
        ("address",),
        "ctypes",
        (Attribute(_POINTER, "address", "pointer"),),
        severity=_WARN,
        noise=True,
    ),
    Entry(
        "ctypes.cdata/buffer",
        ("pointer", "size", "offset"),
        "ctypes",
        (Attribute(_POINTER, "pointer", "pointer"), _SIZE),
        severity=_WARN,
        display=_SHOWN_RANGE,
        noise=True,
    ),
    Entry(
        "ctypes.string_at",
        ("ptr", "size"),
        "ctypes",
        (Attribute(_POINTER, "ptr", "pointer"), _SIZE),
        severity=_WARN,
        display=_SHOWN_RANGE,
    ),
    Entry(
        "ctypes.wstring_at",
        ("ptr", "size"),
        "ctypes",
        (Attribute(_POINTER, "ptr", "pointer"), _SIZE),
        severity=_WARN,
        display=_SHOWN_RANGE,
    ),
    Entry(
        "ctypes.memoryview_at",
        ("address", "size", "readonly"),
        "ctypes",
        (Attribute(_POINTER, "address", "pointer"), _SIZE),
        severity=_WARN,
        display=_SHOWN_RANGE,
        since=(3, 14),
    ),
    Entry("ctypes.addressof", ("obj",), "ctypes", _OBJECT, severity=_WARN),
    Entry("ctypes.PyObj_FromPtr", ("obj",), "ctypes", _OBJECT, severity=_WARN),
    Entry(
        "ctypes.create_string_buffer",
        ("init", "size"),
        "ctypes",
        (_SIZE,),
        severity=_WARN,
        withheld=("init",),
    ),
    Entry(
        "ctypes.create_unicode_buffer",
        ("init", "size"),
        "ctypes",
        (_SIZE,),
        severity=_WARN,
        withheld=("init",),
    ),
    Entry("ctypes.get_errno", (), "ctypes", severity=_WARN, noise=True),
    Entry(
        "ctypes.set_errno",
        ("errno",),
        "ctypes",
        (Attribute("python.audit.errno", "errno", "integer"),),
        severity=_WARN,
        noise=True,
    ),
    Entry("ctypes.get_last_error", (), "ctypes", severity=_WARN, noise=True),
    Entry(
        "ctypes.set_last_error",
        ("error",),
        "ctypes",
        (Attribute("python.audit.errno", "error", "integer"),),
        severity=_WARN,
        noise=True,
    ),
    Entry(
        "ctypes.set_exception",
        ("code",),
        "ctypes",
        (Attribute("python.audit.errno", "code", "integer"),),
        severity=_WARN,
    ),
)
