"""Replay a stream connection and compare its frames, rows and decisions with the record."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.rows import dict_row

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.trading_rows import decision_row
from strades_pipelines.database.cold_store import cold_months
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.ingestion.verdicts import one_line
from strades_pipelines.lineage.row_lineage import Connection, NotFound, Row, read_row, read_rows
from strades_pipelines.lineage.stream_frames import is_cold, verify

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

SPAN = """
    SELECT source, count(*) AS frames, min(received_at) AS first, max(received_at) AS last,
        min(sequence) AS first_sequence
    FROM rawsources.frames WHERE connection = %s GROUP BY 1
"""
# Its trades and quotes are heard when they are stored, the last ones after the last frame came.
STORED = """
    SELECT max(stored.recorded_at) AS last FROM (
        SELECT fetch_id, recorded_at FROM records.trades UNION ALL SELECT fetch_id, recorded_at FROM records.quotes
    ) AS stored
    WHERE stored.fetch_id IN (SELECT fetch_id FROM rawsources.frames WHERE connection = %s)
"""
FETCHES = """
    SELECT f.fetch_id, encode(f.sha256, 'hex') AS sha256, l.listing_id
    FROM rawsources.fetches AS f LEFT JOIN records.listings AS l
        ON l.venue = f.given ->> 'venue' AND l.symbol = f.given ->> 'symbol'
    WHERE f.fetch_id IN (SELECT fetch_id FROM rawsources.frames WHERE connection = %s)
    ORDER BY f.fetched_at, f.fetch_id
"""
# Frames with messages of several instruments are no fetch of one of them.
LISTINGS = """
    SELECT DISTINCT stored.listing_id FROM (
        SELECT fetch_id, listing_id FROM records.trades UNION ALL SELECT fetch_id, listing_id FROM records.quotes
    ) AS stored
    WHERE stored.fetch_id IN (SELECT fetch_id FROM rawsources.frames WHERE connection = %s)
"""
FRAMES = "SELECT frame FROM rawsources.frames WHERE fetch_id = %s ORDER BY connection, sequence"
TRADES_BEFORE = timedelta(minutes=1)  # a trade is heard within it
LISTENING_WALLETS = """
    SELECT DISTINCT w.wallet FROM trading.wallets AS w
    INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = ANY(w.instruments)
    WHERE w.mode <> 'replay' AND w.opened_at <= %s AND l.listing_id = ANY(%s) ORDER BY 1
"""
# Decisions by a person or after a revision come from no frame.
DECISION_QUERY = """
    SELECT decision_id, wallet, strategy, listing_id, decided_at, trigger_kind, trigger_id, ordinal, previous_target,
        target, reason, inputs, order_request, recorded_at
    FROM signals.decisions
    WHERE wallet = %(wallet)s AND decided_at BETWEEN %(first)s AND %(last)s
        AND trigger_kind NOT IN ('person', 'revision')
        AND (%(sleeve)s::text IS NULL OR strategy = %(sleeve)s)
    ORDER BY decided_at, ordinal, listing_id
"""


@dataclass
class StreamReplay:
    """Result of replaying a connection.

    Args:
        first, last: when its first frame came, and its last one or the storing of its last trade or quote, UTC.
        recorded, replayed: SHA-256 over the decisions of its time, one JSON document a line.
        differences: a line for each frame batch, row or decision that is not as it was; empty when all is.
    """

    connection: int
    source: str
    frames: int
    first: datetime
    last: datetime
    rows: int = 0
    decisions: int = 0
    recorded: str = ""
    replayed: str = ""
    differences: list[str] = field(default_factory=list)


def replay_connection(connection_id: int, url: str | None = None) -> StreamReplay:
    """Parse a connection's frames again and step the wallets that listened to it again. Writes nothing.

    Raises:
        NotFound: no frame of that connection is stored.
        BadInput: its frames, or trades or quotes of its time, are cold: there would be nothing to compare.
    """
    with connect(url) as connection, closing(adbc_connect(url)) as adbc:
        span = read_row(connection, SPAN, connection_id)
        _refuse_cold(connection, connection_id, span)
        if span is None:
            raise NotFound(
                f"expected a connection with stored frames, was {connection_id}; `strades replay` lists the newest"
            )
        stored = read_row(connection, STORED, connection_id)
        if stored is not None and stored["last"] is not None:
            span["last"] = max(span["last"], stored["last"])
        del span["first_sequence"]
        made = StreamReplay(connection_id, **span)
        fetches = read_rows(connection, FETCHES, connection_id)
        _read_again(connection, made, fetches)
        heard = [fetch["listing_id"] for fetch in fetches if fetch["listing_id"] is not None]
        heard += [row["listing_id"] for row in read_rows(connection, LISTINGS, connection_id)]
        names = [row["wallet"] for row in read_rows(connection, LISTENING_WALLETS, made.last, heard)]
        recorded, replayed = hashlib.sha256(), hashlib.sha256()
        for view in (view for name in names for view in load_wallet(connection, name).strategy_views()):
            before = _recorded(connection, view, made)
            try:
                if not view.new_strategy().hears_streams():
                    continue
                again = _replay_decisions(connection, adbc, view, made)
            except Exception as error:  # the strategy is gone, or raises: that is this wallet's alone
                connection.rollback()
                adbc.rollback()
                again, failure = {}, one_line(f"{type(error).__name__}: {error}")
                if before:  # else it decides nothing, as it did then
                    made.differences.append(
                        f"wallet {view.name}: its {len(before)} decisions cannot be made again: {failure}"
                    )
            else:
                made.differences += _differences(before, again)
            for digest, lines in ((recorded, before), (replayed, again)):
                digest.update("".join(f"{line}\n" for line in lines.values()).encode())
            made.decisions += len(before)
        made.recorded, made.replayed = recorded.hexdigest(), replayed.hexdigest()
    return made


def _refuse_cold(connection: Connection, connection_id: int, span: Row | None) -> None:
    if span is None or span["first_sequence"] > 0:  # those before are cold, or were too old to keep
        _refuse("frames", is_cold(connection, connection_id))
    if span is None:
        return
    for kind in ("trades", "quotes"):
        with connection.cursor() as cursor:
            months = cold_months(cursor, f"records.{kind}", (span["first"] - TRADES_BEFORE, span["last"]))
        _refuse(kind, f"{months[0].month:%Y-%m}" if months else None)


def _refuse(kind: str, month: str | None) -> None:
    if month is not None:
        raise BadInput(
            f"expected a connection whose {kind} are in the database, those of {month} are cold: "
            f"`strades archive {month} --restore` first"
        )


def newest_connections(connection: Connection) -> list[Row]:
    """The newest connection of each stream, as its process last said."""
    return read_rows(
        connection,
        "SELECT DISTINCT source, connection, state, updated_at FROM ops.stream_states"
        " WHERE connection IS NOT NULL ORDER BY updated_at DESC, source",
    )


def _read_again(connection: Connection, made: StreamReplay, fetches: Sequence[Row]) -> None:
    """Compare the frames with the parsed bodies, and those with the stored rows."""
    for fetch in fetches:
        frames = [bytes(row["frame"]) for row in read_rows(connection, FRAMES, fetch["fetch_id"])]
        if hashlib.sha256(join_frames(frames)).hexdigest() != fetch["sha256"]:
            made.differences.append(f"fetch {fetch['fetch_id']}: its frames are not the bytes that were parsed")
        verified = verify(connection, fetch["fetch_id"])
        made.rows += verified.get("rows", 0)
        made.differences += verified["faults"]


def _recorded(connection: Connection, wallet: Wallet, made: StreamReplay) -> dict[str, str]:
    words = {"wallet": wallet.name, "first": made.first, "last": made.last, "sleeve": wallet.sleeve_name}
    rows = connection.cursor(row_factory=dict_row).execute(DECISION_QUERY, words).fetchall()
    return {row["decision_id"]: _line(row) for row in rows}


def _replay_decisions(
    connection: Connection, adbc: "AdbcConnection", wallet: Wallet, made: StreamReplay
) -> dict[str, str]:
    """The decisions of the connection's time, stepped from the wallet's opening on."""
    stepped = step(connection, adbc, wallet, now=made.last)
    rows = [decision_row(each, made.last) for each in stepped.decisions if made.first <= each.decided_at <= made.last]
    return {row["decision_id"]: _line(row | _plain(row)) for row in rows}


def _plain(row: Row) -> Row:
    return {name: json.loads(row[name]) for name in ("inputs", "order_request") if row[name] is not None}


def _line(row: Row) -> str:
    """A decision as JSON, whichever way it came; when it was stored is no part of it."""
    columns = {name: value for name, value in row.items() if name != "recorded_at"}
    return json.dumps(columns | {"decided_at": row["decided_at"].timestamp()}, sort_keys=True)


def _differences(before: Mapping[str, str], again: Mapping[str, str]) -> Iterator[str]:
    for decision_id in sorted({**before, **again}):
        recorded, replayed = before.get(decision_id, "nothing"), again.get(decision_id, "nothing")
        if recorded != replayed:
            yield f"decision {decision_id}: recorded {recorded}, replayed {replayed}"
