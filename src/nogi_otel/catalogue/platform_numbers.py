"""The numbers of the platform and their names, without importing ``socket`` or ``fcntl``.

The catalogue is loaded in processes that gevent patches later, so the modules it patches are not
imported here. Sources: Linux ``include/linux/socket.h`` and ``include/uapi/asm-generic``, macOS
and FreeBSD ``sys/socket.h``, Windows ``ws2def.h``; ``Modules/socketmodule.c`` for the names.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS_FAMILIES: dict[str, dict[int, str]] = {
    "linux": {
        0: "AF_UNSPEC",
        1: "AF_UNIX",
        2: "AF_INET",
        3: "AF_AX25",
        4: "AF_IPX",
        5: "AF_APPLETALK",
        10: "AF_INET6",
        15: "AF_KEY",
        16: "AF_NETLINK",
        17: "AF_PACKET",
        21: "AF_RDS",
        23: "AF_IRDA",
        29: "AF_CAN",
        30: "AF_TIPC",
        31: "AF_BLUETOOTH",
        38: "AF_ALG",
        40: "AF_VSOCK",
        42: "AF_QIPCRTR",
    },
    "darwin": {
        0: "AF_UNSPEC",
        1: "AF_UNIX",
        2: "AF_INET",
        17: "AF_ROUTE",
        18: "AF_LINK",
        30: "AF_INET6",
        32: "AF_SYSTEM",
    },
    "win32": {0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 23: "AF_INET6", 34: "AF_HYPERV"},
    "freebsd": {0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 17: "AF_ROUTE", 28: "AF_INET6"},
}
_PLATFORM = next((name for name in _ADDRESS_FAMILIES if sys.platform.startswith(name)), "linux")

ADDRESS_FAMILIES: Mapping[int, str] = _ADDRESS_FAMILIES[_PLATFORM]
"""``AF_*`` of this platform by number."""
AF_UNIX = 1
AF_INET = 2
AF_INET6 = next(number for number, name in ADDRESS_FAMILIES.items() if name == "AF_INET6")

SOCKET_KINDS: Mapping[int, str] = {
    1: "SOCK_STREAM",
    2: "SOCK_DGRAM",
    3: "SOCK_RAW",
    4: "SOCK_RDM",
    5: "SOCK_SEQPACKET",
}
"""``SOCK_*`` by number, without the ``SOCK_CLOEXEC`` and ``SOCK_NONBLOCK`` bits of Linux."""
SOCKET_KIND_MASK = 0xF

STREAM_PROTOCOLS = frozenset({0, 6, 262})
"""``IPPROTO_IP`` (the default), ``IPPROTO_TCP`` and ``IPPROTO_MPTCP``."""
DATAGRAM_PROTOCOLS = frozenset({0, 17})
"""``IPPROTO_IP`` (the default) and ``IPPROTO_UDP``."""

SIGNALS: Mapping[int, str] = {int(one): one.name for one in signal.Signals}
"""``SIG*`` of this platform by number."""

_OPEN_FLAG_NAMES = (
    # Those that contain the bits of others come first: O_TMPFILE has O_DIRECTORY's, O_SYNC has
    # O_DSYNC's.
    "O_TMPFILE",
    "O_SYNC",
    "O_CREAT",
    "O_EXCL",
    "O_TRUNC",
    "O_APPEND",
    "O_NONBLOCK",
    "O_DSYNC",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_NOCTTY",
    "O_CLOEXEC",
    "O_DIRECT",
    "O_NOATIME",
    "O_PATH",
    "O_ASYNC",
    "O_EXLOCK",
    "O_SHLOCK",
    "O_BINARY",
    "O_TEXT",
    "O_NOINHERIT",
    "O_TEMPORARY",
    "O_SHORT_LIVED",
    "O_RANDOM",
    "O_SEQUENTIAL",
)
OPEN_FLAGS: tuple[tuple[int, str], ...] = tuple(
    (getattr(os, name), name) for name in _OPEN_FLAG_NAMES if getattr(os, name, 0)
)
"""``O_*`` of this platform but for the access modes; composed ones first."""
OPEN_ACCESS: Mapping[int, str] = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR"}
OPEN_ACCESS_MASK = 3

LOCK_OPERATIONS: tuple[tuple[int, str], ...] = (
    (1, "LOCK_SH"),
    (2, "LOCK_EX"),
    (4, "LOCK_NB"),
    (8, "LOCK_UN"),
)
"""``fcntl.LOCK_*``, the same on Linux, macOS and the BSDs."""

RESOURCES: Mapping[int, str] = (
    dict(
        enumerate(
            (
                "RLIMIT_CPU",
                "RLIMIT_FSIZE",
                "RLIMIT_DATA",
                "RLIMIT_STACK",
                "RLIMIT_CORE",
                "RLIMIT_RSS",
                "RLIMIT_NPROC",
                "RLIMIT_NOFILE",
                "RLIMIT_MEMLOCK",
                "RLIMIT_AS",
                "RLIMIT_LOCKS",
                "RLIMIT_SIGPENDING",
                "RLIMIT_MSGQUEUE",
                "RLIMIT_NICE",
                "RLIMIT_RTPRIO",
                "RLIMIT_RTTIME",
            )
        )
    )
    if _PLATFORM == "linux"
    else {}
)
"""``RLIMIT_*`` by number on Linux, where they are the same on nearly every architecture."""

REGISTRY_KEYS: Mapping[int, str] = {
    0x80000000: "HKEY_CLASSES_ROOT",
    0x80000001: "HKEY_CURRENT_USER",
    0x80000002: "HKEY_LOCAL_MACHINE",
    0x80000003: "HKEY_USERS",
    0x80000004: "HKEY_PERFORMANCE_DATA",
    0x80000005: "HKEY_CURRENT_CONFIG",
    0x80000006: "HKEY_DYN_DATA",
}
"""The predefined handles of ``winreg.h``."""
