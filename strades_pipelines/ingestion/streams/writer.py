"""The database of one source's stream: what is there, frames and rows in, holes asked for, bars, states."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import psycopg
import pyarrow.compute as pc

from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.ingestion.loader import LoaderConnections, Summary, load_stored
from strades_pipelines.ingestion.stored_rows import read_listings, read_rows
from strades_pipelines.ingestion.streams.bars_of_trades import update_trade_bars
from strades_pipelines.ingestion.streams.frame_store import Frame, StreamSource, run_id_of, store_frames
from strades_pipelines.ingestion.streams.last_records import LAST_TABLES, update_last_records
from strades_pipelines.ingestion.streams.repair import RepairFailed, ask_again
from strades_pipelines.ingestion.streams.routing import TIMES
from strades_pipelines.ingestion.verdicts import one_line
from strades_pipelines.market.ids import int63

BAR_INTERVAL = "1m"
LOOK_BACK = timedelta(hours=6)  # what a start completes and builds again; what is older is for the source's schedule
LOCK = "SELECT pg_try_advisory_lock(hashtext(%s))"
TRADES = """
    SELECT min(event_time), max(event_time) FROM records.trades WHERE listing_id = %s AND event_time BETWEEN %s AND %s
"""
CANDLES = """
    SELECT min(open_time), max(open_time) FROM records.candles
    WHERE listing_id = %s AND "interval" = %s AND open_time BETWEEN %s AND %s
"""
REPAIR = "repair"  # at the end of the run id of a request for what was missing
# Batches and answers that a process stored and did not live to parse.
UNPARSED = f"""
    SELECT fetch_id FROM rawsources.fetches
    WHERE source = %s AND NOT is_parsed AND (method = 'STREAM' OR run_id LIKE '%% {REPAIR}') AND outcome <> 'failed'
"""
KEEP_STATE = """
    INSERT INTO ops.stream_states AS known (
        source, instrument_id, connection, state, last_frame_at, gaps, detail, complete_from, complete_until,
        updated_at
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (source, instrument_id) DO UPDATE SET
        connection = EXCLUDED.connection, state = EXCLUDED.state, gaps = EXCLUDED.gaps, detail = EXCLUDED.detail,
        updated_at = EXCLUDED.updated_at, last_frame_at = coalesce(EXCLUDED.last_frame_at, known.last_frame_at),
        complete_from = coalesce(EXCLUDED.complete_from, known.complete_from),
        complete_until = coalesce(EXCLUDED.complete_until, known.complete_until)
"""
COMPLETE = "SELECT complete_from, complete_until FROM ops.stream_states WHERE source = %s AND instrument_id = %s"


class StreamBusy(Exception):
    """Another process keeps the stream of this source; one line."""


@dataclass(frozen=True)
class Coverage:
    """Of an instrument at the start: from which record of the last hours on its records are complete, and until when.

    Both are UTC, and None where the last hours have no record.
    """

    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Taken:
    """Rows that were new or changed, rows that were rejected, and why bodies were refused as a whole or skipped.

    `oldest` is the time of the oldest record that was answered, by instrument, where the provider answers with its
    newest records whatever the stretch is that is missing; None where it answers for the stretch.
    """

    rows: int
    rejects: int
    refused: tuple[str, ...] = ()
    oldest: Mapping[str, datetime] | None = None


@dataclass(frozen=True)
class State:
    """How a stream of an instrument does (`ops.stream_states`)."""

    connection: int | None
    state: str
    last_frame_at: datetime | None
    gaps: int
    detail: str | None
    complete_from: datetime | None
    complete_until: datetime | None


class StreamWriter:
    """Holds a lock of the database: one process keeps a source's stream.

    Args:
        url: the database, with its password: the spiders get it too.
    """

    def __init__(self, source: StreamSource, url: str) -> None:
        self.source, self.url = source, url
        [self._kind, *_] = source.protocol.stream_kinds
        self._last_kinds = [kind for kind in source.protocol.stream_kinds if kind in LAST_TABLES]
        self.builds_bars = self._kind == "trade"
        self.is_completed = self._kind != "quote"  # no venue serves the quotes of the past
        self.bar_length = timedelta(seconds=interval_seconds(BAR_INTERVAL))
        self._connection: psycopg.Connection[Any] | None = None
        self._turn = Lock()  # threads of the recorder share the connection, and never a transaction
        # Opening both takes longer than all that they do for a batch of a few trades.
        self._loader: LoaderConnections | None = None
        self._loading = Lock()
        self._repairs = 0
        self._unshown: list[int] = []  # fetches of trades and quotes

    def open(self, now: datetime) -> Mapping[str, Coverage]:
        """Load what an earlier process stored and did not load, and see how far the records reach.

        Raises:
            StreamBusy: another process keeps this stream.
        """
        with self._own_connection() as connection:
            unparsed = [fetch_id for (fetch_id,) in connection.execute(UNPARSED, [self.source.website.name])]
        if unparsed:
            load_stored(url=self.url, now=now, fetch_ids=unparsed)
        with self._own_connection() as connection:
            return {id_: self._coverage(connection, id_, now) for id_ in self.source.instruments}

    def store(self, frames: Sequence[Frame], now: datetime) -> Taken:
        """Store a batch of frames of one connection as they came, then load what they say."""
        with self._own_connection() as connection:
            fetch_ids = store_frames(connection, self.source, frames)
        crash_point("streams.frames_committed")
        loaded = self._load(fetch_ids, now)
        self._unshown += fetch_ids if self._last_kinds else []
        return loaded

    @property
    def has_unshown_records(self) -> bool:
        """Whether trades or quotes were loaded since the last ones were shown."""
        return bool(self._unshown)

    def show_last_records(self, now: datetime) -> None:
        """Bring the newest trades and quotes of the listings up to date, and say so."""
        shown = list(self._unshown)
        with self._own_connection() as connection:
            for kind in self._last_kinds:
                update_last_records(connection, kind, shown, now)
        del self._unshown[: len(shown)]

    def repair(self, instruments: Sequence[str], start: datetime, end: datetime, now: datetime) -> Taken:
        """Ask the provider for [start, end) of instruments, and load the answers.

        Raises:
            RepairFailed: it could not be asked now, or the parser refuses an answer.
        """
        self._repairs += 1
        run_id = f"{run_id_of(int63(self.source.website.name, now, self._repairs))} {REPAIR}"
        asked = [self.source.instruments[id_] for id_ in instruments]
        found = ask_again(self.source, asked, start, end, run_id=run_id, now=now, database=self.url)
        loaded = self._load(found, now)
        if loaded.refused:
            raise RepairFailed(f"an answer was refused: {one_line(loaded.refused[0])}")
        return loaded if self.source.protocol.ask.chunk else replace(loaded, oldest=self._oldest_records(found))

    def build_bars(self, instrument: str, start: datetime, end: datetime, now: datetime) -> int:
        """Build the bars of an instrument's trades in [start, end); returns how many are new or changed."""
        with self._own_connection() as ours:
            listing = self._listing(ours, instrument)
        with closing(adbc_connect(self.url)) as connection:
            built = update_trade_bars(connection, listing, BAR_INTERVAL, self.bar_length, start, end, now)
        return built.inserted + built.revised

    def keep_states(self, states: Mapping[str, State], now: datetime) -> None:
        """Say how the streams do; `now` is the machine's time, also where the world's clock is held."""
        with self._own_connection() as connection, connection.cursor() as cursor:
            for id_, each in states.items():
                values = [each.connection, each.state, each.last_frame_at, each.gaps, each.detail]
                complete = [each.complete_from, each.complete_until]
                cursor.execute(KEEP_STATE, [self.source.website.name, id_, *values, *complete, now])

    def close(self) -> None:
        """Give up the lock."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
        with self._loading:
            self._close_loader()

    def _close_loader(self) -> None:
        loader, self._loader = self._loader, None
        if loader is not None:
            with suppress(Exception):  # of connections that are broken
                loader.close()

    def length_of_bars(self, instrument: str) -> timedelta:
        """The length of the bars that are streamed of an instrument; nothing where the records are no bars."""
        seconds = interval_seconds(self.source.instruments[instrument].interval) if self._kind == "candle" else 0
        return timedelta(seconds=seconds)

    def floor(self, time: datetime) -> datetime:
        """The opening time of the bar that holds a time."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + (time - epoch) // self.bar_length * self.bar_length

    def _load(self, fetch_ids: Sequence[int], now: datetime) -> Taken:
        if not fetch_ids:
            return Taken(0, 0)
        with self._loading:
            connections = self._loader = self._loader or LoaderConnections(self.url)
            try:
                summary: Summary = load_stored(now=now, fetch_ids=fetch_ids, connections=connections)
            except BaseException:
                self._close_loader()
                raise
        written = sum(loaded.inserted + loaded.revised for loaded in summary.tables.values())
        return Taken(written, summary.rejects, (*summary.refused, *summary.skipped))

    def _coverage(self, connection: psycopg.Connection[Any], id_: str, now: datetime) -> Coverage:
        """How far the records of an instrument are complete; of older ones than `LOOK_BACK` nothing is completed.

        The newest record alone does not say it: records behind a hole are stored while the hole is still open.
        """
        if not self.is_completed:
            return Coverage(None, None)
        listing, since = self._listing(connection, id_), now - LOOK_BACK
        if self.builds_bars:
            row = connection.execute(TRADES, [listing, since, now]).fetchone()
        else:
            interval = self.source.instruments[id_].interval
            row = connection.execute(CANDLES, [listing, interval, since, now]).fetchone()
        first, last = row or (None, None)
        found = connection.execute(COMPLETE, [self.source.website.name, id_]).fetchone()
        complete_from, complete_until = found or (None, None)
        if first is None or last is None:
            return Coverage(None, None)
        if complete_until is not None:
            last = max(min(last, complete_until), since)
            first = min(first, last)  # a hole that began before the last hours is filled from their start on
        return Coverage(first if complete_from is None else max(first, complete_from), last)

    def _oldest_records(self, fetch_ids: Sequence[int]) -> Mapping[str, datetime]:
        """The time of the oldest record in stored answers, by instrument.

        Read from the answers: a record that was stored before keeps the fetch that it came with.
        """
        kind = self._kind
        ids = {instrument.symbol: id_ for id_, instrument in self.source.instruments.items()}
        oldest: dict[str, datetime] = {}
        with closing(adbc_connect(self.url)) as connection, connection.cursor() as cursor:
            for fetch, rows in read_rows(cursor, fetch_ids, kind):
                id_ = ids.get(fetch.given.get("symbol", ""))
                if id_ is not None and rows is not None and rows.num_rows:
                    time: datetime = pc.min(rows[TIMES[kind]]).as_py()
                    oldest[id_] = min(time, oldest.get(id_, time))
        return oldest

    def _listing(self, connection: psycopg.Connection[Any], id_: str) -> int:
        with connection.cursor() as cursor:
            return read_listings(cursor)[self.source.website.venue, self.source.instruments[id_].symbol]

    @contextmanager
    def _own_connection(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection that holds the lock, for a transaction of one thread."""
        with self._turn:
            if self._connection is None or self._connection.closed:
                opened = connect(self.url)
                if opened.execute(LOCK, [f"strades.stream.{self.source.website.name}"]).fetchone() != (True,):
                    opened.close()
                    raise StreamBusy("another process keeps this stream")
                # A crash of the server takes the newest frames, and with them all that was made of them since: it
                # writes in the order of the commits, so an order that left is behind its frames. The next start asks
                # for them.
                opened.execute("SET synchronous_commit = off")
                opened.commit()  # the lock is the session's
                self._connection = opened
            with self._connection.transaction():
                yield self._connection
