"""Traces by OpenTelemetry of what runs and what is sent (`STRADES_TRACES_URL`, extra `tracing`).

Without the setting nothing of OpenTelemetry is imported, and a span costs a look at a cache. A collector that is away,
or a variable of OpenTelemetry's that is wrong, costs the spans, never the work: they are sent by a thread, which gives
up after `EXPORT_SECONDS`, and at the end of the process all that wait have as long together. A span has ids and the
kind of an error, no message: those may repeat what is secret.
"""

import atexit
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Event, Thread
from typing import Any

from strades_pipelines.settings import settings
from strades_pipelines.system.secret_values import remember_secret

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
        try:
            if error is not None:
                from opentelemetry.trace import Status, StatusCode

                self.inner.set_status(Status(StatusCode.ERROR, error))
            self.inner.end()
        except Exception as fault:  # whatever it is: an order may be on its way
            _warn(type(fault).__name__)


def begin_span(name: str, parent: Span | None = None, **ids: str) -> Span:
    """Begin a span.

    Args:
        ids: what it is about, `wallet="paper"` say.
    """
    tracer = _tracer()
    if tracer is None:
        return Span()
    try:
        context = None
        if parent is not None and parent.inner is not None:
            from opentelemetry.trace import set_span_in_context

            context = set_span_in_context(parent.inner)
        attributes = {f"strades.{key}": value for key, value in ids.items()}
        return Span(tracer.start_span(name, context=context, attributes=attributes))
    except Exception as fault:
        _warn(type(fault).__name__)
        return Span()


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
        return _new_tracer(url)
    except ImportError:
        LOGGER.warning("STRADES_TRACES_URL: OpenTelemetry is not installed (pip install 'strades[tracing]'): no traces")
    except Exception as fault:  # it reads variables of its own, OTEL_BSP_SCHEDULE_DELAY say, and refuses some values
        _warn(f"{type(fault).__name__}: {fault}")
    return None


def _new_tracer(url: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    pairs = [header.partition("=") for header in (settings().traces_headers or "").split(",") if header]
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    for value in headers.values():
        remember_secret(value)
    resource = Resource.create({"service.name": "strades", "strades.world": settings().world})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, headers=headers, timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _shut_down_at_exit(provider.shutdown)
    return provider.get_tracer("strades")


def _shut_down_at_exit(shut_down: Callable[[], None]) -> None:
    """Call it when the process ends, which goes on after `EXPORT_SECONDS`: OpenTelemetry itself would wait for 30.

    The thread is begun now: Python 3.12 begins none while it ends.
    """
    ends = Event()

    def wait() -> None:
        ends.wait()
        shut_down()

    thread = Thread(target=wait, name="strades-traces", daemon=True)
    thread.start()

    def end() -> None:
        ends.set()
        thread.join(EXPORT_SECONDS)

    atexit.register(end)


@cache
def _warn(why: str) -> None:
    """Say it once."""
    LOGGER.warning("STRADES_TRACES_URL: OpenTelemetry cannot be used, no traces (%s)", why)
