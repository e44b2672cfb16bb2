"""What waits for `execute_pending`: the question the trade sensor asks."""

from typing import Any

import psycopg

WAITING = """
    SELECT d.decision_id
    FROM signals.decisions AS d INNER JOIN trading.wallets AS w USING (wallet)
    WHERE w.mode <> 'replay'
        AND NOT EXISTS (SELECT 1 FROM trading.intents AS i WHERE i.decision_id = d.decision_id)
        AND NOT EXISTS (SELECT 1 FROM trading.refusals AS r WHERE r.decision_id = d.decision_id)
    UNION ALL
    SELECT i.intent_id
    FROM trading.intents AS i
    INNER JOIN trading.wallets AS w USING (wallet)
    LEFT JOIN trading.orders AS o USING (intent_id)
    WHERE w.mode <> 'replay' AND (o.state IS NULL OR o.state IN ('submitting', 'unknown', 'open'))
    ORDER BY 1
"""
NEWEST_BAR = """
    SELECT max(c.knowledge_time)
    FROM trading.wallets AS w
    INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = ANY(w.instruments)
    INNER JOIN records.candles AS c ON c.listing_id = l.listing_id AND c."interval" = w."interval"
    WHERE w.mode <> 'replay'
"""


def waiting(connection: "psycopg.Connection[Any]") -> list[str]:
    """The decisions without intent or refusal, and the intents whose order is not over, of all wallets that trade.

    The last element is the newest bar of those wallets: an order that waits for a fill is worth another look only when
    there is one. Empty when nothing waits.
    """
    ids = [name for (name,) in connection.execute(WAITING)]
    if not ids:
        return []
    newest = connection.execute(NEWEST_BAR).fetchone()
    return [*ids, str(newest and newest[0])]
