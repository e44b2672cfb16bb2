"""Dagster's webserver behind the request guard: `python -m strades_pipelines.serving.webserver --port 3000`.

Has the options of `dagster-webserver` that are of use here. Nothing of its pages, GraphQL or subscriptions changes.
"""

import argparse
import logging
import os
import signal
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from strades_pipelines.origins import public_origins
from strades_pipelines.settings import settings
from strades_pipelines.system.request_guard import RequestGuard, first_segments

if TYPE_CHECKING:
    from dagster._core.workspace.context import IWorkspaceProcessContext

STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_MAX_OVERFLOW = 15_000, 3_600, 20  # as in dagster-webserver
WEB_SOCKET_SECONDS = 3_600  # NGINX asks who somebody is when one is opened: it outlives a sign-out by no more
STOP_SECONDS = 2  # for open requests and web sockets, once it is told to stop
REPORTS = ("report_asset_materialization", "report_asset_check", "report_asset_observation")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    import uvicorn
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._utils.log import configure_loggers
    from dagster_webserver.version import __version__

    options = _parser().parse_args(arguments)
    origins = public_origins(settings().public_host)
    configure_loggers()
    logging.getLogger("strades_pipelines").handlers = logging.getLogger("dagster-webserver").handlers
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_MAX_OVERFLOW)
        workspace = WorkspaceFileTarget([options.workspace])
        with WorkspaceProcessContext(instance, workspace, version=__version__, read_only=options.read_only) as context:
            app = guarded_app(context, origins, options.path_prefix)
            uvicorn.run(
                app,
                host=options.host,
                port=options.port,
                log_level="warning",
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
            # Here after SIGINT only; SIGTERM ends the process within `run`. Leaving the context would take 6 seconds:
            # it waits for the thread that watches the code location. There is nothing to save.
            os._exit(128 + signal.SIGINT)


def guarded_app(
    context: "IWorkspaceProcessContext[Any]", origins: Collection[str], path_prefix: str = ""
) -> RequestGuard:
    """Return Dagster's own application behind the guard; a proxy shows it at `origins`, below `path_prefix`.

    GraphQL is taken from the body of a POST only: Dagster would run a mutation from the query string of a GET too.
    """
    from dagster_webserver.app import create_app_from_workspace_process_context

    app = create_app_from_workspace_process_context(context, path_prefix, live_data_poll_rate=2_000)
    return RequestGuard(
        app,
        write_methods={"graphql": ("POST",), **dict.fromkeys(REPORTS, ("POST",))},
        public_origins=origins,
        query_names={"graphql": ("op",)},  # the pages name the operation there, for whoever reads a log
        web_sockets=("graphql",),
        not_pages=_segments_that_are_no_pages(app, path_prefix),
        path_prefix=path_prefix,
        web_socket_seconds=WEB_SOCKET_SECONDS,
    )


def _segments_that_are_no_pages(app: Starlette, path_prefix: str) -> set[str]:
    """Return what Dagster routes by itself; its page answers all other paths, and finds out in the browser which it is.

    Taken from the routes, so that what a later version of Dagster adds is no page either.
    """
    routes: list[BaseRoute] = app.routes
    if path_prefix:
        routes = [inner for mount in routes if isinstance(mount, Mount) for inner in mount.routes]
    return first_segments(route.path for route in routes if isinstance(route, Route | WebSocketRoute | Mount))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m strades_pipelines.serving.webserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the pages have no login")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--workspace", default="workspace.yaml", help="file that names the code location")
    parser.add_argument("--read-only", action="store_true", help="serve no mutation")
    parser.add_argument("--path-prefix", default=settings().dagster_path, help="where a proxy shows it: /dagster")
    return parser


if __name__ == "__main__":
    main()
