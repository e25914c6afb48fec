"""Where OpenTelemetry keeps the current span, told to the capture core as plain objects."""

from __future__ import annotations

import contextvars
from typing import Any

from opentelemetry import context as context_api
from opentelemetry.context.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.trace.propagation import _SPAN_KEY

from nogi_otel.capture import SpanSource

# Instrumentations of before 2023 set the plain key (opentelemetry/instrumentation/utils.py).
_PLAIN_SUPPRESS_KEY = "suppress_instrumentation"


def suppress_instrumentation() -> None:
    """Mark this thread's context, so that nothing traces or audits what it does from here on."""
    context_api.attach(
        context_api.set_value(context_api._SUPPRESS_INSTRUMENTATION_KEY, True)  # noqa: FBT003, SLF001
    )


def find_span_source() -> SpanSource | None:
    """Return where the current span is to be found, or None with a foreign context runtime.

    The recording span's class is the SDK's; where the SDK is not loaded there are no recording
    spans, and the API's own class stands in.
    """
    runtime: Any = context_api._RUNTIME_CONTEXT  # noqa: SLF001 - there is no public way in
    variable = getattr(runtime, "_current_context", None)
    if not isinstance(variable, contextvars.ContextVar):
        return None
    try:
        from opentelemetry.sdk.trace import Span, _Span
    except ImportError:
        recording_type: type = NonRecordingSpan
        recording_base: type = NonRecordingSpan
        has_recording_spans = False
    else:
        recording_type, recording_base = _Span, Span
        has_recording_spans = True
    return SpanSource(
        context_var=variable,
        context_type=Context,
        span_key=_SPAN_KEY,
        suppress_keys=(
            context_api._SUPPRESS_INSTRUMENTATION_KEY,  # noqa: SLF001
            _PLAIN_SUPPRESS_KEY,
        ),
        recording_type=recording_type,
        recording_base=recording_base,
        passive_type=NonRecordingSpan,
        span_context_type=SpanContext,
        has_recording_spans=has_recording_spans,
    )
