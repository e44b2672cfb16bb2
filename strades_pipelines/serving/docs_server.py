"""Serve the dbt docs behind the request guard: `python -m strades_pipelines.serving.docs_server --port 8081 FOLDER`."""

import argparse
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from strades_pipelines.origins import public_origins
from strades_pipelines.settings import settings
from strades_pipelines.system.request_guard import RequestGuard


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m strades_pipelines.serving.docs_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the pages have no login")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("folder", nargs="?", default=settings().home / "docs", help="what to serve")
    options = parser.parse_args(arguments)
    uvicorn.run(
        guarded_docs(str(options.folder)),
        host=options.host,
        port=options.port,
        log_level="warning",
        proxy_headers=False,
    )


def guarded_docs(folder: str) -> RequestGuard:
    """Return the files of `folder` behind the guard; a link elsewhere may lead to any of them."""
    files = Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])
    return RequestGuard(files, write_methods={}, public_origins=public_origins(settings().public_host), not_pages=())


if __name__ == "__main__":
    main()
