"""Files and directories.

Sources: ``Modules/_io/fileio.c``, ``Modules/posixmodule.c``, ``Modules/fcntlmodule.c``,
``Lib/shutil.py``, ``Lib/tempfile.py``, ``Lib/glob.py``, ``Lib/os.py``, ``Lib/pathlib``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import ALL_ARGUMENTS, Attribute, Constant, Entry, Group

_DESCRIPTOR = "python.audit.file.descriptor"
_TARGET = "python.audit.target.path"
_XATTR = Attribute("python.audit.xattr.name", "attribute")

# Most functions of ``os`` take a path or the number of an open file.
_PATH = (Attribute("file.path", "path"), Attribute(_DESCRIPTOR, "path", "integer"))
_SHOWN_PATH = "{file.path|python.audit.file.descriptor}"
_MODE = Attribute("file.mode", "mode", "permissions")
_FROM_TO = (Attribute("file.path", "src"), Attribute(_TARGET, "dst"))
_SHOWN_FROM_TO = ("{file.path}", " -> {python.audit.target.path}")

_OPEN = (
    Entry(
        "open",
        ("path", "mode", "flags"),
        "file",
        (
            *_PATH,
            Group(
                ("python.audit.open.mode", "python.audit.open.flags"), ALL_ARGUMENTS, "open_mode"
            ),
        ),
        display=(_SHOWN_PATH, " ({python.audit.open.mode})"),
    ),
    Entry(
        "os.truncate",
        ("path", "length"),
        "file",
        (*_PATH, Attribute("file.size", "length", "integer")),
        display=(_SHOWN_PATH, " to {file.size}"),
    ),
    Entry("tempfile.mkdtemp", ("fullpath",), "file", (Attribute("file.path", "fullpath"),)),
    Entry("tempfile.mkstemp", ("fullpath",), "file", (Attribute("file.path", "fullpath"),)),
)

_NAMES = (
    Entry(
        "os.link",
        ("src", "dst", "src_dir_fd", "dst_dir_fd"),
        "file",
        _FROM_TO,
        display=_SHOWN_FROM_TO,
    ),
    Entry(
        "os.rename",
        ("src", "dst", "src_dir_fd", "dst_dir_fd"),
        "file",
        _FROM_TO,
        display=_SHOWN_FROM_TO,
    ),
    Entry(
        "os.symlink",
        ("src", "dst", "dir_fd"),
        "file",
        (
            Attribute("file.path", "dst"),
            Attribute("file.symbolic_link.target_path", "src"),
        ),
        display=("{file.path}", " -> {file.symbolic_link.target_path}"),
    ),
    Entry("os.remove", ("path", "dir_fd"), "file", _PATH),
    Entry("os.rmdir", ("path", "dir_fd"), "file", _PATH),
    Entry("os.mkdir", ("path", "mode", "dir_fd"), "file", (*_PATH, _MODE)),
    Entry(
        "os.chdir",
        ("path",),
        "file",
        (
            Attribute("process.working_directory", "path"),
            Attribute(_DESCRIPTOR, "path", "integer"),
        ),
        display=("{process.working_directory|python.audit.file.descriptor}",),
    ),
)

_PROPERTIES = (
    Entry(
        "os.chmod",
        ("path", "mode", "dir_fd"),
        "file",
        (*_PATH, _MODE),
        display=(_SHOWN_PATH, " {file.mode}"),
    ),
    Entry(
        "os.chown",
        ("path", "uid", "gid", "dir_fd"),
        "file",
        (
            *_PATH,
            Attribute("file.owner.id", "uid", "identifier"),
            Attribute("file.group.id", "gid", "identifier"),
        ),
        display=(_SHOWN_PATH, " {file.owner.id}", ":{file.group.id}"),
    ),
    Entry(
        "os.chflags",
        ("path", "flags"),
        "file",
        (*_PATH, Attribute("python.audit.file.flags", "flags", "pointer")),
        display=(_SHOWN_PATH, " {python.audit.file.flags}"),
    ),
    Entry("os.utime", ("path", "times", "ns", "dir_fd"), "file", _PATH),
    Entry(
        "os.getxattr",
        ("path", "attribute"),
        "file",
        (*_PATH, _XATTR),
        display=(_SHOWN_PATH, " {python.audit.xattr.name}"),
    ),
    Entry("os.listxattr", ("path",), "file", _PATH),
    Entry(
        "os.removexattr",
        ("path", "attribute"),
        "file",
        (*_PATH, _XATTR),
        display=(_SHOWN_PATH, " {python.audit.xattr.name}"),
    ),
    Entry(
        "os.setxattr",
        ("path", "attribute", "value", "flags"),
        "file",
        (*_PATH, _XATTR),
        display=(_SHOWN_PATH, " {python.audit.xattr.name}"),
        withheld=("value",),
    ),
)

_LISTINGS = (
    Entry("os.listdir", ("path",), "file", _PATH, noise=True),
    Entry("os.scandir", ("path",), "file", _PATH, noise=True),
    Entry(
        "os.walk",
        ("top", "topdown", "onerror", "followlinks"),
        "file",
        (Attribute("file.directory", "top"),),
    ),
    Entry(
        "os.fwalk",
        ("top", "topdown", "onerror", "follow_symlinks", "dir_fd"),
        "file",
        (Attribute("file.directory", "top"),),
    ),
    Entry(
        "glob.glob",
        ("pathname", "recursive"),
        "file",
        (Attribute("python.audit.pattern", "pathname"),),
    ),
    Entry(
        "glob.glob/2",
        ("pathname", "recursive", "root_dir", "dir_fd"),
        "file",
        (
            Attribute("python.audit.pattern", "pathname"),
            Attribute("file.directory", "root_dir"),
        ),
        display=("{python.audit.pattern}", " in {file.directory}"),
    ),
    Entry(
        "pathlib.Path.glob",
        ("self", "pattern"),
        "file",
        (
            Attribute("file.directory", "self"),
            Attribute("python.audit.pattern", "pattern"),
        ),
        display=("{python.audit.pattern}", " in {file.directory}"),
    ),
    Entry(
        "pathlib.Path.rglob",
        ("self", "pattern"),
        "file",
        (
            Attribute("file.directory", "self"),
            Attribute("python.audit.pattern", "pattern"),
        ),
        display=("{python.audit.pattern}", " in {file.directory}"),
    ),
    Entry(
        "pathlib.Path.walk",
        ("self", "on_error", "follow_symlinks"),
        "file",
        (Attribute("file.directory", "self"),),
        since=(3, 12),
    ),
)

_LOCKS = (
    Entry(
        "fcntl.flock",
        ("fd", "operation"),
        "file",
        (
            Attribute(_DESCRIPTOR, "fd", "integer"),
            Attribute("file.lock.mode", "operation", "lock"),
            Constant("file.lock.mechanism", "flock"),
        ),
        display=("{python.audit.file.descriptor}", " {file.lock.mode}"),
    ),
    Entry(
        "fcntl.lockf",
        ("fd", "cmd", "len", "start", "whence"),
        "file",
        (
            Attribute(_DESCRIPTOR, "fd", "integer"),
            Attribute("file.lock.mode", "cmd", "lock"),
            Constant("file.lock.mechanism", "fcntl"),
        ),
        display=("{python.audit.file.descriptor}", " {file.lock.mode}"),
    ),
    Entry("os.lockf", ("fd", "cmd", "len"), "file", (Attribute(_DESCRIPTOR, "fd", "integer"),)),
)

_TREES = (
    Entry("shutil.copyfile", ("src", "dst"), "file", _FROM_TO, display=_SHOWN_FROM_TO),
    Entry("shutil.copymode", ("src", "dst"), "file", _FROM_TO, display=_SHOWN_FROM_TO),
    Entry("shutil.copystat", ("src", "dst"), "file", _FROM_TO, display=_SHOWN_FROM_TO),
    Entry("shutil.copytree", ("src", "dst"), "file", _FROM_TO, display=_SHOWN_FROM_TO),
    Entry("shutil.move", ("src", "dst"), "file", _FROM_TO, display=_SHOWN_FROM_TO),
    # Python 3.10 gives no dir_fd.
    Entry("shutil.rmtree", ("path", "dir_fd"), "file", _PATH),
    Entry(
        "shutil.chown",
        ("path", "user", "group"),
        "file",
        (
            *_PATH,
            Attribute("file.owner.name", "user"),
            Attribute("file.owner.id", "user", "identifier"),
            Attribute("file.group.name", "group"),
            Attribute("file.group.id", "group", "identifier"),
        ),
        display=(
            _SHOWN_PATH,
            " {file.owner.name|file.owner.id}",
            ":{file.group.name|file.group.id}",
        ),
    ),
    Entry(
        "shutil.make_archive",
        ("base_name", "format", "root_dir", "base_dir"),
        "file",
        (
            Attribute("file.path", "base_name"),
            Attribute("python.audit.archive.format", "format"),
            Attribute("file.directory", "root_dir"),
        ),
        display=("{file.path}", " ({python.audit.archive.format})", " from {file.directory}"),
    ),
    Entry(
        "shutil.unpack_archive",
        ("filename", "extract_dir", "format"),
        "file",
        (
            Attribute("file.path", "filename"),
            Attribute(_TARGET, "extract_dir"),
            Attribute("python.audit.archive.format", "format"),
        ),
        display=("{file.path}", " -> {python.audit.target.path}"),
    ),
)

ENTRIES = (*_OPEN, *_NAMES, *_PROPERTIES, *_LISTINGS, *_LOCKS, *_TREES)
