"""What waits for `execute_pending`: the question the trade sensor asks."""

from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.brokerage.prices import bar_table, of_interval

# Each with what a further attempt would change: a run is launched once for one key.
DUE = """
    SELECT d.decision_id
    FROM signals.decisions AS d INNER JOIN trading.wallets AS w USING (wallet)
    WHERE d.is_pending AND w.mode <> 'replay' AND w.state <> 'retired'
    UNION ALL
    SELECT concat_ws(':', o.intent_id, o.state, o.sequence, a.attempts)
    FROM trading.orders AS o
    INNER JOIN trading.wallets AS w USING (wallet)
    LEFT JOIN trading.order_attempts AS a USING (intent_id)
    WHERE w.mode <> 'replay' AND o.state IN ('planned', 'submitting', 'unknown', 'cancelling')
        AND (a.next_attempt_at IS NULL OR a.next_attempt_at <= %(now)s)
    UNION ALL
    SELECT concat_ws(':', o.intent_id, 'cancel', a.attempts)
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN trading.cancel_requests AS c USING (decision_id)
    LEFT JOIN trading.order_attempts AS a USING (intent_id)
    WHERE o.state IN ('accepted', 'partially_filled')
    UNION ALL
    SELECT 'retiring:' || w.wallet FROM trading.wallets AS w WHERE w.state = 'retiring'
    ORDER BY 1
"""
WORKING = """
    SELECT o.intent_id, o.sequence, i.listing_id, w."interval", w.broker
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN trading.wallets AS w ON o.wallet = w.wallet
    WHERE w.mode <> 'replay'
        AND (
            o.state IN ('accepted', 'partially_filled', 'cancelling')
            -- A stop that is watched here, since its venue cannot.
            OR (o.state = 'planned' AND (i.stop_price IS NOT NULL OR i.trail IS NOT NULL))
        )
    ORDER BY o.intent_id
"""


def waiting(connection: "psycopg.Connection[Any]", *, now: datetime) -> list[str]:
    """What is to be done now, of all wallets that trade: decisions, orders to send, to look up and to cancel.

    An order that the paper venue works on is worth a look when there is a newer bar of its listing, at any other venue
    each minute. Empty when nothing waits.
    """
    due = [name for (name,) in connection.execute(DUE, {"now": now})]
    for intent_id, sequence, listing_id, interval, broker in connection.execute(WORKING).fetchall():
        news = (
            _newest_bar(connection, listing_id, interval) if broker == "paper" else now.replace(second=0, microsecond=0)
        )
        due.append(f"{intent_id}:{sequence}:{news}")
    return due


def _newest_bar(connection: "psycopg.Connection[Any]", listing_id: int, interval: str) -> datetime | None:
    table = bar_table(interval)
    if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
        return None  # dbt has not made it yet
    row = connection.execute(
        f"SELECT open_time FROM {table} WHERE listing_id = %s AND {of_interval(interval)} "
        "ORDER BY open_time DESC LIMIT 1",
        [listing_id],
    ).fetchone()
    return row[0] if row else None
