"""Bodies of the commands that keep the data: run, then print a table or JSON."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.trade_bars import parse_every
from strades_pipelines.database.backup import Manifest, back_up, signing_key
from strades_pipelines.database.connection import adbc_connect, connect, create_databases, database_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.restore import restore
from strades_pipelines.datamanager.host_limits import HostLimits, read_hosts
from strades_pipelines.datamanager.listing_events import read_universe
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.record_tables import TARGETS
from strades_pipelines.installation.install import make_home_private, prepare
from strades_pipelines.operations.exporting import View, diff, export, read_view
from strades_pipelines.operations.gaps import read_gaps
from strades_pipelines.operations.loading import load_files
from strades_pipelines.operations.options import day, instant, listing_ids, stretch
from strades_pipelines.operations.output import as_text, print_result, say, table
from strades_pipelines.operations.reparsing import reparse
from strades_pipelines.operations.revisions import cold_tables, read_revisions
from strades_pipelines.settings import settings


def run_backfill(keys: Sequence[str], layer: str | None, from_: str, to: str, *, as_json: bool) -> None:
    """`strades backfill`; ends with 1 when a step failed."""
    from strades_pipelines.operations.backfilling import backfill
    from strades_pipelines.partitions import Window

    start, end = day(from_, "--from"), day(to, "--to")
    stretch(from_, to)
    sources = load_sources(settings().sources)
    prepare()
    sync_listings(sources, now=settings().now())  # a body of a symbol without listing would wait for it
    document = backfill(keys, layer, Window(start, end), settings().now(), progress=say)
    print_result(document, as_json, [table("asset rows seconds", document["assets"])])
    for failure in document["failures"]:
        print(f"strades: {failure}", file=sys.stderr)
    raise typer.Exit(1 if document["failures"] else 0)


def show_gaps(instrument: str | None, interval: str | None, cause: str | None, *, as_json: bool) -> None:
    """`strades gaps`."""
    prepare()
    with connect() as connection:
        document = read_gaps(connection, instrument, interval, cause)
    missing = [{"cause": name, "missing": number} for name, number in document["missing"].items()]
    tables = [table("instrument interval gap_start gap_end missing cause", document["gaps"])]
    print_result(document, as_json, [*tables, table("cause missing", missing)])


def run_gap_closing(instrument: str | None, interval: str | None, cause: str | None, *, as_json: bool) -> None:
    """`strades gaps --fix`; ends with 1 when a step failed."""
    from strades_pipelines.operations.gap_closing import close_gaps

    sources = load_sources(settings().sources)
    prepare()
    sync_listings(sources, now=settings().now())
    working = {website.name for website in sources.websites if website.fonctionnel}
    filters = instrument, interval, cause
    document = close_gaps(connect, filters, working, settings().now(), progress=say)
    tables = [table("source from to missing", document["launched"])]
    print_result(document, as_json, [*tables, table("instrument interval cause missing reason", document["open"])])
    say(f"{document['closed']:,} bars are missing no more")
    for failure in document["failures"]:
        print(f"strades: {failure}", file=sys.stderr)
    raise typer.Exit(1 if document["failures"] else 0)


def show_universe(on: str | None, known_at: str | None, *, as_json: bool) -> None:
    """`strades universe`."""
    at = instant(on, "TIME", settings().now())
    known = instant(known_at, "--known-at", at)
    prepare()
    with connect() as connection:
        rows = [asdict(listed) for listed in read_universe(connection, at, known_at=known)]
    document = {"at": at, "known_at": known, "listings": rows}
    print_result(document, as_json, [table("venue symbol symbol_now valid_from delisted_at", rows)])


def show_hosts(release: str | None, *, as_json: bool) -> None:
    """`strades hosts`.

    Raises:
        BadInput: the host to release was never asked.
    """
    prepare()
    with connect() as connection:
        if release is not None and not HostLimits(connection, 0).release(release):
            raise BadInput(
                f"--release: expected a host that was asked before, was {release[:80]!r}; see `strades hosts`"
            )
        hosts = read_hosts(connection)
    rows = [
        {
            "host": row.host,
            "state": row.word,
            "requests_per_second": row.requests_per_second,
            "blocked_until": None if row.is_asked else row.state.blocked_until,
            "because": None if row.is_asked else row.blocked_because,
        }
        for row in hosts
    ]
    print_result({"hosts": rows}, as_json, [table("host state requests_per_second blocked_until because", rows)])


def run_export(
    kind: str,
    file: Path,
    instrument: str | None,
    days: tuple[str | None, str | None],
    times: tuple[str | None, str | None],
    *,
    own_use: bool,
    every: str | None,
    as_json: bool,
) -> None:
    """`strades export`."""
    bars = None if every is None else parse_every(every)
    if bars is not None and kind != "trade":
        raise BadInput(f"--every: expected the kind trade, was {kind[:40]!r}")
    now = _newest_time()
    as_of, known_at = instant(times[0], "--as-of", now), instant(times[1], "--known-at", now)
    prepare()
    with adbc_connect() as connection, connection.cursor() as cursor:
        view = _view(kind, instrument, days, as_of, known_at)
        document = export(cursor, view, file, own_use=own_use, every=bars)
    print_result(document, as_json, [table("source protocol answers export licence", document["sources"])])
    say(f"{document['rows']:,} rows in {file}, {document['use']}")


def show_diff(
    kind: str,
    before: str,
    after: str | None,
    instrument: str | None,
    days: tuple[str | None, str | None],
    *,
    as_json: bool,
) -> None:
    """`strades diff`."""
    now = _newest_time()
    first, second = instant(before, "TIME", now), instant(after, "TIME", now)
    if first >= second:
        raise BadInput(f"TIME: expected a time after {first:%Y-%m-%dT%H:%M:%SZ}, was {second:%Y-%m-%dT%H:%M:%SZ}")
    prepare()
    with adbc_connect() as connection, connection.cursor() as cursor:
        views = [_view(kind, instrument, days, as_of, max(now, second)) for as_of in (first, second)]
        old, new = (read_view(cursor, view) for view in views)
        changes = diff(old, new, views[0].target.key)
    lines = [
        {"key": " ".join(map(as_text, each["key"].values())), "change": each["change"], "field": name, **values}
        for each in changes
        for name, values in each["fields"].items()
        if each["change"] == "changed" or values["new" if each["change"] == "added" else "old"] is not None
    ]
    print_result({"changes": changes}, as_json, [table("key change field old new", lines)])


def _newest_time() -> datetime:
    """Now, UTC: of the world or of this machine, whichever is later. A sandbox's clock may be held in the future."""
    return max(datetime.now(UTC), settings().now())


def _view(
    kind: str, instrument: str | None, days: tuple[str | None, str | None], as_of: datetime, known_at: datetime
) -> View:
    """What the options name.

    Raises:
        BadInput: a kind or an instrument that is not there.
    """
    if kind not in TARGETS:
        raise BadInput(f"KIND: expected one of {', '.join(TARGETS)}, was {kind[:40]!r}")
    if instrument is not None and not TARGETS[kind].listed:
        raise BadInput(f"--instrument: expected a kind that has one, was {kind}")
    start, end = stretch(*days)
    with connect() as connection:
        listings = listing_ids(connection, instrument)
    return View(kind, as_of, known_at, None if listings is None else tuple(listings), start, end)


def show_revisions(
    kind: str | None, instrument: str | None, from_: str | None, to: str | None, limit: int, *, as_json: bool
) -> None:
    """`strades revisions`."""
    asked = stretch(from_, to)
    prepare()
    with connect() as connection:
        rows = read_revisions(connection, kind=kind, instrument=instrument, stretch=asked, limit=limit)
        cold = cold_tables(connection, kind)
    if cold:
        say(
            f"{', '.join(cold)} have cold months: what took the place of a row of theirs is told once its month is back"
            " (`strades archive` lists them, `strades archive MONTH --restore`)"
        )
    lines = [
        {
            **row,
            "key": " ".join(map(str, row["key"].values())),
            "field": name,
            **change,
            "known": row["knowledge_time"] or "withdrawn",
        }
        for row in rows
        for name, change in row["changed"].items()
    ]
    shown = table("kind instrument key field old new superseded_at known", lines)
    print_result({"revisions": rows}, as_json, [shown])


def run_reparse(protocol: str | None, from_: str | None, to: str | None, *, as_json: bool) -> None:
    """`strades reparse`; ends with 1 when the parser refuses a body."""
    asked = stretch(from_, to)
    prepare()
    with connect() as connection:
        document = reparse(connection, protocol, asked, now=settings().now(), progress=say)
    _print_load(document, as_json)


def run_load(files: Sequence[Path], protocol: str, given: Sequence[str], source: str | None, *, as_json: bool) -> None:
    """`strades load`."""
    sources = load_sources(settings().sources)
    prepare()
    document = load_files(files, protocol, given, sources, source=source, now=settings().now(), progress=say)
    _print_load(document, as_json)


def run_backup(file: Path, *, as_json: bool) -> None:
    """`strades db backup`; it needs the database alone, so that nothing else that is wrong stands in its way."""
    make_home_private()
    create_databases()
    migrate(database_url(), world=settings().world)
    _print_backup(file, back_up(file, database_url(), key=signing_key(), progress=say), as_json)


def run_restore(file: Path, *, force: bool, trust: bool, disconnect: bool, as_json: bool) -> None:
    """`strades db restore`; not while `strades up` serves: its processes would write into what goes away."""
    from filelock import FileLock, Timeout

    settings().home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings().home / "up.lock", timeout=0):
            manifest = restore(
                file,
                settings().world,
                key=signing_key(),
                force=force,
                trust=trust,
                disconnect=disconnect,
                progress=say,
            )
    except Timeout:
        raise BadInput("expected that nothing serves this installation; end `strades up` first") from None
    _print_backup(file, manifest, as_json)


def _print_backup(file: Path, manifest: Manifest, as_json: bool) -> None:
    document = {
        "file": str(file),
        "world": manifest.world,
        "taken_at": manifest.taken_at,
        "bytes": file.stat().st_size,
        "tables": len(manifest.hashes),
        "hashes": dict(manifest.hashes),
    }
    print_result(document, as_json, [table("file world taken_at bytes tables", [document])])


def _print_load(document: Mapping[str, Any], as_json: bool) -> None:
    rows = [{"table": table, **loaded} for table, loaded in document["rows"].items()]
    counted = [{name: document[name] for name in ("bodies", "rejects", "withdrawn", "discrepancies")}]
    shown = table("table inserted revised unchanged", rows)
    print_result(document, as_json, [table("bodies rejects withdrawn discrepancies", counted), shown])
    for line in [*document["refused"], *document["skipped"]]:
        print(f"strades: {line}", file=sys.stderr)
    raise typer.Exit(1 if document["refused"] or document["skipped"] else 0)
