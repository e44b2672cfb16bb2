"""Traces by OpenTelemetry of what runs and what is sent (`STRADES_TRACES_URL`, extra `tracing`).

Without the setting nothing of OpenTelemetry is imported, and a span costs a look at a cache. A collector that is away
costs its spans, never the work: they are sent by a thread, which gives up after `EXPORT_SECONDS`. A span has ids and
the kind of an error, no message: those may repeat what is secret.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from strades_pipelines.settings import settings

EXPORT_SECONDS = 2
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Span:
    """A span that has begun; `inner` is OpenTelemetry's, None where nothing is traced."""

    inner: Any = None

    def end(self, error: str | None = None) -> None:
        """End it; `error` is the kind of what went wrong."""
        if self.inner is None:
            return
        if error is not None:
            from opentelemetry.trace import Status, StatusCode

            self.inner.set_status(Status(StatusCode.ERROR, error))
        self.inner.end()


def begin_span(name: str, parent: Span | None = None, **ids: str) -> Span:
    """Begin a span.

    Args:
        ids: what it is about, `wallet="paper"` say.
    """
    tracer = _tracer()
    if tracer is None:
        return Span()
    context = None
    if parent is not None and parent.inner is not None:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent.inner)
    attributes = {f"strades.{key}": value for key, value in ids.items()}
    return Span(tracer.start_span(name, context=context, attributes=attributes))


@contextmanager
def span(name: str, **ids: str) -> Iterator[None]:
    """A span around a block; what the block raises is passed on, and its kind is the span's error."""
    begun = begin_span(name, None, **ids)
    try:
        yield
    except BaseException as error:
        begun.end(type(error).__name__)
        raise
    begun.end()


@cache
def _tracer() -> Any:
    url = settings().traces_url
    if url is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        LOGGER.warning("STRADES_TRACES_URL: OpenTelemetry is not installed (pip install 'strades[tracing]'): no traces")
        return None
    resource = Resource.create({"service.name": "strades", "strades.world": settings().world})
    provider = TracerProvider(resource=resource)  # which sends what it still has when the process ends
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)))
    return provider.get_tracer("strades")
