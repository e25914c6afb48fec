"""OTLP over HTTP: a raw ASGI application, served by uvicorn in a thread of its own."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from google.rpc.code_pb2 import INTERNAL, NOT_FOUND, UNIMPLEMENTED  # type: ignore[import-untyped]

from nogi_otel.errors import ReceiverError
from nogi_otel.receiver.address import Address, resolve_loopback
from nogi_otel.receiver.payload import (
    CONTENT_TYPES,
    BodyBuffer,
    PayloadError,
    decode_request,
    detect_encoding,
    encode_failure,
    encode_success,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from nogi_otel.receiver import Consumer
    from nogi_otel.receiver.payload import Encoding
    from nogi_otel.recording.otlp_json import Signal

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS: Final[dict[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
}

_BACKLOG: Final = 128
_STOP_S: Final = 5.0

_logger = logging.getLogger(__name__)


class OtlpApplication:
    """The ASGI application: one request in, one call of the consumer, one answer out."""

    def __init__(self, consumer: Consumer, max_body_bytes: int) -> None:
        self._consumer = consumer
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        body = _Body(receive)
        answer_encoding: Encoding = "json"
        try:
            signal = _route(scope)
            answer_encoding = encoding = detect_encoding(headers.get("content-type", ""))
            buffer = BodyBuffer(headers.get("content-encoding", ""), self._max_body_bytes)
            while not body.ended:
                buffer.feed(await body.read())
            if body.abandoned:
                return
            self._consumer(signal, decode_request(signal, buffer.finish(), encoding))
        except PayloadError as error:
            await _refuse(error, answer_encoding, send)
        except Exception:
            _logger.exception("The consumer of received OTLP failed.")
            failure = PayloadError(500, INTERNAL, "the receiver failed; its log says why")
            await _refuse(failure, answer_encoding, send)
        else:
            await _answer(200, encode_success(signal, encoding), encoding, send)


class _Body:
    """The body of one request, as it comes in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False
        """Nothing more will come."""
        self.abandoned = False
        """The sender went away before its end."""

    async def read(self) -> bytes:
        message = await self._receive()
        self.abandoned = message["type"] != "http.request"
        self.ended = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


def _route(scope: Scope) -> Signal:
    signal = PATHS.get(scope["path"])
    if signal is None:
        known = ", ".join(PATHS)
        raise PayloadError(404, NOT_FOUND, f"no such path; POST to one of {known}")
    if scope["method"] != "POST":
        raise PayloadError(405, UNIMPLEMENTED, "only POST is served here")
    return signal


async def _refuse(error: PayloadError, encoding: Encoding, send: Send) -> None:
    # What the sender is still writing is read and thrown away by uvicorn. A connection that is
    # closed instead would be reset, and the sender would lose the answer and try again.
    await _answer(error.http_status, encode_failure(error, encoding), encoding, send)


async def _answer(status: int, body: bytes, encoding: Encoding, send: Send) -> None:
    headers = [
        (b"content-type", CONTENT_TYPES[encoding].encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 405:  # noqa: PLR2004 - the status that must name what is allowed (RFC 9110, 15.5.6)
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """Uvicorn's server, which tells when it has begun to serve."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()


class HttpServer:
    """Serves OTLP/HTTP on one loopback address."""

    def __init__(self, address: Address, consumer: Consumer, max_body_bytes: int) -> None:
        self._socket, self.address = _bind(address)
        config = uvicorn.Config(
            OtlpApplication(consumer, max_body_bytes),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="nogi-otlp-http", daemon=True
        )

    def start(self) -> None:
        """Start to serve; the port is open from the constructor on."""
        self._thread.start()
        while not self._server.begun.wait(0.1):
            if not self._thread.is_alive():
                raise ReceiverError(
                    f"the HTTP server on {self.address} did not start; its log says why"
                )

    def stop(self) -> None:
        """Finish the requests in flight, for a second at most, and close the port."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._socket.close()


def _bind(address: Address) -> tuple[socket.socket, Address]:
    family, numeric = resolve_loopback(address)
    server_socket = socket.socket(family, socket.SOCK_STREAM)
    try:
        server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server_socket.bind(tuple(numeric))
        # Not left to uvicorn: until one of them listens, two sockets may share the port.
        server_socket.listen(_BACKLOG)
    except OSError as error:
        server_socket.close()
        raise ReceiverError(
            f"cannot listen for OTLP/HTTP on {address}: {error.strerror}; "
            "stop what listens there, or choose another port (0 is any free one)"
        ) from error
    host, port = server_socket.getsockname()[:2]
    return server_socket, Address(host, port)
