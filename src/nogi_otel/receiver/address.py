"""Where a receiver listens: ``HOST:PORT``, on loopback only."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, NamedTuple

from nogi_otel.errors import ReceiverError, SettingsError

_MAX_PORT: Final = 65535


class Address(NamedTuple):
    """A host, by name or number, and a TCP port; port 0 asks the system for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Give ``HOST:PORT``, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """What ``OTEL_EXPORTER_OTLP_ENDPOINT`` must be to send here."""
        return f"http://{self}"


def parse_address(text: str) -> Address:
    """Read ``HOST:PORT``; an IPv6 host stands in brackets.

    Raises:
        SettingsError: it is not of that form.
    """
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= _MAX_PORT):
        raise SettingsError(
            f"{text!r} is not HOST:PORT with a port from 0 (any free one) to {_MAX_PORT}, "
            "for example 127.0.0.1:4318 or [::1]:4318"
        )
    return Address(host, int(port))


def resolve_loopback(address: Address) -> tuple[socket.AddressFamily, Address]:
    """Give the family and the numeric address to bind.

    Raises:
        ReceiverError: the host is unknown, or is not this machine's loopback: what is received is
            neither authenticated nor encrypted.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ReceiverError(
            f"cannot listen on {address}: {address.host!r} is not a known host ({error})"
        ) from error
    family, _, _, _, socket_address = found[0]
    host = str(socket_address[0])
    if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise ReceiverError(
            f"refused to listen on {address}: only loopback (127.0.0.1, ::1, localhost) is "
            "allowed, because senders are not authenticated and nothing is encrypted; to receive "
            "from another machine, forward a port to here, for example with ssh -R"
        )
    return family, Address(host, address.port)
