"""The newest trade and quote of each listing, for whoever shows a price: written and told of at a bounded rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

TOLD_AT_ONCE = 500  # ids of ten digits: PostgreSQL takes messages of less than 8,000 bytes


@dataclass(frozen=True)
class LastTable:
    """Where the newest records of a kind are: of `records`, the number by which they rise, and what they say.

    `channel` says which listings have a newer one, as JSON; of many in several messages.
    """

    table: str
    channel: str
    records: str
    number: str
    values: tuple[str, ...]


LAST_TABLES: Mapping[str, LastTable] = {
    "trade": LastTable(
        "records.last_trades", "strades_last_trades", "records.trades", "trade_id", ("price", "size", "side")
    ),
    "quote": LastTable(
        "records.last_quotes",
        "strades_last_quotes",
        "records.quotes",
        "quote_id",
        ("bid", "bid_size", "ask", "ask_size"),
    ),
}
# A record that comes late is not the newest.
# Numbers are texts: of two the longer one is larger, and of one length the alphabet decides.
UPDATE = """
    WITH newest AS (
        SELECT DISTINCT ON (listing_id) listing_id, {number}, event_time, {values} FROM {records}
        WHERE fetch_id = ANY(%(fetch_ids)s)
        ORDER BY listing_id, event_time DESC, length({number}) DESC, {number} DESC
    ), written AS (
        INSERT INTO {table} AS known SELECT newest.*, %(now)s FROM newest
        ON CONFLICT (listing_id) DO UPDATE SET
            ({number}, event_time, {values}, updated_at)
            = (EXCLUDED.{number}, EXCLUDED.event_time, {excluded}, EXCLUDED.updated_at)
        WHERE (known.event_time, length(known.{number}), known.{number})
            < (EXCLUDED.event_time, length(EXCLUDED.{number}), EXCLUDED.{number})
        RETURNING listing_id
    )
    SELECT pg_notify(%(channel)s, told.listings)
    FROM (
        SELECT json_agg(listing_id ORDER BY listing_id)::text AS listings
        FROM (SELECT listing_id, row_number() OVER (ORDER BY listing_id) AS place FROM written) AS numbered
        GROUP BY (place - 1) / %(at_once)s ORDER BY min(listing_id)
    ) AS told
"""


def update_last_records(
    connection: psycopg.Connection[Any], kind: str, fetch_ids: Sequence[int], now: datetime
) -> None:
    """Have the records of these fetches seen where they are the newest of their listings. Commits nothing.

    Args:
        kind: of `LAST_TABLES`.
        now: the world's time, UTC.
    """
    last = LAST_TABLES[kind]
    words = {
        "table": last.table,
        "records": last.records,
        "number": last.number,
        "values": ", ".join(last.values),
        "excluded": ", ".join(f"EXCLUDED.{name}" for name in last.values),
    }
    given = {"fetch_ids": list(fetch_ids), "now": now, "channel": last.channel, "at_once": TOLD_AT_ONCE}
    connection.execute(UPDATE.format(**words), given)
