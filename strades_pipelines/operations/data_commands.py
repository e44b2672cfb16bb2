"""The commands that keep the data. What they need is imported when one of them runs."""

from pathlib import Path
from typing import Annotated

import typer

from strades_pipelines.operations import options as opt
from strades_pipelines.research.research_options import Json

app = typer.Typer()


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
    """Rematerialize months of assets. Fetches only what the fetch log lacks; recomputes the rest."""
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
    kind: Annotated[
        str, typer.Argument(help="candle, trade, quote, observation, corporate_action, article or document.")
    ],
    file: Annotated[Path, typer.Argument(help="The file to write: .parquet, or .csv with its metadata in FILE.json.")],
    instrument: opt.Listed = None,
    from_: opt.FromDay = None,
    to: opt.ToDay = None,
    as_of: opt.AsOf = None,
    known_at: opt.KnownAt = None,
    own_use: Annotated[
        bool, typer.Option("--own-use", help="Also what its licence does not let you pass on: for yourself alone.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(help="Of trades their bars: 1m or another interval, 1000ticks, 50volume, 1000000notional."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write records into a file, with as of when they are, their sources, licences and hashes."""
    from strades_pipelines.operations.running import run_export

    days, times = (from_, to), (as_of, known_at)
    run_export(kind, file, instrument, days, times, own_use=own_use, every=every, as_json=as_json)


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
    """Parse stored bodies again and load their records; needs no network."""
    from strades_pipelines.operations.running import run_reparse

    run_reparse(protocol, from_, to, as_json=as_json)


@app.command()
def archive(
    month: Annotated[
        str | None, typer.Argument(metavar="MONTH", help="2026-01, say.", show_default="list them")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--table", help="trades, quotes or frames.", show_default="all three")
    ] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Put the month's rows back into the database.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every cold month, and compare its hashes.")] = False,
    as_json: Json = False,
) -> None:
    """Move a month of trades, quotes and frames into STRADES_COLD_STORE as Parquet, verified before it leaves."""
    from strades_pipelines.operations.archive_commands import run_archive

    run_archive(month, name, restore=restore, verify=verify, as_json=as_json)


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


@app.command()
def parse(
    protocol: Annotated[str, typer.Argument(help="For example gateio_candles.")],
    file: Annotated[Path, typer.Argument(help="A file that holds a response body.")],
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What the body does not say, for example symbol=BTC_USDT."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Parse a response body as the protocol says, without touching the database."""
    from strades_pipelines.operations.parsing import show_parsed

    show_parsed(protocol, file, given or (), as_json=as_json)
