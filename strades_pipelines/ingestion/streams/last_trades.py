"""The newest trade of each listing, for whoever shows a price: written and told of at a bounded rate."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

CHANNEL = "strades_last_trades"  # says which listings have a newer trade, as JSON; of many in several messages
TOLD_AT_ONCE = 500  # ids of ten digits: PostgreSQL takes messages of less than 8,000 bytes
# A trade that comes late is not the newest.
UPDATE = """
    WITH newest AS (
        SELECT DISTINCT ON (listing_id) listing_id, trade_id, event_time, price, size, side FROM records.trades
        WHERE fetch_id = ANY(%(fetch_ids)s)
        ORDER BY listing_id, event_time DESC, length(trade_id) DESC, trade_id DESC
    ), written AS (
        INSERT INTO records.last_trades AS known SELECT newest.*, %(now)s FROM newest
        ON CONFLICT (listing_id) DO UPDATE SET
            trade_id = EXCLUDED.trade_id, event_time = EXCLUDED.event_time, price = EXCLUDED.price,
            size = EXCLUDED.size, side = EXCLUDED.side, updated_at = EXCLUDED.updated_at
        WHERE (known.event_time, length(known.trade_id), known.trade_id)
            < (EXCLUDED.event_time, length(EXCLUDED.trade_id), EXCLUDED.trade_id)
        RETURNING listing_id
    )
    SELECT pg_notify(%(channel)s, told.listings)
    FROM (
        SELECT json_agg(listing_id ORDER BY listing_id)::text AS listings
        FROM (SELECT listing_id, row_number() OVER (ORDER BY listing_id) AS place FROM written) AS numbered
        GROUP BY (place - 1) / %(at_once)s ORDER BY min(listing_id)
    ) AS told
"""


def update_last_trades(connection: psycopg.Connection[Any], fetch_ids: Sequence[int], now: datetime) -> None:
    """Have the trades of these fetches seen where they are the newest of their listings. Commits nothing.

    Args:
        now: the world's time, UTC.
    """
    given = {"fetch_ids": list(fetch_ids), "now": now, "channel": CHANNEL, "at_once": TOLD_AT_ONCE}
    connection.execute(UPDATE, given)
