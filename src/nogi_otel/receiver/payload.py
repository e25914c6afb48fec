"""The body of one request: decompressed within bounds, read, and answered; no I/O here.

The rules are those of "OTLP/HTTP" in the OTLP specification. Both transports go through here, so
that the same bytes are accepted or refused alike.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.code_pb2 import (  # type: ignore[import-untyped]
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from nogi_otel.errors import ReceiverError, RecordingError
from nogi_otel.receiver.proto_json import decode_into, encode_message

if TYPE_CHECKING:
    from nogi_otel.recording.otlp_json import Signal

Encoding: TypeAlias = Literal["protobuf", "json"]


CONTENT_TYPES: Final[dict[Encoding, str]] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}

REQUESTS: Final[dict[Signal, type[Message]]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}

_RESPONSES: Final[dict[Signal, type[Message]]] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""``deflate`` is the zlib format (RFC 9110, 8.4.1.2)."""

_MAX_GZIP_MEMBERS: Final = 1000
"""A body may be several gzip members in a row; each costs a copy of what follows it."""


class PayloadError(ReceiverError):
    """A request is refused; says why, as an HTTP status and as a ``google.rpc.Code``."""

    def __init__(self, http_status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


def detect_encoding(content_type: str) -> Encoding:
    """Tell the encoding from a Content-Type header, its parameters ignored."""
    media_type = content_type.partition(";")[0].strip().lower()
    for encoding, known in CONTENT_TYPES.items():
        if media_type == known:
            return encoding
    known_types = " or ".join(CONTENT_TYPES.values())
    raise PayloadError(
        415, INVALID_ARGUMENT, f"the Content-Type is {media_type!r}; send {known_types}"
    )


class BodyBuffer:
    """Collects one body, a chunk at a time, and never holds more than ``max_bytes`` of it."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0
        self._members = 0
        encoding = content_encoding.strip().lower()
        if encoding in {"", "identity"}:
            self._window_bits = None
            return
        self._window_bits = _WINDOW_BITS.get(encoding)
        if self._window_bits is None:
            raise PayloadError(
                415,
                INVALID_ARGUMENT,
                f"the Content-Encoding is {encoding!r}; send gzip, deflate or identity",
            )
        self._decompressor = zlib.decompressobj(self._window_bits)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body; raise ``PayloadError`` when it grows too large."""
        self._received += len(chunk)
        if self._received > self._max_bytes:
            raise self._too_large()
        if self._window_bits is None:
            self._keep(chunk)
        elif chunk:
            try:
                self._inflate(chunk, self._window_bits)
            except zlib.error as error:
                raise PayloadError(
                    400, INVALID_ARGUMENT, f"the body cannot be decompressed: {error}"
                ) from error

    def finish(self) -> bytes:
        """Give the whole body; raise ``PayloadError`` if its compressed form was cut."""
        if self._window_bits is not None and not self._decompressor.eof:
            raise PayloadError(400, INVALID_ARGUMENT, "the compressed body is not complete")
        return b"".join(self._parts)

    def _inflate(self, chunk: bytes, window_bits: int) -> None:
        while chunk:
            if self._decompressor.eof:
                self._members += 1
                if self._members >= _MAX_GZIP_MEMBERS:
                    raise PayloadError(
                        400,
                        INVALID_ARGUMENT,
                        f"the body has more than {_MAX_GZIP_MEMBERS} compressed members",
                    )
                self._decompressor = zlib.decompressobj(window_bits)
            # One byte more than allowed is enough to know; a bomb is never unpacked (zlib caps it).
            self._keep(self._decompressor.decompress(chunk, self._max_bytes - self._size + 1))
            chunk = self._decompressor.unconsumed_tail or self._decompressor.unused_data

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise self._too_large()
        self._parts.append(part)

    def _too_large(self) -> PayloadError:
        return PayloadError(
            413,
            RESOURCE_EXHAUSTED,
            f"the body is larger than {self._max_bytes} bytes; send smaller batches",
        )


def decode_request(signal: Signal, body: bytes, encoding: Encoding) -> Message:
    """Give the ``Export...ServiceRequest`` of a body; an empty one is a request without data.

    Raises:
        PayloadError: the body is not OTLP (400).
    """
    request = REQUESTS[signal]()
    try:
        if encoding == "protobuf":
            request.ParseFromString(body)
        else:
            data = json.loads(body)
            if not isinstance(data, dict):
                raise PayloadError(
                    400,
                    INVALID_ARGUMENT,
                    f"the body is not a JSON object but a {type(data).__name__}",
                )
            decode_into(data, request)
    except (
        DecodeError,
        ParseError,
        RecordingError,
        RecursionError,
        ValueError,
        TypeError,
        OverflowError,
        AttributeError,
    ) as error:
        # json_format lets several built-in errors through where a value has a surprising type.
        raise PayloadError(
            400,
            INVALID_ARGUMENT,
            f"the body is not an OTLP {signal} request in {encoding}: {error}",
        ) from error
    return request


def encode_success(signal: Signal, encoding: Encoding) -> bytes:
    """Give the body that accepts a whole request: ``partial_success`` is unset."""
    return _encode(_RESPONSES[signal](), encoding)


def encode_failure(error: PayloadError, encoding: Encoding) -> bytes:
    """Give the body that refuses a request, a ``google.rpc.Status``."""
    return _encode(Status(code=error.code, message=str(error)), encoding)


def _encode(message: Message, encoding: Encoding) -> bytes:
    if encoding == "protobuf":
        return message.SerializeToString()
    return json.dumps(encode_message(message)).encode()
