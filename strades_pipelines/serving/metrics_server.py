"""Serve `/metrics` to Prometheus: `python -m strades_pipelines.serving.metrics_server --port 9464`."""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from strades_pipelines.database.connection import DAGSTER_DATABASE, WORLD_DATABASES, running_url
from strades_pipelines.origins import public_origins
from strades_pipelines.settings import settings
from strades_pipelines.supervision.metric_definitions import METRICS
from strades_pipelines.supervision.metrics import read_metrics
from strades_pipelines.system.request_guard import RequestGuard


class Collector:
    """Reads the figures at each scrape."""

    def collect(self) -> Iterator[Any]:
        """The metrics as prometheus_client's families."""
        from prometheus_client.core import GaugeMetricFamily

        families = {
            metric.name: GaugeMetricFamily(metric.name, metric.text, labels=metric.labels) for metric in METRICS
        }
        names = {metric.name: metric.labels for metric in METRICS}
        world = partial(running_url, WORLD_DATABASES[settings().world])
        for sample in read_metrics(world, partial(running_url, DAGSTER_DATABASE)):
            families[sample.name].add_metric([sample.labels[name] for name in names[sample.name]], sample.value)
        yield from families.values()


def metrics_page(request: Request) -> Response:
    """The figures in Prometheus's text format."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


def health_page(_request: Request) -> Response:
    """That the server answers: nothing is read for it."""
    return Response("ok\n", media_type="text/plain")


def guarded_metrics() -> RequestGuard:
    """The page behind the request guard: pages of other sites cannot ask for it, programs can, without a login."""
    pages = Starlette(routes=[Route("/metrics", metrics_page), Route("/health", health_page)])
    return RequestGuard(pages, write_methods={}, public_origins=public_origins(settings().public_host), not_pages=())


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m strades_pipelines.serving.metrics_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the figures have no login")
    parser.add_argument("--port", type=int, default=settings().metrics_port or 9464, help="port to listen on")
    options = parser.parse_args(arguments)
    uvicorn.run(guarded_metrics(), host=options.host, port=options.port, log_level="warning", proxy_headers=False)


if __name__ == "__main__":
    main()
