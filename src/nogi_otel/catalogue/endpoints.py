"""Decoders of sockets, addresses and URLs: total functions from a snapshot's values.

Addresses come as the application gave them to the socket, see ``getsockaddrarg`` in CPython's
``Modules/socketmodule.c``: ``(host, port)`` for IPv4, ``(host, port, flow info, scope id)`` for
IPv6, text or bytes for Unix sockets (abstract ones begin with NUL), other tuples else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nogi_otel.capture.values import Clipped, SocketRef
from nogi_otel.catalogue.platform_numbers import (
    ADDRESS_FAMILIES,
    AF_INET,
    AF_INET6,
    AF_UNIX,
    DATAGRAM_PROTOCOLS,
    SOCKET_KIND_MASK,
    SOCKET_KINDS,
    STREAM_PROTOCOLS,
)
from nogi_otel.catalogue.text import clean_text, mark_cut

if TYPE_CHECKING:
    from nogi_otel.capture.values import Value

MAX_PORT = 65535
_IP_VERSIONS = {AF_INET: "ipv4", AF_INET6: "ipv6"}
_MAX_FAMILY = 0xFFFF
_MAX_ADDRESS_PARTS = 8
_MAX_SCOPE = 0xFFFFFFFF
_MAX_PART = 2**64
_IPV6_PARTS = 4
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(NamedTuple):
    """One end of a connection; the values of the group decoder ``endpoint``."""

    address: str | None
    """An IP address, or the path of a Unix socket; ``@`` begins an abstract one."""
    port: int | None
    name: str | None
    """The host's name where one was given instead of an IP address."""
    name_port: int | None
    transport: str | None
    """``tcp``, ``udp`` or ``unix``."""
    ip_version: str | None
    """``ipv4`` or ``ipv6``."""
    family: str | None
    """``AF_*``, for a family other than IP and Unix."""
    other_address: str | None
    """An address of such a family, its parts joined by blanks."""


def decode_endpoint(arguments: Value) -> Endpoint:
    """Decode ``(socket, address)``, the arguments of ``socket.connect`` and the like."""
    if type(arguments) is not tuple:
        return _NOWHERE
    socket = arguments[0] if arguments else None
    address = arguments[1] if len(arguments) > 1 else None
    if type(socket) is not SocketRef:
        return _decode_ip(None, address, None) if type(address) is tuple else _decode_unix(address)
    family = socket.family
    version = _IP_VERSIONS.get(family)
    if version is not None:
        transport = name_transport(socket)
        if type(address) is tuple:
            return _decode_ip(version, address, transport)
        return _NOWHERE._replace(
            address=read_text(address), transport=transport, ip_version=version
        )
    if family == AF_UNIX:
        return _decode_unix(address)._replace(transport="unix")
    return _NOWHERE._replace(family=decode_family(family), other_address=_join_parts(address))


def decode_socket_address(address: Value) -> tuple[str | None, int | None, str | None]:
    """Decode an address without its socket: IP address or path, port, IP version."""
    if type(address) is tuple:
        end = _decode_ip(None, address, None)
        return end.address or end.name, end.port or end.name_port, end.ip_version
    return read_text(address), None, None


def decode_host_name(host: Value) -> str | None:
    """Decode a host to look up to its name; None where it is an IP address."""
    text = read_text(host)
    return None if text is None or is_ip_address(text) else text


def decode_ip_address(host: Value) -> str | None:
    """Decode a host to look up to its IP address; None where it is a name."""
    text = read_text(host)
    return text if text is not None and is_ip_address(text) else None


def decode_port(port: Value) -> int | None:
    """Decode a port: a number, or a text of digits as ``getaddrinfo`` takes it."""
    if type(port) is int:
        return port if 0 <= port <= MAX_PORT else None
    text = read_text(port)
    if text and len(text) <= len(str(MAX_PORT)) and text.isascii() and text.isdigit():
        return decode_port(int(text))
    return None


def decode_family(family: Value) -> str | None:
    """Decode the number of an address family to its name, ``AF_INET``."""
    if type(family) is not int or not 0 <= family <= _MAX_FAMILY:
        return None
    return ADDRESS_FAMILIES.get(family) or f"AF_{family}"


def decode_kind(kind: Value) -> str | None:
    """Decode the number of a socket's type to its name, ``SOCK_STREAM``."""
    return SOCKET_KINDS.get(kind & SOCKET_KIND_MASK) if type(kind) is int and kind > 0 else None


def decode_transport(protocol: Value) -> str | None:
    """Decode a transport's name as ``getservbyname`` takes it."""
    text = read_text(protocol)
    return text.lower() if text else None


def decode_url(url: Value) -> tuple[str | None, str | None, int | None]:
    """Decode a URL: itself, the host, and the port, the scheme's own where it names none."""
    text = read_text(url)
    if not text:
        return None, None, None
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text, None, None
    for delimiter in "/?#":
        rest = rest.partition(delimiter)[0]
    host, port = _split_authority(rest.rpartition("@")[2])
    return text, host or None, decode_port(port) or _DEFAULT_PORTS.get(scheme.lower())


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IP address: names have no colon, and not only digits.

    A bracket opens what redaction has put in the host's place.
    """
    if ":" in host:
        return not host.startswith("[")
    return host.isascii() and host.replace(".", "").isdigit()


def name_transport(socket: SocketRef) -> str | None:
    """Return ``tcp`` or ``udp`` of an IP socket; None where it is neither."""
    kind = socket.kind & SOCKET_KIND_MASK
    if kind == 1 and socket.protocol in STREAM_PROTOCOLS:
        return "tcp"
    if kind == 2 and socket.protocol in DATAGRAM_PROTOCOLS:  # noqa: PLR2004 - SOCK_DGRAM
        return "udp"
    return None


def read_text(value: Value) -> str | None:
    """Return what is text, cleaned: ``str``, ``bytes``, or the beginning of one.

    An empty one is None.
    """
    if type(value) is str:
        return clean_text(value) or None
    if type(value) is bytes:
        return clean_text(value.decode("utf-8", "replace")) or None
    if type(value) is Clipped:
        head = value.head
        if type(head) is bytes:
            return mark_cut(head.decode("utf-8", "replace"))
        return mark_cut(head) if type(head) is str else None
    return None


_NOWHERE = Endpoint(None, None, None, None, None, None, None, None)


def _decode_unix(address: Value) -> Endpoint:
    if type(address) is bytes:
        address = address.decode("utf-8", "replace")
    if type(address) is str and address.startswith("\0"):
        address = f"@{address[1:]}"
    return _NOWHERE._replace(address=read_text(address))


def _decode_ip(version: str | None, address: tuple[Value, ...], transport: str | None) -> Endpoint:
    first = address[0] if address else None
    port = decode_port(address[1]) if len(address) > 1 else None
    host = read_text(first)
    if (type(first) is str or type(first) is bytes) and not first:
        host = "::" if version == "ipv6" else "0.0.0.0"  # noqa: S104 - what it means
    if host is None:
        return Endpoint(None, None, None, None, transport, version, None, None)
    if host == "<broadcast>":
        host = "255.255.255.255"
    if not is_ip_address(host):
        return Endpoint(None, None, host, port, transport, version, None, None)
    if ":" in host:
        version = version or "ipv6"
        scope = address[3] if len(address) >= _IPV6_PARTS else None
        if type(scope) is int and 0 < scope <= _MAX_SCOPE and "%" not in host:
            host = clean_text(f"{host}%{scope}")
    return Endpoint(host, port, None, None, transport, version or "ipv4", None, None)


def _join_parts(address: Value) -> str | None:
    """Return the scalars of an address, joined by blanks; bytes as hexadecimal digits."""
    if type(address) is not tuple:
        return read_text(address)
    parts = [_show_part(one) for one in address[:_MAX_ADDRESS_PARTS]]
    return clean_text(" ".join([one for one in parts if one])) or None


def _show_part(part: Value) -> str | None:
    if type(part) is int:
        return str(part) if abs(part) <= _MAX_PART else None
    return part.hex() if type(part) is bytes else read_text(part)


def _split_authority(authority: str) -> tuple[str, str]:
    """Split ``host:port``; the brackets of an IPv6 address are taken off."""
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port
