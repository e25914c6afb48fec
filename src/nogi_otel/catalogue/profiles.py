"""Profiles: named selections of audit events, as data.

A profile lists events by name, by glob (``os.*``) and by class (``%network``). A glob or a class
takes no noise; a name does, and so does a profile with ``noise``. Events without an entry are of
the class ``%custom``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nogi_otel.catalogue.entry import Entry

CLASS_MARK = "%"
_GLOB_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Profile:
    """A named selection."""

    name: str
    summary: str
    """One sentence: what it is for."""
    include: tuple[str, ...]
    """Event names, globs and classes."""
    exclude: tuple[str, ...] = ()
    """Taken from what ``include`` selects."""
    noise: bool = False
    """Whether globs and classes take noise as well."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """By event: what must hold of its attributes, in the language of selections."""

    def selects(self, event: str, entry: Entry | None) -> bool:
        """Return whether the profile selects an event by name; ``entry`` is None for a custom one.

        A condition on the event's attributes is not looked at.
        """
        if any(_matches(item, event, entry) for item in self.exclude):
            return False
        quiet = self.noise or entry is None or not entry.noise
        return any(
            item == event or (quiet and _matches(item, event, entry)) for item in self.include
        )


def is_glob(item: str) -> bool:
    """Return whether an item of a selection is a glob."""
    return not _GLOB_CHARACTERS.isdisjoint(item)


def _matches(item: str, event: str, entry: Entry | None) -> bool:
    if item.startswith(CLASS_MARK):
        return item[1:] == ("custom" if entry is None else entry.event_class)
    return fnmatchcase(event, item) if is_glob(item) else item == event


# Opened for more than reading, or made by being opened.
_OPEN_TO_WRITE = 'python.audit.open.mode != "r" or python.audit.open.flags =~ "*O_CREAT*"'

# Not the interpreter reading its own code, nor a descriptor that a pipe is wrapped around.
_OPEN_OF_APPLICATION = (
    'file.path =~ "*" and (python.audit.open.mode != "r" or not (file.path =~ "*.py" '
    'or file.path =~ "*.pyc" or file.path =~ "*/lib/python3*" or file.path =~ "*/site-packages/*" '
    'or file.path =~ "/proc/self/*"))'
)

_INCIDENT = Profile(
    "incident",
    "What a service does to the world: connections, programs, files, hooks, and the application's "
    "own events; without what is hot, without duplicates and without Python's own files.",
    include=(
        # Network
        "socket.connect",
        "socket.bind",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "http.client.connect",
        "urllib.Request",
        "webbrowser.open",
        "smtplib.connect",
        "ftplib.connect",
        "imaplib.open",
        "poplib.connect",
        "nntplib.connect",
        "telnetlib.Telnet.open",
        # Programs and signals
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile/2",
        "os.system",
        "pty.spawn",
        "signal.pthread_kill",
        "_winapi.TerminateProcess",
        # Files
        "open",
        "os.chmod",
        "os.chown",
        "os.chflags",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "shutil.*",
        # Databases
        "sqlite3.connect",
        "sqlite3.load_extension",
        "sqlite3.enable_load_extension",
        # The process itself
        "os.putenv",
        "os.unsetenv",
        "os._clearenv",
        "resource.prlimit",
        "resource.setrlimit",
        "ctypes.dlopen",
        "builtins.breakpoint",
        "pdb.Pdb",
        "sys.addaudithook",
        "sys.excepthook",
        "sys.unraisablehook",
        "sys.setprofile",
        "sys.settrace",
        "sys.remote_exec",
        "cpython.remote_debugger_script",
        "setopencodehook",
        "%custom",
    ),
    # ddtrace's event bus: one event for every call of its API, with live objects.
    exclude=("dd.hook",),
    conditions={"open": _OPEN_OF_APPLICATION},
)

_SECURITY = Profile(
    "security",
    "What an intruder does: programs, code from elsewhere, hooks, foreign code, permissions, "
    "listening sockets and changed surroundings.",
    include=(
        "%process",
        "%ctypes",
        "pickle.find_class",
        "marshal.load",
        "code.__new__",
        "function.__new__",
        "builtins.breakpoint",
        "pdb.Pdb",
        "setopencodehook",
        "sys.addaudithook",
        "sys.excepthook",
        "sys.monitoring.register_callback",
        "sys.setprofile",
        "sys.settrace",
        "sys.unraisablehook",
        "sys._current_frames",
        "cpython.*",
        "socket.bind",
        "socket.connect",
        "socket.sethostname",
        "sqlite3.load_extension",
        "sqlite3.enable_load_extension",
        "open",
        "os.chmod",
        "os.chown",
        "os.chflags",
        "os.link",
        "os.symlink",
        "os.setxattr",
        "os.removexattr",
        "os.putenv",
        "os.unsetenv",
        "os._clearenv",
        "os.add_dll_directory",
        "mmap.__new__",
        "resource.*",
        "winreg.*",
        "_winapi.*",
    ),
    conditions={"open": _OPEN_TO_WRITE},
)

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        _INCIDENT,
        Profile(
            "network",
            "Sockets, name look-ups and protocols, each datagram and each send included.",
            include=(
                "%network",
                "socket.__new__",
                "socket.sendto",
                "socket.sendmsg",
                "http.client.send",
            ),
        ),
        Profile(
            "files",
            "Files and directories: opened, changed, listed, locked; imports open files too.",
            include=("%file", "os.listdir", "os.scandir", "mmap.__new__"),
        ),
        Profile(
            "processes",
            "Programs that are started, signals that are sent, threads that begin.",
            include=("%process", "%thread", "os.putenv", "os.unsetenv", "os._clearenv"),
        ),
        Profile(
            "database",
            "Connections of sqlite3, and those that drivers in Python open; queries raise none.",
            include=("%db", "socket.connect", "socket.getaddrinfo"),
        ),
        Profile(
            "imports",
            "Modules that are imported and libraries that are loaded.",
            include=(
                "%import",
                "import",
                "ctypes.dlopen",
                "os.add_dll_directory",
                "sqlite3.load_extension",
            ),
        ),
        _SECURITY,
        Profile("everything", "Every audit event, noise included.", include=("*",), noise=True),
    )
}
"""All profiles by name; the first is the default."""

DEFAULT_PROFILE = "incident"

DUPLICATES: Mapping[str, str] = {
    "_posixsubprocess.fork_exec": "subprocess.Popen",
    "os.posix_spawn": "subprocess.Popen",
    "_winapi.CreateProcess": "subprocess.Popen",
    "glob.glob": "glob.glob/2",
    "os.startfile": "os.startfile/2",
    "sqlite3.connect/handle": "sqlite3.connect",
    "socket.connect": "http.client.connect",
    "http.client.connect": "urllib.Request",
    "os.mkdir": "tempfile.mkdtemp",
    "open": "tempfile.mkstemp",
    "os.rename": "shutil.move",
    "os.rmdir": "shutil.rmtree",
}
"""By event: another event of the same call that tells more, raised in the same thread.

Only ``sqlite3.connect/handle``, ``glob.glob`` and ``os.startfile`` never come alone, so the profile
``incident`` leaves these out and keeps those of the others whose layer matters.
"""
