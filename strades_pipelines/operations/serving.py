"""Commands about a served installation: end what is left of it, and watch whether it keeps up."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from strades_pipelines.bad_input import BadInput
from strades_pipelines.research.research_options import Json
from strades_pipelines.settings import settings

app = typer.Typer()
dashboard_app = typer.Typer(no_args_is_help=True, help="The pages that people work with.")
app.add_typer(dashboard_app, name="dashboard")


@app.command()
def down() -> None:
    """End a `strades up` of this installation, and everything that is left of one that was killed."""
    from strades_pipelines.supervision.down import down as end_all

    ended = end_all()
    Console().print(f"ended: {', '.join(ended)}" if ended else "nothing of `strades up` was running")


@app.command()
def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once; exit code 1 where something is behind.")] = False,
    every: Annotated[int, typer.Option(metavar="SECONDS", min=1, help="How long to wait between two looks.")] = 60,
    as_json: Json = False,
) -> None:
    """Alert when schedules, sensors or wallets fall behind, or the database does not answer; for cron or a container.

    Needs neither Dagster nor its database. What was told is kept in the home, so that it is told once.
    """
    from strades_pipelines.supervision.watch import look_and_alert

    while True:
        status = look_and_alert()
        if as_json:
            print(status.as_json(), flush=True)
        else:
            print(f"{status.at:%Y-%m-%dT%H:%M:%SZ} {status.line}", flush=True)
        if once:
            raise typer.Exit(1 if status.lags else 0)
        time.sleep(every)


@app.command()
def stream(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Default: all of Sources.json that have a stream.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End after so long.", show_default="when it is stopped")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep the streams of sources: every frame, what it says, and bars of the trades. Needs no Dagster."""
    from strades_pipelines.operations.streaming import run_streams

    run_streams(sources or [], seconds=seconds, as_json=as_json)


@app.command()
def nginx(
    folder: Annotated[Path, typer.Argument(help="Where the configuration is written, and NGINX finds it.")],
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Default: STRADES_NGINX_HOST and STRADES_NGINX_PORT.")
    ] = None,
    dashboard: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The dashboard where NGINX cannot reach its Unix socket.")
    ] = None,
    webserver: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Dagster's webserver.")] = None,
    readonly: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The one without mutations.")] = None,
    docs: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The dbt docs.")] = None,
    sockets: Annotated[Path | None, typer.Option(help="Folder of the Unix sockets. Default: run of the home.")] = None,
) -> None:
    """Write the configuration of NGINX, a local certificate where none is named, and torrc for an onion service."""
    from strades_pipelines.serving.nginx import site, write
    from strades_pipelines.serving.sockets import socket_folder

    if settings().nginx_port is None:
        raise BadInput("STRADES_NGINX_PORT: expected the port on which NGINX serves")
    folder = folder.resolve()
    described = site(settings(), folder, sockets or socket_folder())
    described = replace(
        described,
        listen=listen or described.listen,
        dashboard=dashboard,
        webserver=webserver or described.webserver,
        readonly=readonly or described.readonly,
        docs=docs or described.docs,
    )
    write(described)
    Console(soft_wrap=True, highlight=False).print(f"written: {folder}; nginx -p {folder}/ -c {folder}/nginx.conf")


@app.command()
def replay(
    connection: Annotated[
        int | None, typer.Argument(help="Of a stream, as `strades trace` shows it. Default: list the newest.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a connection's frames again, decide again, and compare with what was stored and decided."""
    from strades_pipelines.operations.replaying import run_replay

    run_replay(connection, as_json=as_json)


@dashboard_app.command("serve")
def dashboard_serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs an account first.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Default: STRADES_DASHBOARD_PORT.")] = None,
) -> None:
    """Serve the dashboard alone; `strades up` serves it with everything else."""
    _run_dashboard("serve", "--host", host, *(["--port", str(port)] if port else []))


@dashboard_app.command("createuser")
def dashboard_createuser(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[str, typer.Option(help="viewer, analyst, trader or admin.")] = "viewer",
) -> None:
    """Make an account; the password is asked for, or read as one line from standard input."""
    _run_dashboard("createuser", name, "--role", role)


@dashboard_app.command("removefactor")
def dashboard_removefactor(name: Annotated[str, typer.Argument(help="The name of the account.")]) -> None:
    """Remove an account's second factor that was lost or cannot be read; its password alone signs in then."""
    _run_dashboard("removefactor", name)


@dashboard_app.command("digests")
def dashboard_digests() -> None:
    """Send the mails about the feed that are due; Dagster does it each day. None is sent twice."""
    from strades_pipelines.system.child_environment import for_digests

    _run_dashboard("digests", environment_of=for_digests)


def _run_dashboard(
    *arguments: str, environment_of: Callable[[Mapping[str, str], str], dict[str, str]] | None = None
) -> NoReturn:
    """Go on as the dashboard's own process, which imports Django: no other command does."""
    from strades_pipelines.database.connection import working_dashboard_url
    from strades_pipelines.installation.install import prepare
    from strades_pipelines.system.child_environment import for_dashboard

    prepare()
    environment = (environment_of or for_dashboard)(os.environ, working_dashboard_url())
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "dashboard", *arguments], environment)
