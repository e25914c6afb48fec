"""What the arguments of audit events become: addresses, modes, commands, code, and lines."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from nogi_otel.capture.values import Clipped, CodeRef, Opaque, SocketRef
from nogi_otel.catalogue import describe
from nogi_otel.catalogue.decoders import DECODERS, decode_open_mode, decode_strings
from nogi_otel.catalogue.platform_numbers import (
    ADDRESS_FAMILIES,
    LOCK_OPERATIONS,
    OPEN_FLAGS,
    RESOURCES,
    SIGNALS,
    SOCKET_KINDS,
)
from nogi_otel.catalogue.text import MAX_TEXT_BYTES, clean_line, clean_text, mark_cut

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value
    from nogi_otel.catalogue.entry import AttributeValue

INET = int(socket.AF_INET)
INET6 = int(socket.AF_INET6)
UNIX = int(socket.AF_UNIX)
STREAM = int(socket.SOCK_STREAM)
DGRAM = int(socket.SOCK_DGRAM)
REDACTED = "[REDACTED:test]"


def sock(family: int, kind: int = STREAM, protocol: int = 0) -> SocketRef:
    """Return a reference to a socket of the standard library's type."""
    return SocketRef("socket.socket", family, kind, protocol)


@pytest.mark.parametrize(
    ("socket_", "address", "attributes", "display"),
    [
        (
            sock(INET),
            ("127.0.0.1", 443),
            {
                "network.peer.address": "127.0.0.1",
                "network.peer.port": 443,
                "network.transport": "tcp",
                "network.type": "ipv4",
            },
            "127.0.0.1:443",
        ),
        (
            sock(INET6, DGRAM),
            ("::1", 53, 0, 0),
            {
                "network.peer.address": "::1",
                "network.peer.port": 53,
                "network.transport": "udp",
                "network.type": "ipv6",
            },
            "[::1]:53",
        ),
        (
            sock(INET6),
            ("fe80::1%eth0", 80, 0, 2),
            {
                "network.peer.address": "fe80::1%eth0",
                "network.peer.port": 80,
                "network.transport": "tcp",
                "network.type": "ipv6",
            },
            "[fe80::1%eth0]:80",
        ),
        (
            sock(INET6),
            ("fe80::1", 80, 0, 2),
            {
                "network.peer.address": "fe80::1%2",
                "network.peer.port": 80,
                "network.transport": "tcp",
                "network.type": "ipv6",
            },
            "[fe80::1%2]:80",
        ),
        (
            sock(INET),
            ("db.internal", 5432),
            {
                "server.address": "db.internal",
                "server.port": 5432,
                "network.transport": "tcp",
                "network.type": "ipv4",
            },
            "db.internal:5432",
        ),
        (
            sock(INET, int(socket.SOCK_RAW), 1),
            (b"10.0.0.1", 0),
            {
                "network.peer.address": "10.0.0.1",
                "network.peer.port": 0,
                "network.type": "ipv4",
            },
            "10.0.0.1:0",
        ),
        (
            sock(UNIX),
            "/run/docker.sock",
            {"network.peer.address": "/run/docker.sock", "network.transport": "unix"},
            "/run/docker.sock",
        ),
        (
            sock(UNIX, DGRAM),
            b"\0systemd",
            {"network.peer.address": "@systemd", "network.transport": "unix"},
            "@systemd",
        ),
        (
            sock(UNIX),
            "\0bus\n\0x",
            {"network.peer.address": "@bus\n\ufffdx", "network.transport": "unix"},
            "@bus \ufffdx",
        ),
        (
            sock(INET),
            REDACTED,
            {
                "network.peer.address": REDACTED,
                "network.transport": "tcp",
                "network.type": "ipv4",
            },
            REDACTED,
        ),
        (
            sock(INET),
            (REDACTED, REDACTED),
            {"server.address": REDACTED, "network.transport": "tcp", "network.type": "ipv4"},
            REDACTED,
        ),
        (
            Opaque("gevent.socket"),
            ("192.0.2.7", 1),
            {
                "network.peer.address": "192.0.2.7",
                "network.peer.port": 1,
                "network.type": "ipv4",
            },
            "192.0.2.7:1",
        ),
        (Opaque("Stub"), "/run/x", {"network.peer.address": "/run/x"}, "/run/x"),
        (
            sock(INET),
            ("1.2.3.4", 99999),
            {
                "network.peer.address": "1.2.3.4",
                "network.transport": "tcp",
                "network.type": "ipv4",
            },
            "1.2.3.4",
        ),
        (sock(INET), None, {"network.transport": "tcp", "network.type": "ipv4"}, ""),
        (sock(INET), (), {"network.transport": "tcp", "network.type": "ipv4"}, ""),
        (
            sock(9999),
            (1, 2),
            {"python.audit.socket.family": "AF_9999", "python.audit.socket.address": "1 2"},
            "AF_9999 1 2",
        ),
    ],
)
def test_peer(
    socket_: Value, address: Value, attributes: dict[str, AttributeValue], display: str
) -> None:
    """An address becomes the peer of its family; a host's name is a server's address."""
    description = describe("socket.connect", (socket_, address))
    assert description.attributes == attributes
    assert list(description.attributes) == list(attributes)
    assert description.display == f"socket.connect {display}".strip()


@pytest.mark.skipif(sys.platform != "linux", reason="families of Linux")
@pytest.mark.parametrize(
    ("family", "address", "shown"),
    [
        ("AF_NETLINK", (0, 4), "AF_NETLINK 0 4"),
        ("AF_PACKET", ("lo", 3, 0, 1, b"\0\x1b"), "AF_PACKET lo 3 0 1 001b"),
        ("AF_VSOCK", (2, 1024), "AF_VSOCK 2 1024"),
        ("AF_CAN", ("can0",), "AF_CAN can0"),
        ("AF_ALG", ("hash", "sha256"), "AF_ALG hash sha256"),
        ("AF_TIPC", (1, 2, 3, 4), "AF_TIPC 1 2 3 4"),
        ("AF_BLUETOOTH", ("00:11:22:33:44:55", 1), "AF_BLUETOOTH 00:11:22:33:44:55 1"),
        ("AF_NETLINK", (Opaque("object"), None), "AF_NETLINK"),
        ("AF_NETLINK", REDACTED, f"AF_NETLINK {REDACTED}"),
    ],
)
def test_other_families(family: str, address: Value, shown: str) -> None:
    """A family other than IP and Unix is named, and its address is joined by blanks."""
    numbers = {name: number for number, name in ADDRESS_FAMILIES.items()}
    description = describe("socket.bind", (sock(numbers[family]), address))
    assert description.display == f"socket.bind {shown}"
    assert description.attributes["python.audit.socket.family"] == family
    assert not [key for key in description.attributes if key.startswith("network.")]


@pytest.mark.parametrize(
    ("socket_", "address", "local", "port"),
    [
        (sock(INET), ("", 0), "0.0.0.0", 0),  # noqa: S104 - what the system binds
        (sock(INET6), ("", 8080, 0, 0), "::", 8080),
        (sock(INET, DGRAM), ("<broadcast>", 9), "255.255.255.255", 9),
        (sock(UNIX), "/run/app.sock", "/run/app.sock", None),
        (sock(UNIX), "", None, None),
    ],
)
def test_local_address(socket_: Value, address: Value, local: str | None, port: int | None) -> None:
    """The address of a bind is local; an empty host means every address of the machine."""
    attributes = describe("socket.bind", (socket_, address)).attributes
    assert attributes.get("network.local.address") == local
    assert attributes.get("network.local.port") == port
    assert "network.peer.address" not in attributes


def test_bound_name_is_a_server() -> None:
    """A host's name to bind is a server's address."""
    description = describe("socket.bind", (sock(INET), ("localhost", 80)))
    assert description.attributes["server.address"] == "localhost"
    assert description.display == "socket.bind localhost:80"


def test_mptcp_is_tcp_and_sctp_is_neither() -> None:
    """The protocol tells which transport a stream is."""
    for protocol, transport in [(0, "tcp"), (6, "tcp"), (262, "tcp"), (132, None)]:
        attributes = describe(
            "socket.connect", (sock(INET, STREAM, protocol), ("1.2.3.4", 1))
        ).attributes
        assert attributes.get("network.transport") == transport


def test_flags_in_the_type_of_a_socket_are_ignored() -> None:
    """Linux takes ``SOCK_CLOEXEC`` and ``SOCK_NONBLOCK`` in the same number."""
    kind = STREAM | 0o2000000 | 0o4000
    attributes = describe("socket.connect", (sock(INET, kind), ("1.2.3.4", 1))).attributes
    assert attributes["network.transport"] == "tcp"


def test_new_socket() -> None:
    """A socket that is made has a family and a kind, and no address."""
    description = describe("socket.__new__", (sock(0, 0), INET, STREAM, 0))
    assert description.display == "socket.__new__ AF_INET SOCK_STREAM"


@pytest.mark.parametrize(
    ("event", "arguments", "attributes"),
    [
        (
            "socket.getaddrinfo",
            ("db.internal", 5432, 0, 1, 0),
            {
                "dns.question.name": "db.internal",
                "server.address": "db.internal",
                "server.port": 5432,
            },
        ),
        (
            "socket.getaddrinfo",
            (b"::1", "80", 0, 1, 0),
            {"server.address": "::1", "server.port": 80},
        ),
        (
            "socket.getaddrinfo",
            ("h", "https", 0, 1, 0),
            {"dns.question.name": "h", "server.address": "h"},
        ),
        ("socket.getaddrinfo", (None, None, 0, 1, 0), {}),
        (
            "socket.gethostbyname",
            ("host",),
            {"dns.question.name": "host", "server.address": "host"},
        ),
        ("socket.gethostbyaddr", ("10.1.1.1",), {"network.peer.address": "10.1.1.1"}),
        ("socket.gethostbyaddr", ("host",), {"dns.question.name": "host"}),
        (
            "socket.getnameinfo",
            (("::1", 22),),
            {
                "network.peer.address": "::1",
                "network.peer.port": 22,
                "network.type": "ipv6",
            },
        ),
        (
            "socket.getservbyname",
            ("https", "TCP"),
            {"network.protocol.name": "https", "network.transport": "tcp"},
        ),
        ("socket.getservbyport", (443, None), {"server.port": 443}),
        ("socket.sethostname", (b"web-1",), {"host.name": "web-1"}),
    ],
)
def test_name_lookups(
    event: str, arguments: tuple[Value, ...], attributes: dict[str, AttributeValue]
) -> None:
    """A host that is looked up is a question where it is a name, and an address where not."""
    assert describe(event, arguments).attributes == attributes


@pytest.mark.parametrize(
    ("url", "attributes"),
    [
        ("https://x.test/a?b#c", {"server.address": "x.test", "server.port": 443}),
        ("http://[::1]:8080/a", {"server.address": "::1", "server.port": 8080}),
        ("HTTP://u:p@h:81", {"server.address": "h", "server.port": 81}),
        ("ftp://h?x@y", {"server.address": "h"}),
        ("mailto:a@b.test", {}),
        ("http:///nohost", {"server.port": 80}),
        (REDACTED, {}),
    ],
)
def test_url(url: str, attributes: dict[str, AttributeValue]) -> None:
    """A URL names its host and port; it is given as it comes, for redaction has seen it."""
    description = describe("urllib.Request", (url, None, {}, "GET"))
    assert description.attributes == {
        "http.request.method": "GET",
        "url.full": url,
        **attributes,
    }
    assert description.display == f"urllib.Request GET {url}"


def test_unknown_method_is_other() -> None:
    """A method that is not well known is ``_OTHER``, and the original stands beside it."""
    description = describe("urllib.Request", ("http://h/", None, {}, "PURGE"))
    assert description.attributes["http.request.method"] == "_OTHER"
    assert description.attributes["http.request.method_original"] == "PURGE"
    assert description.display == "urllib.Request PURGE http://h/"


@pytest.mark.parametrize(
    ("type_name", "scheme"),
    [
        ("http.client.HTTPSConnection", "https"),
        ("urllib3.connection.HTTPConnection", "http"),
        ("app.Connection", None),
    ],
)
def test_http_connection(type_name: str, scheme: str | None) -> None:
    """The type of a connection tells the scheme."""
    description = describe("http.client.connect", (Opaque(type_name), "h", 8443))
    assert description.display == "http.client.connect h:8443"
    assert description.attributes.get("url.scheme") == scheme
    assert description.attributes["network.protocol.name"] == "http"


def test_payloads_give_no_attribute() -> None:
    """What is sent never becomes an attribute, even where redaction let it through."""
    for event in ("http.client.send", "smtplib.send", "ftplib.sendcmd", "imaplib.send"):
        description = describe(event, (Opaque("x"), b"PASS hunter2"))
        assert "hunter2" not in f"{description}"


@pytest.mark.parametrize(
    ("mode", "flags", "decoded"),
    [
        ("r", os.O_RDONLY | os.O_CLOEXEC, ("r", None)),
        ("rb", os.O_RDONLY, ("r", None)),
        ("rb+", os.O_RDWR, ("r+", None)),
        ("w", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ("w", None)),
        ("x", 0, ("x", None)),
        (None, os.O_RDONLY, ("r", "O_RDONLY")),
        (None, os.O_RDONLY | os.O_CREAT, ("r", "O_RDONLY|O_CREAT")),
        (None, os.O_WRONLY, ("w", "O_WRONLY")),
        (None, os.O_WRONLY | os.O_APPEND, ("a", "O_WRONLY|O_APPEND")),
        (None, os.O_RDWR, ("r+", "O_RDWR")),
        (None, os.O_RDWR | os.O_TRUNC, ("w+", "O_RDWR|O_TRUNC")),
        (None, os.O_RDWR | os.O_CREAT | os.O_EXCL, ("x+", "O_RDWR|O_CREAT|O_EXCL")),
        (None, os.O_RDONLY | os.O_SYNC, ("r", "O_RDONLY|O_SYNC")),
        (None, os.O_RDONLY | os.O_DSYNC, ("r", "O_RDONLY|O_DSYNC")),
        (None, os.O_RDONLY | os.O_DIRECTORY, ("r", "O_RDONLY|O_DIRECTORY")),
        (None, os.O_RDONLY | 1 << 40, ("r", "O_RDONLY|0o20000000000000")),
        (None, -1, (None, None)),
        (None, None, (None, None)),
        (REDACTED, REDACTED, (REDACTED, None)),
        (7, 0, (None, None)),
    ],
)
def test_open_mode(mode: Value, flags: Value, decoded: tuple[str | None, str | None]) -> None:
    """The mode of ``open`` is shown as it is, that of ``os.open`` is made from its flags."""
    assert decode_open_mode(("/x", mode, flags)) == decoded


@pytest.mark.skipif(sys.platform != "linux", reason="O_TMPFILE is Linux's")
def test_flags_of_a_temporary_file() -> None:
    """``O_TMPFILE`` contains ``O_DIRECTORY``, which is not named beside it."""
    flags = os.O_RDWR | os.O_TMPFILE | os.O_EXCL
    assert decode_open_mode(("/x", None, flags)) == ("x+", "O_RDWR|O_TMPFILE|O_EXCL")


@pytest.mark.parametrize(
    ("path", "display"),
    [
        ("/etc/hosts", "open /etc/hosts (r)"),
        (b"/etc/hosts", "open /etc/hosts (r)"),
        (b"/caf\xe9", "open /caf\ufffd (r)"),
        ("/caf\udce9", "open /caf\ufffd (r)"),
        (7, "open 7 (r)"),
        (True, "open (r)"),
        (Opaque("app.Path"), "open (r)"),
        (Clipped("/a" * 9, 4000), f"open {'/a' * 9}… (r)"),
        (Clipped(b"/a", 4000), "open /a… (r)"),
        ("/with\nbreak\x1b[2J\u2028\u202e", "open /with break\ufffd[2J \ufffd (r)"),
        ("/a\0b", "open /a\ufffdb (r)"),
    ],
    ids=repr,
)
def test_open_display(path: Value, display: str) -> None:
    """The line of ``open`` shows path or descriptor, and no control character."""
    assert describe("open", (path, "r", 0)).display == display


def test_descriptor_is_no_path() -> None:
    """The number of an open file has an attribute of its own."""
    attributes = describe("os.chmod", (7, 0o644, -1)).attributes
    assert attributes == {"python.audit.file.descriptor": 7, "file.mode": "0644"}


@pytest.mark.parametrize(
    ("executable", "arguments", "cwd", "attributes", "display"),
    [
        (
            "/usr/bin/curl",
            ("/usr/bin/curl", "-s", "http://h/"),
            "/srv",
            {
                "process.executable.path": "/usr/bin/curl",
                "process.command_args": ("/usr/bin/curl", "-s", "http://h/"),
                "process.args_count": 3,
                "process.working_directory": "/srv",
            },
            "subprocess.Popen /usr/bin/curl -s http://h/",
        ),
        (
            None,
            "cmd.exe /c dir",
            None,
            {"process.command_line": "cmd.exe /c dir"},
            "subprocess.Popen cmd.exe /c dir",
        ),
        (
            b"/bin/ls",
            (b"ls", b"-l"),
            b"/",
            {
                "process.executable.path": "/bin/ls",
                "process.command_args": ("ls", "-l"),
                "process.args_count": 2,
                "process.working_directory": "/",
            },
            "subprocess.Popen ls -l",
        ),
        (
            Opaque("app.Path"),
            (Opaque("app.Path"), "-v", 3, None),
            Opaque("app.Path"),
            {
                "process.command_args": ("<app.Path>", "-v", "3", "…"),
                "process.args_count": 4,
            },
            "subprocess.Popen <app.Path> -v 3 …",
        ),
        (
            "x",
            Clipped(("x", "a"), 500),
            None,
            {
                "process.executable.path": "x",
                "process.command_args": ("x", "a", "…"),
                "process.args_count": 500,
            },
            "subprocess.Popen x a …",
        ),
        (
            "/bin/x",
            REDACTED,
            None,
            {"process.executable.path": "/bin/x", "process.command_line": REDACTED},
            f"subprocess.Popen {REDACTED}",
        ),
        (
            "/bin/x",
            None,
            None,
            {"process.executable.path": "/bin/x"},
            "subprocess.Popen /bin/x",
        ),
        (
            "/bin/x",
            (),
            None,
            {
                "process.executable.path": "/bin/x",
                "process.command_args": (),
                "process.args_count": 0,
            },
            "subprocess.Popen /bin/x",
        ),
    ],
)
def test_popen(
    executable: Value,
    arguments: Value,
    cwd: Value,
    attributes: dict[str, AttributeValue],
    display: str,
) -> None:
    """A program's arguments come as a list, as one text, as bytes, or as foreign objects."""
    description = describe("subprocess.Popen", (executable, arguments, cwd, REDACTED))
    assert description.attributes == attributes
    assert description.display == display


def test_candidates_of_fork_exec() -> None:
    """One candidate is the program; several are only places where it may be."""
    one = describe("_posixsubprocess.fork_exec", ((b"/bin/true",), (b"true",), None))
    two = describe("_posixsubprocess.fork_exec", ((b"/a/true", b"/b/true"), (b"true",), None))
    assert one.attributes["process.executable.path"] == "/bin/true"
    assert "process.executable.path" not in two.attributes
    assert two.display == "_posixsubprocess.fork_exec true"


def test_arguments_share_the_limit() -> None:
    """All arguments together have at most 1,024 bytes, and the last tells that some are missing."""
    strings = decode_strings(("é" * 200,) * 20)
    assert strings is not None
    assert sum(len(text.encode()) for text in strings) <= MAX_TEXT_BYTES
    assert strings[:2] == ("é" * 200,) * 2
    assert strings[-1].endswith("…")
    full = decode_strings(("a" * 512, "b" * 512, "c"))
    assert full == ("a" * 512, "…")
    assert decode_strings(("a" * 1024,)) == ("a" * 1024,)
    assert decode_strings(("",) * 200) == ("",) * 64 + ("…",)


def test_sent_signal() -> None:
    """A signal has a name, its target a number that is not ``process.pid``."""
    description = describe("os.kill", (4242, int(signal.SIGTERM)))
    assert description.attributes == {
        "python.audit.signal": "SIGTERM",
        "python.audit.target.pid": 4242,
    }
    assert description.display == "os.kill SIGTERM 4242"
    assert describe("os.kill", (1, 0)).display == "os.kill 0 1"


def test_sqlite() -> None:
    """A connection of sqlite3 has the system and the database."""
    description = describe("sqlite3.connect", (":memory:",))
    assert description.attributes == {"db.system.name": "sqlite", "db.namespace": ":memory:"}
    assert description.display == "sqlite3.connect :memory:"
    assert describe("sqlite3.connect", (Opaque("app.Path"),)).attributes == {
        "db.system.name": "sqlite"
    }


def test_code() -> None:
    """Code has a file, a line and a name; a function of C has only its name."""
    description = describe("exec", (CodeRef("f.<locals>.g", "/srv/app.py", 12),))
    assert description.attributes == {
        "code.file.path": "/srv/app.py",
        "code.line.number": 12,
        "code.function.name": "f.<locals>.g",
    }
    assert description.display == "exec f.<locals>.g /srv/app.py:12"
    started = describe("_thread.start_new_thread", (CodeRef("work", "", 0), REDACTED, REDACTED))
    assert started.attributes == {"code.function.name": "work"}


@pytest.mark.parametrize(
    ("event", "arguments", "display"),
    [
        ("import", ("json", None, None, None, None), "import json"),
        ("import", ("_ssl", "/lib/_ssl.so", None, None, None), "import _ssl /lib/_ssl.so"),
        ("pickle.find_class", ("os", "system"), "pickle.find_class os.system"),
        ("ctypes.dlopen", ("libc.so.6",), "ctypes.dlopen libc.so.6"),
        ("ctypes.dlopen", (None,), "ctypes.dlopen"),
        ("ctypes.dlsym", (Opaque("ctypes.CDLL"), "getpid"), "ctypes.dlsym getpid"),
        ("ctypes.string_at", (0xDEAD, -1), "ctypes.string_at 0xdead -1"),
        ("os.system", (b"echo hi",), "os.system echo hi"),
        ("os.rename", ("/a", "/b", -1, -1), "os.rename /a -> /b"),
        ("os.symlink", ("/target", "/link", -1), "os.symlink /link -> /target"),
        ("os.chown", ("/a", 0, 4294967295, -1), "os.chown /a 0"),
        ("os.chown", (3, 0, 100, -1), "os.chown 3 0:100"),
        ("shutil.chown", ("/a", "www", None), "shutil.chown /a www"),
        ("shutil.rmtree", ("/a",), "shutil.rmtree /a"),
        ("shutil.copyfile", ("/a", Opaque("os.DirEntry")), "shutil.copyfile /a"),
        ("glob.glob/2", ("*.py", True, "/srv", None), "glob.glob/2 *.py in /srv"),
        ("tempfile.mkstemp", ("/tmp/x",), "tempfile.mkstemp /tmp/x"),  # noqa: S108 - a text
        ("os.putenv", (b"TOKEN", REDACTED), "os.putenv TOKEN"),
        ("os.truncate", (5, 100), "os.truncate 5 to 100"),
        ("fcntl.flock", (3, 6), "fcntl.flock 3 LOCK_EX|LOCK_NB"),
        ("time.sleep", (1,), "time.sleep 1.0"),
        ("gc.get_objects", (-1,), "gc.get_objects"),
        ("gc.get_objects", (2,), "gc.get_objects 2"),
        (
            "sys.excepthook",
            (Opaque("f"), Opaque("type"), Opaque("app.Oops"), None),
            "sys.excepthook app.Oops",
        ),
        (
            "object.__setattr__",
            (CodeRef("f", "", 0), "__code__", REDACTED),
            "object.__setattr__ .__code__",
        ),
        ("object.__getattr__", (Opaque("frame"), "f_code"), "object.__getattr__ frame.f_code"),
        (
            "winreg.OpenKey",
            (0xFFFFFFFF80000002, "SOFTWARE", 1),
            "winreg.OpenKey HKEY_LOCAL_MACHINE\\SOFTWARE",
        ),
        ("winreg.OpenKey/result", (0x1F4,), "winreg.OpenKey/result 0x1f4"),
        ("ftplib.connect", (Opaque("ftplib.FTP"), "::1", 21), "ftplib.connect [::1]:21"),
        ("os.fork", (), "os.fork"),
        ("os.fork", (1, 2, 3), "os.fork"),
    ],
)
def test_display(event: str, arguments: tuple[Value, ...], display: str) -> None:
    """The line tells an event from its likes."""
    assert describe(event, arguments).display == display


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_* of Linux")
def test_resource_limits() -> None:
    """A limit has a name and two numbers."""
    description = describe("resource.setrlimit", (int(resource.RLIMIT_NOFILE), (1024, -1)))
    assert description.attributes == {
        "python.audit.resource.name": "RLIMIT_NOFILE",
        "python.audit.resource.limits": (1024, -1),
    }
    assert describe("resource.prlimit", (7, 99, Opaque("x"))).display == (
        "resource.prlimit 99 of 7"
    )


@pytest.mark.parametrize("decoder", sorted(DECODERS))
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="none"),
        pytest.param(Opaque("x"), id="opaque"),
        pytest.param(Clipped((), 5), id="clipped-tuple"),
        pytest.param(Clipped({}, -5), id="clipped-dict"),
        pytest.param((), id="tuple"),
        pytest.param({}, id="dict"),
        pytest.param(10**5000, id="huge"),
        pytest.param(float("nan"), id="nan"),
    ],
)
def test_decoders_are_total(decoder: str, value: Value) -> None:
    """No decoder raises, whatever stands where it expects something else."""
    result = DECODERS[decoder](value)
    assert result is None or isinstance(result, (str, bool, int, float, tuple))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("tab\tand\nbreak", "tab\tand\nbreak"),
        ("a" * 1024, "a" * 1024),
        ("a" * 1025, "a" * 1021 + "…"),
        ("é" * 512, "é" * 512),
        ("é" * 513, "é" * 510 + "…"),
        ("😀" * 300, "😀" * 255 + "…"),
        ("\0" * 1024, "\ufffd" * 340 + "…"),
        ("\ud800" * 5000, "\ufffd" * 340 + "…"),
    ],
    ids=lambda text: f"{len(text)}{text[:2]!a}",
)
def test_clean_text(text: str, clean: str) -> None:
    """A text is valid UTF-8 of at most 1,024 bytes, cut on a character boundary, without NUL."""
    assert clean_text(text) == clean
    assert len(clean.encode()) <= MAX_TEXT_BYTES


def test_marked_cut_keeps_the_limit() -> None:
    """The mark of a text that the snapshot has cut counts."""
    assert mark_cut("a" * 1024) == "a" * 1021 + "…"
    assert mark_cut("a" * 1021) == "a" * 1021 + "…"
    assert mark_cut(clean_text("a" * 5000)) == "a" * 1021 + "…"


def test_clean_line() -> None:
    """A line has 256 printable characters at most."""
    assert clean_line("a" * 256) == "a" * 256
    assert clean_line("a" * 257) == "a" * 255 + "…"
    assert clean_line("a\r\n\u2029\u202e\x7f\ud800") == "a   \ufffd\ufffd\ufffd"


def test_numbers_are_those_of_the_platform() -> None:
    """The tables agree with the modules that the catalogue may not import."""
    for number, name in ADDRESS_FAMILIES.items():
        assert getattr(socket, name, number) == number, name
    for number, name in SOCKET_KINDS.items():
        assert getattr(socket, name) == number
    for number, name in RESOURCES.items():
        assert getattr(resource, name, number) == number, name
    for number, name in OPEN_FLAGS:
        assert getattr(os, name) == number
    assert SIGNALS[int(signal.SIGKILL)] == "SIGKILL"
    families = {name: int(value) for name, value in vars(socket).items() if name.startswith("AF_")}
    missing = {name for name, number in families.items() if number not in ADDRESS_FAMILIES}
    assert missing <= {
        "AF_ASH",
        "AF_ATMPVC",
        "AF_ATMSVC",
        "AF_BRIDGE",
        "AF_DECnet",
        "AF_ECONET",
        "AF_LLC",
        "AF_NETBEUI",
        "AF_NETROM",
        "AF_PPPOX",
        "AF_ROSE",
        "AF_SECURITY",
        "AF_SNA",
        "AF_WANPIPE",
        "AF_X25",
    }


def test_lock_operations_are_those_of_the_platform() -> None:
    """The table agrees with ``fcntl``."""
    import fcntl

    for number, name in LOCK_OPERATIONS:
        assert getattr(fcntl, name) == number
