"""What only Windows raises: its processes, files, synchronisation objects and registry.

Sources: ``Modules/_winapi.c``, ``PC/winreg.c``, ``PC/msvcrtmodule.c``, ``PC/_wmimodule.cpp``,
``Modules/posixmodule.c``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import Attribute, Entry

_HANDLE = "python.audit.handle"
_NAME = (Attribute("python.audit.name", "name"),)
_FD = Attribute("python.audit.file.descriptor", "fd", "integer")

_WINAPI = (
    Entry(
        "_winapi.CreateProcess",
        ("application_name", "command_line", "current_directory"),
        "process",
        (
            Attribute("process.executable.path", "application_name"),
            Attribute("process.command_line", "command_line"),
            Attribute("process.working_directory", "current_directory"),
        ),
        display=("{process.command_line|process.executable.path}",),
    ),
    Entry(
        "_winapi.OpenProcess",
        ("process_id", "desired_access"),
        "process",
        (Attribute("python.audit.target.pid", "process_id", "integer"),),
    ),
    Entry(
        "_winapi.TerminateProcess",
        ("handle", "exit_code"),
        "process",
        (
            Attribute(_HANDLE, "handle", "pointer"),
            Attribute("python.audit.target.exit_code", "exit_code", "integer"),
        ),
        severity="WARN",
        display=("{python.audit.handle}", " {python.audit.target.exit_code}"),
    ),
    Entry(
        "_winapi.CreateFile",
        (
            "file_name",
            "desired_access",
            "share_mode",
            "creation_disposition",
            "flags_and_attributes",
        ),
        "file",
        (Attribute("file.path", "file_name"),),
    ),
    Entry(
        "_winapi.CopyFile2",
        ("existing_file_name", "new_file_name", "flags"),
        "file",
        (
            Attribute("file.path", "existing_file_name"),
            Attribute("python.audit.target.path", "new_file_name"),
        ),
        display=("{file.path}", " -> {python.audit.target.path}"),
        since=(3, 12),
    ),
    Entry(
        "_winapi.CreateJunction",
        ("src_path", "dst_path"),
        "file",
        (
            Attribute("file.path", "dst_path"),
            Attribute("file.symbolic_link.target_path", "src_path"),
        ),
        display=("{file.path}", " -> {file.symbolic_link.target_path}"),
    ),
    Entry("_winapi.CreateNamedPipe", ("name", "open_mode", "pipe_mode"), "os", _NAME),
    Entry("_winapi.CreatePipe", (), "os"),
    Entry(
        "_winapi.CreateEventW",
        ("manual_reset", "initial_state", "name"),
        "os",
        _NAME,
        since=(3, 13),
    ),
    Entry("_winapi.CreateMutexW", ("initial_owner", "name"), "os", _NAME, since=(3, 13)),
    Entry("_winapi.OpenEventW", ("desired_access", "name"), "os", _NAME, since=(3, 13)),
    Entry("_winapi.OpenMutexW", ("desired_access", "name"), "os", _NAME, since=(3, 13)),
)

_OS = (
    Entry("os.add_dll_directory", ("path",), "file", (Attribute("file.directory", "path"),)),
    Entry("os.listdrives", (), "file", since=(3, 12)),
    Entry(
        "os.listmounts",
        ("volume",),
        "file",
        (Attribute("python.audit.volume", "volume"),),
        since=(3, 12),
    ),
    Entry("os.listvolumes", (), "file", since=(3, 12)),
    Entry("msvcrt.get_osfhandle", ("fd",), "file", (_FD,)),
    Entry("msvcrt.locking", ("fd", "mode", "nbytes"), "file", (_FD,)),
    Entry(
        "msvcrt.open_osfhandle",
        ("handle", "flags"),
        "file",
        (Attribute(_HANDLE, "handle", "pointer"),),
    ),
    Entry(
        "_wmi.exec_query",
        ("query",),
        "os",
        (Attribute("python.audit.query", "query"),),
        since=(3, 12),
    ),
)

_KEY = Attribute("python.audit.registry.key", "key", "registry_key")
_SUBKEY = Attribute("python.audit.registry.subkey", "sub_key")
_SHOWN_SUBKEY = ("{python.audit.registry.key}", "\\{python.audit.registry.subkey}")

_REGISTRY = (
    Entry(
        "winreg.ConnectRegistry",
        ("computer_name", "key"),
        "os",
        (_KEY, Attribute("server.address", "computer_name")),
        display=("{server.address}", " {python.audit.registry.key}"),
    ),
    *(
        Entry(event, ("key", "sub_key", "access"), "os", (_KEY, _SUBKEY), display=_SHOWN_SUBKEY)
        for event in ("winreg.CreateKey", "winreg.DeleteKey", "winreg.OpenKey")
    ),
    *(
        Entry(event, ("key",), "os", (_KEY,))
        for event in (
            "winreg.DisableReflectionKey",
            "winreg.EnableReflectionKey",
            "winreg.OpenKey/result",
            "winreg.PyHKEY.Detach",
            "winreg.QueryInfoKey",
            "winreg.QueryReflectionKey",
        )
    ),
    *(
        Entry(event, ("key", "index"), "os", (_KEY,))
        for event in ("winreg.EnumKey", "winreg.EnumValue")
    ),
    Entry(
        "winreg.DeleteValue",
        ("key", "value"),
        "os",
        (_KEY, Attribute("python.audit.registry.value", "value")),
        display=("{python.audit.registry.key}", " {python.audit.registry.value}"),
    ),
    Entry(
        "winreg.QueryValue",
        ("key", "sub_key", "value_name"),
        "os",
        (_KEY, _SUBKEY, Attribute("python.audit.registry.value", "value_name")),
        display=(*_SHOWN_SUBKEY, " {python.audit.registry.value}"),
    ),
    Entry(
        "winreg.SetValue",
        ("key", "sub_key", "type", "value"),
        "os",
        (_KEY, _SUBKEY),
        display=_SHOWN_SUBKEY,
        withheld=("value",),
    ),
    Entry(
        "winreg.LoadKey",
        ("key", "sub_key", "file_name"),
        "os",
        (_KEY, _SUBKEY, Attribute("file.path", "file_name")),
        display=(*_SHOWN_SUBKEY, " from {file.path}"),
    ),
    Entry(
        "winreg.SaveKey",
        ("key", "file_name"),
        "os",
        (_KEY, Attribute("file.path", "file_name")),
        display=("{python.audit.registry.key}", " -> {file.path}"),
    ),
    Entry(
        "winreg.ExpandEnvironmentStrings",
        ("str",),
        "os",
        (Attribute("python.audit.text", "str"),),
    ),
)

ENTRIES = (*_WINAPI, *_OS, *_REGISTRY)
