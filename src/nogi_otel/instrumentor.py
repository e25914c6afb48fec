"""``NogiInstrumentor``: how OpenTelemetry loads this package without a code change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined, unused-ignore]
    BaseInstrumentor,
)

from nogi_otel import agent
from nogi_otel.errors import NogiError

if TYPE_CHECKING:
    from collections.abc import Collection

logger = logging.getLogger("nogi_otel")


class NogiInstrumentor(BaseInstrumentor):  # type: ignore[misc, unused-ignore]
    """Arms the process; the entry point ``nogi`` of ``opentelemetry_instrumentor``.

    ``instrument(**settings)`` takes the settings of the ``OTEL_PYTHON_NOGI_*`` variables as
    keywords, without the prefix and in lower case: ``instrument(events="socket.*")``. It raises
    nothing: a setting that is not allowed is logged, and the application runs on.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Depend on no library: what is audited is CPython itself."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        """Arm, keeping every error but ImportError from the application and other instrumentors."""
        keywords = {key: value for key, value in kwargs.items() if not key.endswith("_provider")}
        try:
            agent.arm(keywords)
        except ImportError:
            raise
        except NogiError as error:
            logger.error("nogi_otel opens no window: %s", error)  # noqa: TRY400 - says what to do
        except Exception:
            logger.exception("nogi_otel could not be armed; the application runs on without it.")

    def _uninstrument(self, **_: Any) -> None:
        """Close the window, ship what is captured and give the signals back."""
        agent.disarm()
