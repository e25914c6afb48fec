"""An OTLP receiver on loopback: gRPC and HTTP, traces, logs and metrics, in one object.

Importing this package is light; the servers are imported by ``Receiver.start``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from nogi_otel.errors import MissingExtraError, ReceiverError
from nogi_otel.receiver.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from google.protobuf.message import Message
    from typing_extensions import Self

    from nogi_otel.receiver.grpc import GrpcServer
    from nogi_otel.receiver.http import HttpServer
    from nogi_otel.recording.otlp_json import Signal

Consumer: TypeAlias = "Callable[[Signal, Message], None]"
"""What is called with each request, an ``Export...ServiceRequest`` that it may keep. Calls come
from several threads at once, and the sender waits for each: it must not block."""

DEFAULT_HTTP: Final = Address("127.0.0.1", 4318)
DEFAULT_GRPC: Final = Address("127.0.0.1", 4317)

DEFAULT_MAX_BODY_BYTES: Final = 64 << 20
"""The limit that the OTLP specification recommends, after decompression."""


class Receiver:
    """Receives OTLP on two loopback ports and hands every request to one consumer.

    Use it as a context manager, or call ``start`` and ``stop``.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        http: Address = DEFAULT_HTTP,
        grpc: Address = DEFAULT_GRPC,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    ) -> None:
        self._consumer = consumer
        self._http_wanted = http
        self._grpc_wanted = grpc
        self._max_body_bytes = max_body_bytes
        self._http: HttpServer | None = None
        self._grpc: GrpcServer | None = None

    @property
    def http(self) -> Address:
        """Where OTLP/HTTP is served, with the real port; only while it is."""
        if self._http is None:
            raise ReceiverError(_NOT_STARTED)
        return self._http.address

    @property
    def grpc(self) -> Address:
        """Where OTLP/gRPC is served, with the real port; only while it is."""
        if self._grpc is None:
            raise ReceiverError(_NOT_STARTED)
        return self._grpc.address

    def start(self) -> None:
        """Open both ports and serve.

        Raises:
            MissingExtraError: uvicorn is not installed.
            ReceiverError: an address is taken, not allowed or not loopback; nothing stays open.
        """
        try:
            from nogi_otel.receiver.http import HttpServer
        except ModuleNotFoundError as error:
            if error.name != "uvicorn":
                raise
            raise MissingExtraError(
                "receiving OTLP needs uvicorn: pip install 'nogi-otel[cli]'"
            ) from error
        from nogi_otel.receiver.grpc import GrpcServer

        try:
            self._http = HttpServer(self._http_wanted, self._consumer, self._max_body_bytes)
            self._grpc = GrpcServer(self._grpc_wanted, self._consumer, self._max_body_bytes)
            self._http.start()
            self._grpc.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Finish the requests in flight and close both ports; further calls do nothing."""
        for server in (self._grpc, self._http):
            if server is not None:
                server.stop()
        self._http = self._grpc = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


_NOT_STARTED: Final = "the receiver is not started"
