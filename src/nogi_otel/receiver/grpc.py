"""OTLP over gRPC: the three collector services on one loopback address."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NoReturn

import grpc

from nogi_otel.errors import ReceiverError
from nogi_otel.receiver.address import Address, resolve_loopback
from nogi_otel.receiver.payload import PayloadError, decode_request, encode_success

if TYPE_CHECKING:
    from collections.abc import Callable

    from nogi_otel.receiver import Consumer
    from nogi_otel.recording.otlp_json import Signal

SERVICES: Final[dict[str, Signal]] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}

_WORKERS: Final = 4
_STOP_S: Final = 1.0

_logger = logging.getLogger(__name__)


class GrpcServer:
    """Serves OTLP/gRPC on one loopback address."""

    def __init__(self, address: Address, consumer: Consumer, max_body_bytes: int) -> None:
        _, numeric = resolve_loopback(address)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="nogi-otlp-grpc")
        self._server = grpc.server(
            self._workers,
            options=[
                # By default a second server takes the same port without a word and gets half of
                # the connections.
                ("grpc.so_reuseport", 0),
                # The default is 4 MiB.
                ("grpc.max_receive_message_length", max_body_bytes),
            ],
        )
        # Generic handlers on bytes, and not the generated servicers: those answer INTERNAL to a
        # message that does not parse, and the specification wants INVALID_ARGUMENT.
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    service,
                    {"Export": grpc.unary_unary_rpc_method_handler(_export(signal, consumer))},
                )
                for service, signal in SERVICES.items()
            ]
        )
        try:
            port = self._server.add_insecure_port(str(numeric))
        except RuntimeError as error:
            raise _cannot_listen(address) from error
        if port == 0:
            raise _cannot_listen(address)
        self.address = Address(numeric.host, port)

    def start(self) -> None:
        """Start to serve; the port is open from the constructor on."""
        self._server.start()

    def stop(self) -> None:
        """Finish the requests in flight, for a second at most, and close the port."""
        self._server.stop(_STOP_S).wait()
        self._workers.shutdown(cancel_futures=True)


def _cannot_listen(address: Address) -> ReceiverError:
    # gRPC gives no errno, only a log line of its C core.
    return ReceiverError(
        f"cannot listen for OTLP/gRPC on {address}: the address is already in use or not allowed; "
        "stop what listens there, or choose another port (0 is any free one)"
    )


def _export(signal: Signal, consumer: Consumer) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            consumer(signal, decode_request(signal, body, "protobuf"))
        except PayloadError as error:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Exception:
            _logger.exception("The consumer of received OTLP failed.")
            _abort(context, grpc.StatusCode.INTERNAL, "the receiver failed; its log says why")
        return encode_success(signal, "protobuf")

    return export


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, details: str) -> NoReturn:
    context.abort(code, details)
    raise AssertionError  # pragma: no cover - abort always raises
