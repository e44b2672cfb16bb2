"""Instruments, listings and trading sessions, brought from Sources.json into the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, Sessions, calendar_source, sessions
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.listing_events import ListingEvent, store_events
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument, Sources
from strades_pipelines.market.ids import int31

FIRST_SESSION_YEAR = 1999
REOPEN = """
    UPDATE rawsources.fetches SET given = given || jsonb_build_object('currency', %(currency)s::text)
    WHERE given ? 'currency' AND coalesce(given->>'venue', source) = %(venue)s AND given->>'symbol' = %(symbol)s
    RETURNING fetch_id
"""
Row = dict[str, Any]
Name = tuple[str, str]  # venue and symbol


@dataclass(frozen=True)
class Synced:
    """How many rows were written; all zero when nothing had changed."""

    instruments: int
    listings: int
    sessions: int
    bar_series: int


def listing_id(venue: str, symbol: str) -> int:
    """The id that an instrument at a venue has where no other listing took it first: a function of both names."""
    return int31(venue, symbol)


def assign_ids(listings: Iterable[Name], stored: Mapping[Name, int]) -> dict[Name, int]:
    """An id for each (venue, symbol), each id once: the stored one for ever; else `listing_id`, or the next free hash.

    31 bits are too few to be trusted: of 50,000 listings two share an id in nearly every second installation. A wider
    id would rewrite every table that has one, and still have to be checked.

    Args:
        listings: in any order; new ones are assigned in the order of their names.
        stored: the ids of the database.
    """
    ids = dict(stored)
    taken = set(stored.values())
    for venue, symbol in sorted(set(listings) - stored.keys()):
        id_, attempt = listing_id(venue, symbol), 0
        while id_ in taken:
            attempt += 1
            id_ = int31(venue, symbol, attempt)
        ids[venue, symbol] = id_
        taken.add(id_)
    return ids


SESSIONS = """
    INSERT INTO records.sessions (calendar, session_date, open_time, close_time, is_half_day, break_start, break_end)
    SELECT * FROM unnest(%s::text[], %s::date[], %s::timestamptz[], %s::timestamptz[], %s::boolean[],
        %s::timestamptz[], %s::timestamptz[])
    ON CONFLICT (calendar, session_date) DO UPDATE
    SET open_time = EXCLUDED.open_time, close_time = EXCLUDED.close_time, is_half_day = EXCLUDED.is_half_day,
        break_start = EXCLUDED.break_start, break_end = EXCLUDED.break_end
"""


def sync_listings(sources: Sources, *, url: str | None = None, now: datetime) -> Synced:
    """Bring `records.instruments`, `listings`, `sessions` and `bar_series` in step with `sources`, in one transaction.

    Writes nothing where nothing changed. Where a currency did, the listing's bodies wait to be read again. What left
    Sources.json stays: its records still need a name. Sessions of calendars that close reach from 1999 to the end of
    `now`'s year.
    """
    listed, series = listing_rows(sources), series_rows(sources)
    calendars = sorted({row["calendar"] for row in listed} - {ALWAYS_OPEN})
    with connect(url) as connection:
        named = [_instrument_row(item) for item in sources.instruments]
        instruments = _write(connection, "records.instruments", named, ["instrument_id"])
        stored = _stored_listings(connection)
        ids = assign_ids(map(_name, (*listed, *series)), {name: id_ for name, (id_, _) in stored.items()})
        _reopen_bodies(connection, listed, {name: currency for name, (_, currency) in stored.items()})
        listings = _write(connection, "records.listings", _with_ids(listed, ids), ["venue", "symbol"])
        days = sum(_sync_sessions(connection, calendar, now.astimezone(UTC).year) for calendar in calendars)
        store_events(connection, _events(sources, ids), now=now)
        asked = _sync_series(connection, _without_names(_with_ids(series, ids)))
        crash_point("records.identity_written")
    return Synced(instruments, listings, days, asked)


def _events(sources: Sources, ids: Mapping[Name, int]) -> list[tuple[int, ListingEvent]]:
    """The events of each listing, once where several series of it state them."""
    found = {
        (ids[website.venue, instrument.symbol], event)
        for website in sources.websites
        for instrument in filter(lambda known: known.traded, sources.instruments_of(website))
        for event in instrument.events
    }
    return sorted(found, key=lambda each: (each[0], each[1].event, each[1].symbol, each[1].known_at))


def listing_rows(sources: Sources) -> list[Row]:
    """One row a (venue, symbol): several series of an instrument are one listing, valid as long as any of them."""
    rows: dict[Name, Row] = {}
    for website in sources.websites:
        protocol = load_protocol(website.protocol)
        for instrument in filter(lambda known: known.traded, sources.instruments_of(website)):
            row: Row = {
                "venue": website.venue,
                "symbol": instrument.symbol,
                "currency": instrument.currency,
                "tick_size": instrument.tick_size,
                "lot_size": instrument.lot_size,
                "adjustment": protocol.adjustment,
                "calendar": instrument.calendar or protocol.calendar,
                "valid_from": instrument.start_date,
                "valid_to": instrument.end_date,
            }
            name = website.venue, instrument.symbol
            rows[name] = _wider(row, rows.get(name))
    return list(rows.values())


def series_rows(sources: Sources) -> list[Row]:
    """One row a listing, interval and source of candles: which bars are asked for, and what its provider can give."""
    rows: dict[tuple[str, str, str, str], Row] = {}
    for website in sources.websites:
        protocol = load_protocol(website.protocol)
        if "candle" not in protocol.kinds:
            continue
        for instrument in sources.instruments_of(website):
            step, reach = interval_seconds(instrument.interval), protocol.ask.reach
            row: Row = {
                "venue": website.venue,
                "symbol": instrument.symbol,
                "interval": instrument.interval,
                "source": website.name,
                "starts_at": max(instrument.start_date, website.history_from or instrument.start_date),
                "ends_at": instrument.end_date,
                "step_seconds": step,
                "reach_seconds": (reach.seconds or (reach.bars or 1) * step) if reach else None,
                "lag_seconds": protocol.ask.lag_seconds,
            }
            rows[website.venue, instrument.symbol, instrument.interval, website.name] = row
    return list(rows.values())


def _stored_listings(connection: psycopg.Connection[Any]) -> dict[Name, tuple[int, str]]:
    """Id and currency of each listing; what another process would assign waits until this transaction ends."""
    connection.execute("LOCK TABLE records.listings IN SHARE ROW EXCLUSIVE MODE")
    query = "SELECT venue, symbol, listing_id, currency FROM records.listings"
    return {(venue, symbol): (id_, currency) for venue, symbol, id_, currency in connection.execute(query)}


def _reopen_bodies(connection: psycopg.Connection[Any], rows: Iterable[Row], currencies: Mapping[Name, str]) -> None:
    """Have the bodies of a listing whose currency was changed read again: their prices are to be in the new one."""
    for row in rows:
        if currencies.get(_name(row), row["currency"]) != row["currency"]:
            reopened = connection.execute(REOPEN, row).fetchall()
            connection.execute("DELETE FROM records.parses WHERE fetch_id = ANY(%s)", [[id_ for (id_,) in reopened]])


def _name(row: Row) -> Name:
    return row["venue"], row["symbol"]


def _with_ids(rows: Iterable[Row], ids: Mapping[Name, int]) -> list[Row]:
    return [{"listing_id": ids[_name(row)], **row} for row in rows]


def _without_names(rows: Iterable[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in ("venue", "symbol")} for row in rows]


def _sync_series(connection: psycopg.Connection[Any], rows: Sequence[Row]) -> int:
    """What is not asked for any more is not missing: unlike a name, its row goes."""
    key = ("listing_id", "interval", "source")
    wanted = {tuple(row[name] for name in key) for row in rows}
    stored = set(connection.execute('SELECT listing_id, "interval", source FROM records.bar_series'))
    gone = sorted(stored - wanted)
    with connection.cursor() as cursor:
        cursor.executemany(
            'DELETE FROM records.bar_series WHERE listing_id = %s AND "interval" = %s AND source = %s', gone
        )
    return len(gone) + _write(connection, "records.bar_series", rows, key)


def _wider(row: Row, other: Row | None) -> Row:
    if other is None:
        return row
    ends = (row["valid_to"], other["valid_to"])
    valid_from = min(row["valid_from"], other["valid_from"])
    return {**other, "valid_from": valid_from, "valid_to": None if None in ends else max(ends)}


def _instrument_row(instrument: Instrument) -> Row:
    return {
        "instrument_id": instrument.id,
        "symbol": instrument.symbol,
        "name": instrument.name,
        "kind": instrument.kind,
        "interval": instrument.interval,
        "start_date": instrument.start_date,
        "end_date": instrument.end_date,
    }


def _sync_sessions(connection: psycopg.Connection[Any], calendar: str, last_year: int) -> int:
    """Sessions are worked out again only for another year or by another version of their library."""
    made = {
        "calendar": calendar,
        "last_year": last_year,
        "made_by": calendar_source(calendar),
    }
    query = "SELECT calendar, last_year, made_by FROM records.calendars WHERE calendar = %s"
    if connection.execute(query, [calendar]).fetchone() == tuple(made.values()):
        return 0
    known = sessions(calendar, FIRST_SESSION_YEAR, last_year)
    names = ("calendar", "session_date", "open_time", "close_time", "is_half_day", "break_start", "break_end")
    rows = _session_rows(known)
    stored = set(connection.execute(f"SELECT {', '.join(names)} FROM records.sessions WHERE calendar = %s", [calendar]))
    changed = [row for row in rows if row not in stored]
    # In one statement: the tables made of sessions are told once for all of them.
    written = (
        connection.execute(SESSIONS, [list(column) for column in zip(*changed, strict=True)]).rowcount if changed else 0
    )
    _write(connection, "records.calendars", [made], ["calendar"])
    return written


def _session_rows(known: Sessions) -> list[tuple[Any, ...]]:
    """Rows of `records.sessions`, in the order of its columns."""
    columns = (known.opens, known.closes, known.half_days, known.break_starts, known.break_ends)
    rows = []
    for day, opens, closes, half, leaves, returns in zip(known.dates.tolist(), *columns, strict=True):
        lunch = (_utc(leaves), _utc(returns)) if leaves < returns else (None, None)
        rows.append((known.calendar, day, _utc(opens), _utc(closes), bool(half), *lunch))
    return rows


def _write(
    connection: psycopg.Connection[Any], table: str, rows: Sequence[Mapping[str, Any]], key: Sequence[str]
) -> int:
    """Insert or correct rows; those that are there already, equal, are not touched. Returns how many were written."""
    if not rows:
        return 0
    columns = list(rows[0])
    others = [name for name in columns if name not in key]
    names, places = (", ".join(form.format(name) for name in columns) for form in ('"{}"', "%({})s"))
    updates = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in others)
    differs = " OR ".join(f't."{name}" IS DISTINCT FROM EXCLUDED."{name}"' for name in others)
    query = (
        f"INSERT INTO {table} AS t ({names}) VALUES ({places}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates} WHERE {differs}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(query, rows)
        return cursor.rowcount


def _utc(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)
