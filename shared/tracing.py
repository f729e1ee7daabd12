"""W3C trace context: from the request, through the row and the message, into the worker. A no-op without an SDK."""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
tracer = trace.get_tracer("torchrelay")


def context_of(headers: Mapping[str, str]) -> Context:
    """The caller's trace context; a malformed one counts as none."""
    return _PROPAGATOR.extract(headers)


def traceparent_of(context: Context | None = None) -> str | None:
    """The header that continues this context elsewhere."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context)
    return carrier.get("traceparent")
