"""Sockets, name look-ups and the protocols of the standard library.

Sources: ``Modules/socketmodule.c``, ``Lib/http/client.py``, ``Lib/urllib/request.py``,
``Lib/smtplib.py``, ``Lib/ftplib.py``, ``Lib/imaplib.py``, ``Lib/poplib.py``,
``Lib/webbrowser.py``; up to 3.12 ``Lib/telnetlib.py`` and ``Lib/nntplib.py``.
"""

from __future__ import annotations

from nogi_otel.catalogue.entry import ALL_ARGUMENTS, Attribute, Constant, Entry, Group

_PEER = Group(
    (
        "network.peer.address",
        "network.peer.port",
        "server.address",
        "server.port",
        "network.transport",
        "network.type",
        "python.audit.socket.family",
        "python.audit.socket.address",
    ),
    ALL_ARGUMENTS,
    "endpoint",
)
_LOCAL = Group(
    (
        "network.local.address",
        "network.local.port",
        *_PEER.keys[2:],
    ),
    ALL_ARGUMENTS,
    "endpoint",
)
_SHOWN_FAMILY = ("{python.audit.socket.family}", " {python.audit.socket.address}")
_SHOWN_PEER = (
    "{network.peer.address|server.address}:{network.peer.port|server.port}",
    *_SHOWN_FAMILY,
)
_SHOWN_LOCAL = (
    "{network.local.address|server.address}:{network.local.port|server.port}",
    *_SHOWN_FAMILY,
)
_SERVER = (Attribute("server.address", "host"), Attribute("server.port", "port", "port"))
_SHOWN_SERVER = ("{server.address}:{server.port}",)


def _name_protocol(name: str) -> Constant:
    return Constant("network.protocol.name", name)


_SOCKETS = (
    Entry(
        "socket.__new__",
        ("self", "family", "type", "protocol"),
        "network",
        (
            Attribute("python.audit.socket.family", "family", "family"),
            Attribute("python.audit.socket.kind", "type", "kind"),
        ),
        display=("{python.audit.socket.family}", " {python.audit.socket.kind}"),
        noise=True,
    ),
    Entry("socket.bind", ("self", "address"), "network", (_LOCAL,), display=_SHOWN_LOCAL),
    Entry("socket.connect", ("self", "address"), "network", (_PEER,), display=_SHOWN_PEER),
    Entry(
        "socket.sendto",
        ("self", "address"),
        "network",
        (_PEER,),
        display=_SHOWN_PEER,
        noise=True,
    ),
    Entry(
        "socket.sendmsg",
        ("self", "address"),
        "network",
        (_PEER,),
        display=_SHOWN_PEER,
        noise=True,
    ),
    Entry(
        "socket.getaddrinfo",
        ("host", "port", "family", "type", "protocol"),
        "network",
        (
            Attribute("dns.question.name", "host", "host_name"),
            Attribute("server.address", "host"),
            Attribute("server.port", "port", "port"),
        ),
        display=_SHOWN_SERVER,
    ),
    Entry(
        "socket.gethostbyname",
        ("hostname",),
        "network",
        (
            Attribute("dns.question.name", "hostname", "host_name"),
            Attribute("server.address", "hostname"),
        ),
        display=("{server.address}",),
    ),
    Entry(
        "socket.gethostbyaddr",
        ("ip_address",),
        "network",
        (
            Attribute("network.peer.address", "ip_address", "ip_address"),
            Attribute("dns.question.name", "ip_address", "host_name"),
        ),
        display=("{network.peer.address|dns.question.name}",),
    ),
    Entry(
        "socket.getnameinfo",
        ("sockaddr",),
        "network",
        (
            Group(
                ("network.peer.address", "network.peer.port", "network.type"),
                "sockaddr",
                "socket_address",
            ),
        ),
        display=("{network.peer.address}:{network.peer.port}",),
    ),
    Entry(
        "socket.getservbyname",
        ("servicename", "protocolname"),
        "network",
        (
            Attribute("network.protocol.name", "servicename"),
            Attribute("network.transport", "protocolname", "transport"),
        ),
    ),
    Entry(
        "socket.getservbyport",
        ("port", "protocolname"),
        "network",
        (
            Attribute("server.port", "port", "port"),
            Attribute("network.transport", "protocolname", "transport"),
        ),
    ),
    Entry("socket.gethostname", (), "network", noise=True),
    Entry("socket.sethostname", ("name",), "network", (Attribute("host.name", "name"),)),
)

_HTTP = (
    Entry(
        "urllib.Request",
        ("fullurl", "data", "headers", "method"),
        "network",
        (
            Group(("http.request.method", "http.request.method_original"), "method", "method"),
            Group(("url.full", "server.address", "server.port"), "fullurl", "url"),
        ),
        display=("{http.request.method_original|http.request.method}", " {url.full}"),
        withheld=("data", "headers"),
    ),
    Entry(
        "http.client.connect",
        ("self", "host", "port"),
        "network",
        (
            *_SERVER,
            Attribute("url.scheme", "self", "scheme"),
            _name_protocol("http"),
        ),
        display=_SHOWN_SERVER,
    ),
    Entry(
        "http.client.send",
        ("self", "data"),
        "network",
        (Attribute("url.scheme", "self", "scheme"), _name_protocol("http")),
        withheld=("data",),
        noise=True,
    ),
    Entry(
        "webbrowser.open",
        ("url",),
        "network",
        (Group(("url.full", "server.address", "server.port"), "url", "url"),),
    ),
)


def _connect(event: str, protocol: str, until: tuple[int, int] | None = None) -> Entry:
    return Entry(
        event,
        ("self", "host", "port"),
        "network",
        (*_SERVER, _name_protocol(protocol)),
        display=_SHOWN_SERVER,
        until=until,
    )


def _send(event: str, payload: str, protocol: str, until: tuple[int, int] | None = None) -> Entry:
    """Return an entry whose second argument is what goes over the wire, passwords included."""
    return Entry(
        event,
        ("self", payload),
        "network",
        (_name_protocol(protocol),),
        withheld=(payload,),
        until=until,
    )


_PROTOCOLS = (
    _connect("ftplib.connect", "ftp"),
    _send("ftplib.sendcmd", "cmd", "ftp"),
    _connect("imaplib.open", "imap"),
    _send("imaplib.send", "data", "imap"),
    _connect("nntplib.connect", "nntp", until=(3, 13)),
    _send("nntplib.putline", "line", "nntp", until=(3, 13)),
    _connect("poplib.connect", "pop3"),
    _send("poplib.putline", "line", "pop3"),
    _connect("smtplib.connect", "smtp"),
    _send("smtplib.send", "data", "smtp"),
    _connect("telnetlib.Telnet.open", "telnet", until=(3, 13)),
    _send("telnetlib.Telnet.write", "buffer", "telnet", until=(3, 13)),
)

ENTRIES = (*_SOCKETS, *_HTTP, *_PROTOCOLS)
