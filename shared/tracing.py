"""W3C trace context: from the request, through the row and the message, into the worker. A no-op without an SDK."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("torchrelay")


def context_of(headers: Mapping[str, str]) -> Context:
    """The caller's trace context; a malformed one counts as none."""
    return _PROPAGATOR.extract(headers)


def traceparent_of(context: Context | None = None) -> str | None:
    """The header that continues this context elsewhere."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context)
    return carrier.get("traceparent")


@contextmanager
def job_spans(name: str, jobs: Iterable[tuple[UUID, str | None]]) -> Iterator[None]:
    """A span for each job of a batch, each in the trace of its own submission. jobs: (id, traceparent)."""
    spans = [
        _TRACER.start_span(
            name, context_of({"traceparent": parent} if parent else {}), attributes={"job_id": str(job_id)}
        )
        for job_id, parent in jobs
    ]
    try:
        yield
    finally:
        for span in spans:
            span.end()
