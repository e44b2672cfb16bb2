"""Commands about a served installation: end what is left of it, and watch whether it keeps up."""

import time
from typing import Annotated

import typer
from rich.console import Console

from strades_pipelines.research.options import Json

app = typer.Typer()


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
