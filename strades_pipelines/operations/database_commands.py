"""The commands of `strades db`. Each imports what it needs when it runs, so that `--help` is fast."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from strades_pipelines.operations.output import print_json
from strades_pipelines.research.research_options import Json
from strades_pipelines.system import stopping

app = typer.Typer(no_args_is_help=True, help="The database.")


@app.command("url")
def print_url(database: Annotated[str | None, typer.Argument(help="Default: this world's.")] = None) -> None:
    """Print the connection URL of the role of daily work (it holds the password)."""
    from strades_pipelines.database.connection import create_databases, database_url

    create_databases()
    sys.stdout.write(database_url(database) + "\n")


@app.command("psql")
def open_psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Handed to psql, after `--`.")] = None,
) -> None:
    """Open psql on this world's database."""
    from strades_pipelines.database.psql import psql

    stopping.disarm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql cancels its query
    raise typer.Exit(psql(arguments or []))


@app.command("hash")
def print_hashes(as_json: Json = False) -> None:
    """Print a hash of every table: databases with the same data print the same. Rows of cold months are in none."""
    from strades_pipelines.database.connection import create_databases
    from strades_pipelines.database.fingerprint import table_hashes

    create_databases()
    hashes = table_hashes()
    if as_json:
        print_json(hashes)
    else:
        for table, value in hashes.items():
            sys.stdout.write(f"{value}  {table}\n")


@app.command("stop")
def stop_server() -> None:
    """Stop the embedded database."""
    from strades_pipelines.database.connection import embedded_server

    Console().print("stopped" if embedded_server().stop() else "it was not running")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], as_json: Json = False) -> None:
    """Write a consistent snapshot of this world's database into one file."""
    from strades_pipelines.operations.running import run_backup

    run_backup(file, as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file of `strades db backup`.")],
    force: Annotated[bool, typer.Option("--force", help="Also if this world holds data, which is lost.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also if another installation made it, or an older version.")
    ] = False,
    disconnect: Annotated[
        bool, typer.Option("--disconnect", help="Also while others use the database; their sessions are ended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Replace this world's database with a backup, after verifying that it is what was saved.

    A backup holds SQL. One that this installation made and signed is restored directly; any other needs --trust: its
    SQL runs as a role that can only fill the new database, but the content of its rows is not verified.
    """
    from strades_pipelines.operations.running import run_restore

    run_restore(file, force=force, trust=trust, disconnect=disconnect, as_json=as_json)


@app.command("base-backup")
def base_backup(
    full: Annotated[bool, typer.Option("--full", help="All of it, also where an increment would do.")] = False,
    as_json: Json = False,
) -> None:
    """Copy the embedded server, all its databases, into STRADES_ARCHIVE: what changed, or once a week everything."""
    from strades_pipelines.operations.recovering import run_base_backup

    run_base_backup(full=full, as_json=as_json)


@app.command()
def recover(
    folder: Annotated[Path, typer.Argument(help="A new folder for the recovered server.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="2026-11-30T12:00:00Z, say.", show_default="the end of the archive"),
    ] = None,
    from_store: Annotated[
        bool, typer.Option("--from-store", help="First fetch what the archive lacks from STRADES_ARCHIVE_STORE.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create a server from STRADES_ARCHIVE as of a moment; this installation's own server is not changed."""
    from strades_pipelines.operations.recovering import run_recover

    run_recover(folder, at, from_store=from_store, as_json=as_json)


@app.command()
def drill(as_json: Json = False) -> None:
    """Delete a row, recover to one second before, verify all bodies there, and print how long it took."""
    from strades_pipelines.operations.recovering import run_recovery_drill

    run_recovery_drill(as_json=as_json)
