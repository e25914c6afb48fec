"""A program that uses the standard library under a hook of its own and tells what was raised.

Run as ``python standard_library_exercise.py REPORT``, with a line on standard input, in an empty
directory. REPORT gets a JSON list of ``[event, names of the arguments' types]``. Everything stays
on loopback and in the working directory. What a platform lacks is left out; a call may fail, for
its event comes before it.
"""

from __future__ import annotations

import sys

RAISED: set[tuple[str, tuple[str, ...]]] = set()


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Note an audit event; raises none itself."""
    RAISED.add((event, tuple([type(argument).__name__ for argument in arguments])))


sys.addaudithook(note)

# The calls are here because they raise audit events; whoever wants to pass a linter uses others.
# ruff: noqa: E402, PLW1510, SIM115, T100
# ruff: noqa: S102, S301, S302, S307, S321, S602, S605, S606
import array
import asyncio
import contextlib
import ctypes
import fcntl
import ftplib
import gc
import glob
import http.client
import http.server
import imaplib
import importlib
import inspect
import json
import logging
import marshal
import mmap
import multiprocessing
import os
import pathlib
import pdb
import pickle
import poplib
import pty
import resource
import shutil
import signal
import smtplib
import socket
import sqlite3
import subprocess
import syslog
import tempfile
import termios
import threading
import time
import types
import urllib.request
import warnings
import webbrowser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPBACK = "127.0.0.1"
TIMEOUT = 20
MAY_FAIL = (OSError, ValueError, AttributeError, RuntimeError)


@contextlib.contextmanager
def serve_lines(greeting: bytes, answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Serve one client of a line protocol; yields the port."""

    def talk(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        # A client may leave in the middle of a line.
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
            stream.write(greeting)
            stream.flush()
            for line in stream:
                stream.write(answer(line))
                stream.flush()

    with socket.socket() as listener:
        listener.settimeout(TIMEOUT)
        listener.bind((LOOPBACK, 0))
        listener.listen()
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(TIMEOUT)


def use_sockets() -> None:
    """TCP, UDP, Unix, abstract and netlink sockets, and name look-ups."""
    families: list[tuple[int, Any]] = [
        (socket.AF_INET, (LOOPBACK, 0)),
        (socket.AF_UNIX, "one.sock"),
    ]
    if sys.platform == "linux":
        families.append((socket.AF_UNIX, f"\0nogi-{os.getpid()}"))
    if socket.has_ipv6:
        families.append((socket.AF_INET6, ("::1", 0, 0, 0)))
    for family, address in families:
        with contextlib.suppress(OSError), socket.socket(family) as server:
            server.bind(address)
            server.listen()
            with socket.socket(family) as client:
                client.connect(server.getsockname())
                server.accept()[0].close()
                client.sendmsg([b"x"])
    with (
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        server.bind((LOOPBACK, 0))
        client.sendto(b"x", server.getsockname())
        client.sendmsg([b"x"], [], 0, server.getsockname())
        client.connect_ex(server.getsockname())
    with (
        contextlib.suppress(*MAY_FAIL),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as one,
    ):
        one.bind((0, 0))
    for look_up in (
        lambda: socket.getaddrinfo(LOOPBACK, 80),
        lambda: socket.getaddrinfo(None, "80", flags=socket.AI_PASSIVE),
        lambda: socket.gethostbyname(LOOPBACK),
        lambda: socket.gethostbyname_ex(LOOPBACK),
        lambda: socket.gethostbyaddr(LOOPBACK),
        lambda: socket.getnameinfo((LOOPBACK, 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
        lambda: socket.getservbyname("http", "tcp"),
        lambda: socket.getservbyname("http"),
        lambda: socket.getservbyport(80),
        socket.gethostname,
        socket.socketpair,
    ):
        with contextlib.suppress(OSError):
            look_up()


def use_protocols() -> None:
    """HTTP, SMTP, FTP, IMAP and POP3 clients against servers of ours."""

    class Quiet(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer((LOOPBACK, 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://{LOOPBACK}:{server.server_port}/"
        urllib.request.urlopen(url, timeout=TIMEOUT).read()
        urllib.request.urlopen(url, data=b"body", timeout=TIMEOUT).read()
        connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=TIMEOUT)
        connection.request("POST", "/", body=array.array("b", [1, 2]))
        connection.getresponse().read()
        connection.close()
        server.shutdown()
        thread.join(TIMEOUT)
    with serve_lines(b"220 hello\r\n", lambda _: b"250 ok\r\n") as port:
        mail = smtplib.SMTP(LOOPBACK, port, timeout=TIMEOUT)
        mail.noop()
        mail.close()
    with serve_lines(b"220 hello\r\n", lambda _: b"230 ok\r\n") as port:
        files = ftplib.FTP(timeout=TIMEOUT)
        files.connect(LOOPBACK, port)
        files.login("user", "secret")
        files.close()
    with serve_lines(b"+OK\r\n", lambda _: b"+OK\r\n") as port:
        mailbox = poplib.POP3(LOOPBACK, port, timeout=TIMEOUT)
        mailbox.user("user")
        mailbox.pass_("secret")
        mailbox.close()
    with serve_lines(
        b"* OK\r\n", lambda line: b"* CAPABILITY IMAP4REV1\r\n" + line.split()[0] + b" OK done\r\n"
    ) as port:
        folder = imaplib.IMAP4(LOOPBACK, port)
        folder.shutdown()
    for name in ("telnetlib", "nntplib"):  # PYVERSIONS: gone in 3.13
        with warnings.catch_warnings(), contextlib.suppress(ImportError):
            warnings.simplefilter("ignore")
            use_old_protocol(importlib.import_module(name))
    webbrowser.GenericBrowser("true").open("http://localhost/")


def use_old_protocol(module: Any) -> None:
    """Telnet and NNTP, where the standard library still has them."""
    with serve_lines(b"200 hello\r\n", lambda _: b"500 no\r\n") as port:
        if module.__name__ == "telnetlib":
            with module.Telnet(LOOPBACK, port, TIMEOUT) as terminal:
                terminal.write(b"x\n")
        else:
            news = module.NNTP(LOOPBACK, port, timeout=TIMEOUT)
            news.file.close()
            news.sock.close()


def use_files() -> None:
    """Files, links, properties, locks and listings."""
    pathlib.Path("a").write_text("text", encoding="utf-8")
    os.close(os.open("b", os.O_WRONLY | os.O_CREAT))
    open(os.open("a", os.O_RDONLY)).close()
    os.truncate("b", 5)
    here = os.open(".", os.O_RDONLY)
    for call in (
        lambda: os.link("a", "c"),
        lambda: os.symlink("a", "d"),
        lambda: os.rename("c", "e"),
        lambda: os.replace("e", "f"),
        lambda: os.remove("f"),
        lambda: os.unlink("d"),
        lambda: os.mkdir("dir"),
        lambda: os.chmod("a", 0o600),
        lambda: os.fchmod(here, 0o700),
        lambda: os.chown("a", -1, -1),
        lambda: os.fchown(here, -1, -1),
        lambda: os.lchown("a", -1, -1),
        lambda: os.utime("a"),
        lambda: os.utime("a", (1, 1)),
        lambda: os.utime("a", ns=(1, 1)),
        lambda: os.chdir("dir"),
        lambda: os.fchdir(here),
        lambda: os.rmdir("dir"),
        lambda: os.listdir("."),
        lambda: os.listdir(here),
        os.listdir,
        lambda: os.scandir(".").close(),
        lambda: list(os.walk(".")),
        lambda: list(os.fwalk(".")),
        lambda: os.setxattr("a", "user.nogi", b"v"),
        lambda: os.getxattr("a", "user.nogi"),
        lambda: os.listxattr("a"),
        lambda: os.removexattr("a", "user.nogi"),
        lambda: glob.glob("*"),
        lambda: glob.glob("*", root_dir="."),
        lambda: list(pathlib.Path().glob("*")),
        lambda: list(pathlib.Path().rglob("*")),
        lambda: list(pathlib.Path().walk()),  # type: ignore[attr-defined]
    ):
        with contextlib.suppress(*MAY_FAIL):
            call()
    with open("a", "r+b") as file:
        file.truncate(3)
        os.ftruncate(file.fileno(), 2)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_UN)
        os.lockf(file.fileno(), os.F_TEST, 0)
        fcntl.fcntl(file, fcntl.F_GETFL)
        fcntl.ioctl(file, termios.FIONREAD, b"\0\0\0\0")
        mmap.mmap(file.fileno(), 0).close()
    os.close(here)


def use_trees() -> None:
    """``shutil`` and ``tempfile``."""
    os.mkdir("tree")
    pathlib.Path("tree/x").write_bytes(b"x")
    shutil.copyfile("a", "a2")
    shutil.copy(pathlib.Path("a"), "a3")
    shutil.copy2("a", "a4")
    shutil.copytree("tree", "tree2")
    shutil.move("tree2", "tree3")
    shutil.chown("a2", user=os.getuid())
    archive = shutil.make_archive("packed", "tar", "tree")
    shutil.unpack_archive(archive, "unpacked")
    shutil.rmtree("tree3")
    os.close(tempfile.mkstemp(dir=".")[0])
    with tempfile.TemporaryDirectory(dir="."), tempfile.NamedTemporaryFile(dir="."):
        pass


def use_processes() -> None:
    """Programs and signals; nobody is hurt."""
    subprocess.run(["true"], env={}, cwd=pathlib.Path())
    subprocess.run("exit 0", shell=True)
    subprocess.run([b"/bin/sh", b"-c", b""], close_fds=False)
    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", ""], {}), 0)
    os.system("true")
    replacements: tuple[Callable[[], object], ...] = (
        lambda: os.execv("./missing", ["missing"]),
        lambda: os.execve("./missing", ["missing"], {}),
    )
    for call in replacements:
        with contextlib.suppress(OSError):
            call()
    pty.spawn(["true"])
    forks: tuple[Callable[[], int], ...] = (os.fork, lambda: os.forkpty()[0])
    for fork in forks:
        child = fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    os.kill(os.getpid(), 0)
    os.killpg(os.getpgrp(), 0)
    signal.pthread_kill(threading.get_ident(), 0)
    worker = multiprocessing.get_context("fork").Process(target=int)
    worker.start()
    worker.join()


def use_foreign_code() -> None:
    """``ctypes``: libraries, symbols, memory."""
    import _ctypes

    library = ctypes.CDLL(None, use_errno=True)
    library.getpid()
    ctypes.c_int.in_dll(library, "optind")
    handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
    pointer = _ctypes.dlsym(handle, "getpid")
    _ctypes.call_function(pointer, ())
    buffer = ctypes.create_string_buffer(b"text")
    ctypes.create_string_buffer(8)
    wide = ctypes.create_unicode_buffer("text")
    ctypes.create_unicode_buffer(8)
    address = ctypes.addressof(buffer)
    ctypes.string_at(address, 4)
    ctypes.wstring_at(ctypes.addressof(wide), 4)
    ctypes.c_char.from_address(address)
    ctypes.c_char.from_buffer(bytearray(8), 2)
    ctypes.c_char.from_buffer_copy(b"12345678")
    ctypes.get_errno()
    ctypes.set_errno(0)
    _ctypes.PyObj_FromPtr(id(buffer))
    with contextlib.suppress(AttributeError):  # PYVERSIONS: since 3.14
        ctypes.memoryview_at(address, 4)  # type: ignore[attr-defined]


def use_code() -> None:
    """Imports, code objects, pickles, hooks and frames."""
    import colorsys

    importlib.reload(colorsys)
    code = compile("1", "<exercise>", "eval")
    eval(code)
    exec("x = 1", {})
    types.FunctionType(code.replace(co_name="other"), {})
    marshal.loads(marshal.dumps((code, 1)))
    with open("m", "w+b") as file:
        marshal.dump(1, file)
        file.seek(0)
        marshal.load(file)
    pickle.loads(pickle.dumps(OSError))
    pickle._Unpickler(open("p", "w+b")).find_class("os", "getpid")
    sys.settrace(None)
    sys.setprofile(None)
    sys.breakpointhook = lambda *_, **__: None
    breakpoint()
    pdb.Pdb()
    sys._getframe()
    sys.addaudithook(lambda *_: None)
    inspect.signature(use_code)
    logging.getLogger("exercise").warning("one record")
    id(code)

    def work() -> None:
        pass

    work.__code__ = work.__code__
    work.__defaults__ = ()
    del work.__defaults__
    with contextlib.suppress(AttributeError):  # PYVERSIONS: since 3.12
        sys._getframemodulename()  # type: ignore[attr-defined]
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
        monitoring.use_tool_id(5, "exercise")
        monitoring.register_callback(5, monitoring.events.CALL, None)


class Unraisable:
    """Cannot be finalized."""

    def __del__(self) -> None:
        """Raise where nobody can catch it."""
        message = "meant"
        raise ValueError(message)


def use_runtime() -> None:
    """Threads, memory, databases, the environment, limits and interpreters."""
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    sys._current_frames()
    sys._current_exceptions()
    time.sleep(0)
    time.sleep(0.0)
    asyncio.run(asyncio.sleep(0))
    array.array("i", [1])
    gc.get_objects(0)
    gc.get_referents([])
    gc.get_referrers([])
    os.environ["NOGI_EXERCISE"] = "1"
    del os.environ["NOGI_EXERCISE"]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with contextlib.suppress(*MAY_FAIL):
        resource.prlimit(0, resource.RLIMIT_NOFILE)
    syslog.openlog("exercise")
    syslog.setlogmask(syslog.LOG_MASK(syslog.LOG_EMERG))
    syslog.syslog(syslog.LOG_DEBUG, "held back by the mask")
    syslog.closelog()
    connection = sqlite3.connect(":memory:")
    connection.execute("select 1")
    with contextlib.suppress(AttributeError, sqlite3.Error):
        connection.enable_load_extension(True)
        connection.load_extension("./missing")
    connection.close()
    sys.unraisablehook = lambda _: None
    Unraisable()
    for name in ("_interpreters", "_xxsubinterpreters"):  # PYVERSIONS: renamed in 3.13
        with contextlib.suppress(ImportError):
            interpreters = importlib.import_module(name)
            interpreters.destroy(interpreters.create())


def main() -> None:
    """Use everything, then write the report."""
    input("prompt")  # before a pseudo-terminal takes the line
    for use in (
        use_sockets,
        use_protocols,
        use_files,
        use_trees,
        use_processes,
        use_foreign_code,
        use_code,
        use_runtime,
    ):
        use()
    report = sorted([event, list(types_)] for event, types_ in RAISED)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
