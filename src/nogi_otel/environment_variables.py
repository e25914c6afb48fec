"""The environment variables that nogi_otel reads, each with its documentation.

``opentelemetry-instrument`` turns every one into a flag: ``OTEL_PYTHON_NOGI_EVENTS`` becomes
``--nogi_events``. Keywords of ``NogiInstrumentor().instrument()`` of the same name win over them.
"""

OTEL_PYTHON_NOGI_EVENTS = "OTEL_PYTHON_NOGI_EVENTS"
"""Which audit events are selected: a comma separated list of event names, globs (``socket.*``),
classes (``%network``) and profiles (``incident``, ``network``, ``files``, ``processes``,
``database``, ``imports``, ``security``, ``everything``). Default: ``incident``."""

OTEL_PYTHON_NOGI_EXCLUDED_EVENTS = "OTEL_PYTHON_NOGI_EXCLUDED_EVENTS"
"""Which audit events are left out although selected; the same list as for the selection.
Default: none."""

OTEL_PYTHON_NOGI_WHERE = "OTEL_PYTHON_NOGI_WHERE"
"""A condition on the decoded event, for example
``file.path =~ "/etc/*" and thread.name != "MainThread"``. What does not meet it is counted as
filtered. Default: none."""

OTEL_PYTHON_NOGI_EMIT = "OTEL_PYTHON_NOGI_EMIT"
"""What an audit event becomes: one or more of ``logs``, ``span_events`` and ``spans``, comma
separated. ``logs`` are OTLP log records; ``span_events`` puts the event on the span that was
current, for backends that take no logs; ``spans`` makes a child span of no duration of it, without
a limit for each span. ``none`` exports nothing, which leaves a recording.
Default: ``logs,span_events``."""

OTEL_PYTHON_NOGI_START_SIGNAL = "OTEL_PYTHON_NOGI_START_SIGNAL"
"""The signal that opens a window: a name (``SIGUSR1``, ``USR1``, ``SIGRTMIN+3``), a number, or
``none``. Default: ``SIGUSR1``."""

OTEL_PYTHON_NOGI_STOP_SIGNAL = "OTEL_PYTHON_NOGI_STOP_SIGNAL"
"""The signal that closes the window: a name, a number, or ``none``. Default: ``SIGUSR2``."""

OTEL_PYTHON_NOGI_START = "OTEL_PYTHON_NOGI_START"
"""``armed``: wait for the signal. ``open``: open a window as soon as the process is armed.
Default: ``armed``."""

OTEL_PYTHON_NOGI_MAX_DURATION = "OTEL_PYTHON_NOGI_MAX_DURATION"
"""The number of seconds after which a window closes by itself; ``0`` is no limit.
Default: ``600``."""

OTEL_PYTHON_NOGI_MAX_EVENTS = "OTEL_PYTHON_NOGI_MAX_EVENTS"
"""The number of audit events after which a window closes by itself; ``0`` is no limit.
Default: ``0``."""

OTEL_PYTHON_NOGI_RATE_LIMIT = "OTEL_PYTHON_NOGI_RATE_LIMIT"
"""The number of audit events captured in one second, at most; more are counted as rate limited.
A comma separated list may also limit event names or globs: ``1000,open=100,socket.*=50``. ``0`` is
no limit. Default: ``0``."""

OTEL_PYTHON_NOGI_CPU_BUDGET = "OTEL_PYTHON_NOGI_CPU_BUDGET"
"""How much of one core the drain may use, in percent, averaged over a window; a window starts
with credit for two seconds. Beyond it, events are sampled out, rare ones last, and counted.
``0`` is no limit. Default: ``5``."""

OTEL_PYTHON_NOGI_SPAN_EVENT_LIMIT = "OTEL_PYTHON_NOGI_SPAN_EVENT_LIMIT"
"""The number of audit events put on one span, at most. The application's own events are never
pushed out for them; how many were left out stands on the span. Default: ``64``."""

OTEL_PYTHON_NOGI_CODE = "OTEL_PYTHON_NOGI_CODE"
"""Where in the code an event was raised: ``none``; ``location``, the first frame of the
application (``code.file.path``, ``code.line.number``, ``code.function.name``); or ``stack``, a
bounded ``code.stacktrace`` as well. Default: ``none``."""

OTEL_PYTHON_NOGI_REDACT = "OTEL_PYTHON_NOGI_REDACT"
"""Redaction rules to add, separated by ``;``: ``name=regex`` takes what matches in a text,
``key:name=regex`` takes the value behind a name that matches. Default: none."""

OTEL_PYTHON_NOGI_UNREDACT = "OTEL_PYTHON_NOGI_UNREDACT"
"""The names of redaction rules to lift, comma separated; ``*`` lifts all. Secrets may then leave
the process. Default: none."""

OTEL_PYTHON_NOGI_RECORDING = "OTEL_PYTHON_NOGI_RECORDING"
"""A file to which audit events are appended as OTLP JSON lines, with or without a Collector.
``{pid}`` and ``{service}`` are replaced. Default: none."""

OTEL_PYTHON_NOGI_PIPELINE = "OTEL_PYTHON_NOGI_PIPELINE"
"""The way out of log records. ``direct``: through an OTLP exporter of our own, configured by the
``OTEL_EXPORTER_OTLP_*`` variables, so that a flood never pushes out the application's own logs.
``provider``: through the application's ``LoggerProvider`` and its processors. ``auto``: direct
where the result is the same. Default: ``auto``."""

OTEL_PYTHON_NOGI_ENDPOINT = "OTEL_PYTHON_NOGI_ENDPOINT"
"""An OTLP endpoint for audit records alone, for example ``http://127.0.0.1:4318``, while the
application's own telemetry goes where it always went. Implies the pipeline ``direct``; headers,
certificates and compression are those of ``OTEL_EXPORTER_OTLP_*``. Default: none."""

OTEL_PYTHON_NOGI_BUFFER = "OTEL_PYTHON_NOGI_BUFFER"
"""The size of the ring between the hook and the drain, in bytes, or with the unit ``KiB`` or
``MiB``. The Python core counts 1 KiB for an event. Default: ``8MiB``."""

OTEL_PYTHON_NOGI_FLUSH_TIMEOUT = "OTEL_PYTHON_NOGI_FLUSH_TIMEOUT"
"""The number of seconds that the end of the process may wait, at most, for captured events to be
shipped. Default: ``5``."""
