"""The commands that keep the data. What they need is imported when one of them runs."""

from pathlib import Path
from typing import Annotated

import typer

from strades_pipelines.operations import options as opt
from strades_pipelines.research.research_options import Json

app = typer.Typer()
db_app = typer.Typer()


@app.command()
def backfill(
    from_: Annotated[str, typer.Option("--from", metavar="DAY", help="First day (UTC).")],
    to: Annotated[str, typer.Option("--to", metavar="DAY", help="The day after the last.")],
    asset: Annotated[
        list[str] | None, typer.Option(metavar="LAYER/ENTITY", help="records/candles, say. Again for more.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Every asset of a layer instead.", show_default="all")] = None,
    as_json: Json = False,
) -> None:
    """Redo months of assets through Dagster, in this process: what is fetched lacks, what is worked anew."""
    from strades_pipelines.operations.running import run_backfill

    run_backfill(asset or (), layer, from_, to, as_json=as_json)


@app.command()
def gaps(
    instrument: opt.Listed = None,
    interval: Annotated[str | None, typer.Option(help="Only of bars of this length: 1m, 1d.")] = None,
    cause: Annotated[str | None, typer.Option(help="Only those of this cause.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Launch the backfills that may close them; say of the others why none can.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What is missing in the data, and why."""
    from strades_pipelines.operations.running import run_gap_closing, show_gaps

    (run_gap_closing if fix else show_gaps)(instrument, interval, cause, as_json=as_json)


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help="candle, trade, observation, corporate_action, article or document.")],
    file: Annotated[Path, typer.Argument(help="The file to write: .parquet, or .csv with its metadata in FILE.json.")],
    instrument: opt.Listed = None,
    from_: opt.FromDay = None,
    to: opt.ToDay = None,
    as_of: opt.AsOf = None,
    known_at: opt.KnownAt = None,
    own_use: Annotated[
        bool, typer.Option("--own-use", help="Also what its licence does not let you pass on: for yourself alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write records into a file, with as of when they are, their sources, licences and hashes."""
    from strades_pipelines.operations.running import run_export

    run_export(kind, file, instrument, (from_, to), (as_of, known_at), own_use=own_use, as_json=as_json)


@app.command()
def diff(
    kind: Annotated[str, typer.Argument(help="candle, trade, observation, corporate_action, article or document.")],
    before: Annotated[str, typer.Argument(metavar="TIME", help="As it was stored then: 2026-11-01T12:00:00Z.")],
    after: Annotated[str | None, typer.Argument(metavar="TIME", help="And then.", show_default="now")] = None,
    instrument: opt.Listed = None,
    from_: opt.FromDay = None,
    to: opt.ToDay = None,
    as_json: Json = False,
) -> None:
    """Which records were added, removed or changed between two times. --from and --to are of the records."""
    from strades_pipelines.operations.running import show_diff

    show_diff(kind, before, after, instrument, (from_, to), as_json=as_json)


@app.command()
def revisions(
    kind: Annotated[str | None, typer.Option(help="candle, observation, ...: only records of this kind.")] = None,
    instrument: opt.Listed = None,
    from_: opt.FromDay = None,
    to: opt.ToDay = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many of each kind.")] = 100,
    as_json: Json = False,
) -> None:
    """Which past values changed: old, new, and when that was known. --from and --to are of the change."""
    from strades_pipelines.operations.running import show_revisions

    show_revisions(kind, instrument, from_, to, limit, as_json=as_json)


@app.command()
def discrepancies(
    instrument: opt.Listed = None,
    state: Annotated[str, typer.Option(help="Only those: open, accepted, dismissed, gone; or all.")] = "open",
    accept: Annotated[int | None, typer.Option(metavar="ID", help="Carry out the proposed repair.")] = None,
    dismiss: Annotated[int | None, typer.Option(metavar="ID", help="The price is right: propose it no more.")] = None,
    as_json: Json = False,
) -> None:
    """Prices that cannot be meant (wrong unit, split not applied, far off), with a repair that waits for a person."""
    from strades_pipelines.operations.repairing import run_discrepancies

    run_discrepancies(instrument, state, accept, dismiss, as_json=as_json)


@app.command()
def reparse(
    protocol: Annotated[str | None, typer.Argument(help="Only its bodies.", show_default="all")] = None,
    from_: opt.FromDay = None,
    to: opt.ToDay = None,
    as_json: Json = False,
) -> None:
    """Parse stored bodies anew and load what they say now; needs no network."""
    from strades_pipelines.operations.running import run_reparse

    run_reparse(protocol, from_, to, as_json=as_json)


@app.command()
def archive(
    month: Annotated[
        str | None, typer.Argument(metavar="MONTH", help="2026-01, say.", show_default="list them")
    ] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Put the month's trades back into the database.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every cold month, and compare its hashes.")] = False,
    as_json: Json = False,
) -> None:
    """Move a month of trades into STRADES_COLD_STORE as Parquet, verified before it leaves the database."""
    from strades_pipelines.operations.archive_commands import run_archive

    run_archive(month, restore=restore, verify=verify, as_json=as_json)


@app.command()
def universe(
    on: Annotated[str | None, typer.Argument(metavar="TIME", help="As listed then.", show_default="now")] = None,
    known_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what the world could know then.", show_default="TIME")
    ] = None,
    as_json: Json = False,
) -> None:
    """What is listed at a time, under which symbol: symbol changes and delistings count from their announcement."""
    from strades_pipelines.operations.running import show_universe

    show_universe(on, known_at, as_json=as_json)


@app.command()
def hosts(
    release: Annotated[
        str | None, typer.Option(metavar="HOST", help="Ask this host again at once, whatever it asked for.")
    ] = None,
    as_json: Json = False,
) -> None:
    """How often each host may be asked, and which are not asked now: paused at their wish, or down."""
    from strades_pipelines.operations.running import show_hosts

    show_hosts(release, as_json=as_json)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files that each hold a response body.")],
    protocol: Annotated[str, typer.Option(help="How to read them: gateio_candles, for example.")],
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What the files do not say: symbol=BTC_USDT. Again for more."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The website of Sources.json they belong to, if several have the protocol.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Load files of your own: bytes first, then their records. The same file again changes nothing."""
    from strades_pipelines.operations.running import run_load

    run_load(files, protocol, given or (), source, as_json=as_json)


@db_app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], as_json: Json = False) -> None:
    """Write this world's database into one file, as one moment saw it."""
    from strades_pipelines.operations.running import run_backup

    run_backup(file, as_json=as_json)


@db_app.command()
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
    """Put a backup in the place of this world's database, once it is proven to be what was saved.

    A backup holds SQL. One that this installation made and signed is restored as it is; any other needs --trust: its
    SQL runs as a role that can only fill the new database, but what the rows say is taken for true.
    """
    from strades_pipelines.operations.running import run_restore

    run_restore(file, force=force, trust=trust, disconnect=disconnect, as_json=as_json)


@db_app.command("base-backup")
def base_backup(
    full: Annotated[bool, typer.Option("--full", help="All of it, also where an increment would do.")] = False,
    as_json: Json = False,
) -> None:
    """Copy the embedded server, all its databases, into STRADES_ARCHIVE; what changed, or once a week all of it."""
    from strades_pipelines.operations.recovering import run_base_backup

    run_base_backup(full=full, as_json=as_json)


@db_app.command()
def recover(
    folder: Annotated[Path, typer.Argument(help="A new folder for the recovered server.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="2026-11-30T12:00:00Z, say.", show_default="the end of the archive"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a server from STRADES_ARCHIVE as it was at a moment, beside this installation's, which stays as it is."""
    from strades_pipelines.operations.recovering import run_recover

    run_recover(folder, at, as_json=as_json)


@db_app.command()
def drill(as_json: Json = False) -> None:
    """Delete a row, recover to a second before that, verify all bodies there, and say how long it took."""
    from strades_pipelines.operations.recovering import run_recovery_drill

    run_recovery_drill(as_json=as_json)
