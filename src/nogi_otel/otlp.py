"""The direct way out: audit records through an official OTLP exporter of our own.

The exporter is configured by the ``OTEL_EXPORTER_OTLP_*`` variables like the application's, but
its queue and its failures are ours: an audit flood cannot push out the application's own logs,
and every record is accounted for as exported or failed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import get_tracer_provider

from nogi_otel.accounts import Shipped
from nogi_otel.carriers.attributes import SCHEMA_URL, SCOPE_NAME
from nogi_otel.carriers.export_reports import ExportReports
from nogi_otel.carriers.logs import LogRecords, ProviderSink, find_provider
from nogi_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry._logs import LogRecord

    from nogi_otel.record import AuditRecord

logger = logging.getLogger("nogi_otel")

BATCH_SIZE = 512
"""Records in one request, at most."""


class Sink(Protocol):
    """A way out for log records. All calls but ``close`` come from the drain."""

    name: str

    @property
    def refused(self) -> bool:
        """Whether what is behind it has said that it takes no logs."""

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Ship a batch; may block."""

    def ship_event(self, event: LogRecord) -> None:
        """Ship a record about this package itself."""

    def flush(self) -> None:
        """Ship what is held back."""

    def close(self) -> None:
        """End it; an export that is under way gives up."""


class DirectSink:
    """The way out through an OTLP exporter that nobody else uses."""

    name = "direct"

    def __init__(self, exporter: Any, resource: Resource) -> None:
        """Bind to an exporter; ``resource`` stands on every request."""
        self._exporter = exporter
        self._resource = resource
        self._scope = InstrumentationScope(SCOPE_NAME, __version__, SCHEMA_URL)
        self._records = LogRecords()
        self._reports = ExportReports()
        self._failing = False

    @property
    def refused(self) -> bool:
        """Whether the backend has said that it takes no logs: a Jaeger or a Tempo alone."""
        return self._reports.refused

    def ship(self, records: Sequence[AuditRecord]) -> Shipped:
        """Export the records, in batches; blocks until the receiver has them or the time is up."""
        exported = 0
        for start in range(0, len(records), BATCH_SIZE):
            batch = [self._records.build(one) for one in records[start : start + BATCH_SIZE]]
            exported += len(batch) if self._export(batch) else 0
        return Shipped(exported=exported, failed=len(records) - exported)

    def ship_event(self, event: LogRecord) -> None:
        """Export a record about this package itself."""
        self._export([event])

    def _export(self, batch: Sequence[LogRecord]) -> bool:
        result = self._exporter.export(
            [ReadableLogRecord(one, self._resource, self._scope) for one in batch],
        )
        failed = result is not LogRecordExportResult.SUCCESS
        if failed is not self._failing:
            self._failing = failed
            self._tell(failed=failed)
        return not failed

    def _tell(self, *, failed: bool) -> None:
        """Say once what goes wrong, and once that it is over."""
        if self.refused:
            logger.warning(
                "The OTLP endpoint takes no logs (%s), so audit events go there on spans only. "
                "Send logs to a Collector, or set OTEL_PYTHON_NOGI_EMIT=span_events to say so.",
                self._reports.reason,
            )
        elif failed:
            logger.warning(
                "Audit records do not get through, and are counted as lost: %s",
                self._reports.reason or "the exporter gives no reason",
            )
        else:
            logger.warning("Audit records get through again.")

    def flush(self) -> None:
        """Hold nothing back: ``ship`` returns when a batch is out."""

    def close(self) -> None:
        """End the exporter; an export that is waiting to retry gives up at once."""
        self._exporter.shutdown()
        self._reports.close()


def import_lazy_modules() -> None:
    """Import now what the first export would import: a fork in the middle of it breaks the child.

    requests asks for ``netrc`` when it sends its first request (``requests/utils.py``).
    """
    import netrc  # noqa: F401
    import shlex  # noqa: F401


def open_sink(pipeline: str, endpoint: str = "") -> Sink | None:
    """Return the way out for log records, or None where OpenTelemetry is not configured.

    ``pipeline`` is the setting of that name. ``auto`` is direct exactly where the result is the
    same: the application's provider has one processor, and it exports by OTLP, by an exporter that
    is configured as the environment says. An ``endpoint`` of our own implies direct.
    """
    import_lazy_modules()
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    provider = find_provider()
    exporter = _find_otlp_exporter(provider)
    if pipeline == "direct" or endpoint:
        kind = _choose_exporter() if endpoint or exporter is None else type(exporter)
        return DirectSink(_create_exporter(kind, endpoint), find_resource())
    if provider is None or not _processors(provider):
        # Without a processor the SDK would drop every record.
        return None
    if pipeline == "auto" and exporter is not None:
        own = _create_exporter(type(exporter))
        if describe_exporter(own) == describe_exporter(exporter):
            return DirectSink(own, provider.resource)
        own.shutdown()
    return ProviderSink(provider, _processors(provider))


_PARTS = ("_client", "_transport", "_session")
"""Where an exporter keeps what it is made of."""
_OF_NO_MATTER = frozenset(
    {"_metrics", "_shutdown", "_shutdown_event", "_logger", "cookies", "hooks"}
)


def describe_exporter(exporter: object) -> dict[str, object]:
    """Return how an exporter is configured, to hold it against one made by the environment.

    Plain values are compared as they are. Of other objects, such as gRPC credentials, only their
    absence can be compared: where one is there, it counts as different.
    """
    described: dict[str, object] = {}
    for name, value in vars(exporter).items():
        if name in _PARTS and hasattr(value, "__dict__") and "grpc" not in type(value).__module__:
            described[name] = describe_exporter(value)
        elif name in _OF_NO_MATTER or name in _GRPC_STATE:
            continue
        elif isinstance(value, Mapping):
            described[name] = {key: _plain(one) for key, one in value.items()}
        else:
            described[name] = _plain(value)
    return described


_GRPC_STATE = frozenset({"_channel", "_client", "_shutdown_in_progress", "adapters"})


def _plain(value: object) -> object:
    known = (str, bytes, int, float, bool, tuple, frozenset, Enum, type, type(None))
    return value if isinstance(value, known) else object()


def _processors(provider: Any) -> tuple[Any, ...]:
    multi = getattr(provider, "_multi_log_record_processor", None)
    return tuple(getattr(multi, "_log_record_processors", ()))


def _find_otlp_exporter(provider: Any) -> Any | None:
    """Return the provider's exporter where it is the only one and an official OTLP exporter."""
    processors = _processors(provider) if provider is not None else ()
    if len(processors) != 1:
        return None
    batch = getattr(processors[0], "_batch_processor", processors[0])
    exporter: Any = getattr(batch, "_exporter", None)
    module = type(exporter).__module__
    if type(exporter).__name__ != "OTLPLogExporter" or not module.startswith(_OFFICIAL):
        return None
    return exporter


_OFFICIAL = "opentelemetry.exporter.otlp.proto."


def _choose_exporter() -> type[Any]:
    """Return the class of exporter that the environment asks for."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL") or os.environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
    )
    if protocol.strip() == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (
            OTLPLogExporter as GrpcExporter,
        )

        return GrpcExporter
    from opentelemetry.exporter.otlp.proto.http._log_exporter import (
        OTLPLogExporter as HttpExporter,
    )

    return HttpExporter


def _create_exporter(kind: type[Any], endpoint: str = "") -> Any:
    """Return a new exporter, configured by the environment but for the endpoint given."""
    if endpoint:
        if ".grpc." not in kind.__module__:
            endpoint = f"{endpoint.rstrip('/')}/v1/logs"
        return kind(endpoint=endpoint)
    return kind()


def find_resource() -> Resource:
    """Return the resource that the application's own telemetry carries."""
    for provider in (find_provider(), get_tracer_provider()):
        resource = getattr(provider, "resource", None)
        if isinstance(resource, Resource):
            return resource
    try:
        return Resource.create()
    except RuntimeError:  # its detectors need threads, which a process that ends cannot start
        return Resource({"service.name": os.environ.get("OTEL_SERVICE_NAME", "unknown_service")})
