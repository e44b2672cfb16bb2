"""What can be taken away as a file: the newest rows of a wallet, as they stand in the database."""

from datetime import datetime
from typing import Any

import psycopg
from django.db import DatabaseError, connections

from dashboard.gateway.reading import ALIAS
from dashboard.gateway.rows import translate_error

MOST_ROWS = 100_000
FILLS = f"""
SELECT f.filled_at, f.known_at, l.venue || ':' || l.symbol AS instrument, f.side, f.quantity, f.price, f.currency,
    f.fee, coalesce(f.fee_currency, f.currency) AS fee_currency, f.fill_id, f.intent_id, i.decision_id
FROM trading.fills AS f
INNER JOIN trading.intents AS i ON i.intent_id = f.intent_id
INNER JOIN records.listings AS l ON l.listing_id = f.listing_id
WHERE f.wallet = %(wallet)s
ORDER BY f.filled_at DESC, f.fill_id LIMIT {MOST_ROWS}
"""
EQUITY = f"""
SELECT e.time, e.cash, e.holdings, e.equity, e.benchmark, w.currency
FROM trading.wallets AS w
INNER JOIN results.equity AS e ON e.wallet = w.wallet
WHERE w.wallet = %(wallet)s
ORDER BY e.time DESC LIMIT {MOST_ROWS}
"""
ROUND_TRIPS = f"""
SELECT t.sequence, l.venue || ':' || l.symbol AS instrument, t.side, t.opened_at, t.closed_at, t.fills, t.quantity,
    t.entry_price, t.exit_price, t.fees, t.profit, l.currency
FROM results.round_trips AS t
INNER JOIN records.listings AS l ON l.listing_id = t.listing_id
WHERE t.wallet = %(wallet)s
ORDER BY t.sequence DESC LIMIT {MOST_ROWS}
"""
RETURNS = f"""
SELECT s.session_date, s.valued_at, s.opening, s.flows, s.closing, w.currency, s.time_weighted, b.growth, b.lower,
    b.median, b.upper, r.confidence, r.draws, r.mean_block, r.seed
FROM results.wallet_sessions AS s
INNER JOIN trading.wallets AS w ON w.wallet = s.wallet
LEFT JOIN results.growth_bands AS b ON b.wallet = s.wallet AND b.session_date = s.session_date
LEFT JOIN results.return_statistics AS r ON r.wallet = s.wallet
WHERE s.wallet = %(wallet)s
ORDER BY s.session_date DESC LIMIT {MOST_ROWS}
"""
SLIPPAGE = f"""
SELECT s.filled_at, s.decided_at, l.venue || ':' || l.symbol AS instrument, s.side, s.quantity, s.price, s.reference,
    s.slippage, s.currency, s.fill_id
FROM results.fill_slippage AS s
INNER JOIN records.listings AS l ON l.listing_id = s.listing_id
WHERE s.wallet = %(wallet)s
ORDER BY s.filled_at DESC, s.fill_id LIMIT {MOST_ROWS}
"""
IS_THERE = "SELECT FROM trading.wallets AS w WHERE w.wallet = %(wallet)s"


def read_rows(query: str, wallet: str) -> tuple[list[str], list[tuple[Any, ...]]] | None:
    """Names of columns and rows of one of the queries above; None where there is no such wallet. Two queries.

    Raises:
        RowsTooSlow: they take longer than the snapshot allows.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(IS_THERE, {"wallet": wallet})
        if cursor.fetchone() is None:
            return None
        try:
            cursor.execute(query, {"wallet": wallet})
        except DatabaseError as error:
            raise translate_error(error) from error
        return [column.name for column in cursor.description], cursor.fetchall()


def query_file(query: str, *, as_of: datetime) -> str:
    """A query with its values in it as a file of SQL, which says as of when its rows were."""
    return f"-- Rows as of {as_of.isoformat()}\n{query.strip()};\n"


def wallet_query(query: str, wallet: str) -> str:
    """One of the queries above with the wallet's name in it."""
    with connections[ALIAS].cursor() as cursor:
        # The cursor of the pages binds on the server, and never has a text with the values in it.
        return str(psycopg.ClientCursor(cursor.connection).mogrify(query, {"wallet": wallet}))
