"""The shop of examples/: how it is run under OpenTelemetry, and the requests that it is sent."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import secrets
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from nogi_otel.errors import DemoError, MissingExtraError, SettingsError

if TYPE_CHECKING:
    from nogi_otel.cli.service import Service

Phase: TypeAlias = Literal["before", "window", "after"]

ORDER: Final = "POST /orders"
ERROR: Final = "GET /error"

SECRET_VARIABLES: Final = ("SHOP_STOCK_TOKEN", "SHOP_INVOICE_PASSWORD")
"""Where the shop reads what must never leave it."""

OWN_PREFIX: Final = "OTEL_PYTHON_NOGI_"
"""Of the settings that the shop is given from our own environment."""

_ANSWER_S: Final = 10.0
_MODULES: Final = (
    "flask",
    "requests",
    "opentelemetry.distro",
    "opentelemetry.instrumentation.flask",
    "opentelemetry.instrumentation.requests",
    "opentelemetry.instrumentation.sqlite3",
)


class Visit(NamedTuple):
    """A request that was sent to the shop."""

    phase: Phase
    route: str
    """``POST /orders`` or ``GET /error``."""
    trace_id: str
    parent_id: str
    """The span that the request said it came from."""
    port: int
    order_id: int = 0


def send_order(service: Service, phase: Phase) -> Visit:
    """Order something.

    Raises:
        DemoError: the shop did not answer as it should.
    """
    visit = _prepare(service, phase, ORDER)
    body = json.dumps({"item": "tea", "quantity": 2})
    answer = _send(service, visit, 201, body)
    try:
        return visit._replace(order_id=int(json.loads(answer)["order"]))
    except (ValueError, TypeError, KeyError) as error:
        raise DemoError(f"the shop answered {visit.route} without the order's number") from error


def send_error(service: Service, phase: Phase) -> Visit:
    """Ask for what fails.

    Raises:
        DemoError: the shop did not answer as it should.
    """
    visit = _prepare(service, phase, ERROR)
    _send(service, visit, 500)
    return visit


def _prepare(service: Service, phase: Phase, route: str) -> Visit:
    port = urlsplit(service.url).port or 0
    return Visit(phase, route, secrets.token_hex(16), secrets.token_hex(8), port)


def _send(service: Service, visit: Visit, wanted: int, body: str | None = None) -> bytes:
    """Send a request that says which trace it belongs to (W3C Trace Context); give the answer."""
    method, path = visit.route.split()
    headers = {
        "traceparent": f"00-{visit.trace_id}-{visit.parent_id}-01",
        "Content-Type": "application/json",
    }
    connection = http.client.HTTPConnection("127.0.0.1", visit.port, timeout=_ANSWER_S)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        service.check()
        raise DemoError(f"{visit.route} was not answered: {error}") from error
    finally:
        connection.close()
    if response.status != wanted:
        raise DemoError(f"the shop answered {visit.route} with {response.status}, not {wanted}")
    return answer


def build_command(shop: Path | None) -> list[str]:
    """Give the command that runs the shop under OpenTelemetry, in the environment of this tool.

    Raises:
        SettingsError: there is no shop to run.
        MissingExtraError: its packages are not installed.
    """
    if shop is None:
        folder = Path(__file__).resolve().parents[3] / "examples" / "shop"
        advice = (
            "the demo runs examples/shop of nogi-otel's source tree, which is not installed with "
            "the package; get the source tree and name the folder with --shop"
        )
    else:
        folder = shop if shop.is_dir() else shop.parent
        advice = f"there is no shop in {shop}; name the folder examples/shop of nogi-otel"
    program = folder / "app.py"
    if not program.is_file():
        raise SettingsError(advice)
    tool = Path(sysconfig.get_path("scripts"), "opentelemetry-instrument")
    missing = [name for name in _MODULES if not _is_installed(name)]
    if missing or not tool.is_file():
        raise MissingExtraError(
            f"the shop needs packages that are not installed ({', '.join(missing) or tool.name}): "
            "pip install flask requests opentelemetry-distro opentelemetry-instrumentation-flask "
            "opentelemetry-instrumentation-requests opentelemetry-instrumentation-sqlite3"
        )
    return [str(tool), sys.executable, str(program), "--port", "0"]


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def build_environment(endpoint: str, protocol: str) -> dict[str, str]:
    """Give the shop's environment: ours, our own settings too, but no other telemetry or proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(OWN_PREFIX)
        or not (name.startswith("OTEL_") or name.lower().endswith("_proxy"))
    }
    return kept | {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
