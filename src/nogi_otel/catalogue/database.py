"""SQLite, the one database of the standard library. Queries raise no audit event.

Source: ``Modules/_sqlite/connection.c``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Constant, Entry

_SQLITE = Constant("db.system.name", "sqlite")

ENTRIES = (
    Entry(
        "sqlite3.connect",
        ("database",),
        "db",
        (_SQLITE, Attribute("db.namespace", "database")),
        display=("{db.namespace}",),
    ),
    Entry("sqlite3.connect/handle", ("connection_handle",), "db", (_SQLITE,), display=()),
    Entry(
        "sqlite3.enable_load_extension",
        ("connection", "enabled"),
        "db",
        (_SQLITE, Attribute("python.audit.enabled", "enabled", "boolean")),
        severity="WARN",
        display=("{python.audit.enabled}",),
    ),
    Entry(
        "sqlite3.load_extension",
        ("connection", "path"),
        "db",
        (_SQLITE, Attribute("file.path", "path")),
        severity="WARN",
        display=("{file.path}",),
    ),
)
