"""What happened, as the tables `events`, `event_types` and `platforms` keep it: each thing once, however often told."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.sources import Website

Connection = psycopg.Connection[Any]
OURSELVES = "strades"
PLATFORMS = ((OURSELVES, "This installation", None), ("paper", "The paper broker", None))
INSERT = "INSERT INTO ops.events (id_event, user_id, platform_id, event_type_id, value, timestamp)"
# Replayed wallets are left out: what they did did not happen.
TOLD = (
    """
    SELECT t.kind || ':' || r.run_id, 'strades', 'strades', t.kind,
        jsonb_build_object('job', r.job, 'months', r.months, 'status', r.status), r.ended_at
    FROM ops.runs AS r
    CROSS JOIN LATERAL (SELECT CASE r.status WHEN 'SUCCESS' THEN 'run_finished' ELSE 'run_failed' END AS kind) AS t
    WHERE r.status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND r.ended_at IS NOT NULL
    """,
    """
    SELECT 'wallet_opened:' || wallet, wallet, 'strades', 'wallet_opened',
        jsonb_build_object('mode', mode, 'strategy', strategy, 'cash', opening_cash, 'currency', currency), opened_at
    FROM trading.wallets WHERE mode <> 'replay'
    """,
    """
    SELECT 'order_sent:' || o.intent_id, o.wallet, 'paper', 'order_sent',
        jsonb_build_object('intent_id', o.intent_id, 'listing_id', i.listing_id, 'side', i.side,
            'quantity', i.quantity), o.submitted_at
    FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    WHERE o.broker = 'paper' AND (o.venue_order_id IS NOT NULL OR o.state = 'rejected')
    """,
    """
    SELECT 'order_filled:' || f.fill_id, f.wallet, 'paper', 'order_filled',
        jsonb_build_object('fill_id', f.fill_id, 'intent_id', f.intent_id, 'listing_id', f.listing_id,
            'side', f.side, 'quantity', f.quantity, 'price', f.price, 'fee', f.fee), f.known_at
    FROM trading.fills AS f INNER JOIN trading.orders AS o USING (intent_id) WHERE o.broker = 'paper'
    """,
    """
    SELECT 'order_ended:' || o.intent_id, o.wallet, 'paper', 'order_ended',
        jsonb_build_object('intent_id', o.intent_id, 'state', o.state, 'reason', o.reason), o.updated_at
    FROM trading.orders AS o WHERE o.broker = 'paper' AND o.state IN ('rejected', 'cancelled', 'expired')
    """,
    """
    SELECT 'decision_refused:' || r.decision_id, r.wallet, 'strades', 'decision_refused',
        jsonb_build_object('decision_id', r.decision_id, 'code', r.code, 'detail', r.detail), r.recorded_at
    FROM trading.refusals AS r INNER JOIN trading.wallets AS w USING (wallet) WHERE w.mode <> 'replay'
    """,
    """
    SELECT t.kind || ':' || a.source || ':' || a.article_id, coalesce(a.authors[1], a.source), a.source, t.kind,
        jsonb_build_object('title', a.title, 'url', a.url), coalesce(a.published_at, a.knowledge_time)
    FROM records.articles AS a
    INNER JOIN ops.platforms AS p ON p.platform_id = a.source
    CROSS JOIN LATERAL (
        SELECT CASE WHEN a.url ~ '^https?://([a-z]+[.])?(youtube[.]com|youtu[.]be|vimeo[.]com|dailymotion[.]com)/'
            THEN 'video_posted' ELSE 'article_posted' END AS kind
    ) AS t
    """,
)


def write_platforms(connection: Connection, websites: Iterable[Website]) -> None:
    """Keep the places where something can happen. Commits nothing."""
    rows = [*PLATFORMS, *((website.name, website.title, website.url) for website in websites)]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ops.platforms AS p VALUES (%s, %s, %s)
            ON CONFLICT (platform_id) DO UPDATE SET title = EXCLUDED.title, url = EXCLUDED.url
            WHERE (p.title, p.url) IS DISTINCT FROM (EXCLUDED.title, EXCLUDED.url)
            """,
            rows,
        )


def record(connection: Connection, kind: str, what: str, *, value: dict[str, Any], at: datetime) -> None:
    """Keep one thing that happened here; `what` tells it from others of its kind. Commits nothing."""
    write_platforms(connection, ())
    row = [f"{kind}:{what}", OURSELVES, OURSELVES, kind, Jsonb(value), at]
    connection.execute(f"{INSERT} VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", row)


def tell(connection: Connection) -> int:
    """Make events of what the other tables hold and no event tells yet; returns how many. Commits nothing."""
    told = 0
    for query in TOLD:
        names = "(id_event, user_id, platform_id, event_type_id, value, timestamp)"
        told += connection.execute(
            f"""
            {INSERT} SELECT n.* FROM ({query}) AS n {names}
            WHERE NOT EXISTS (SELECT 1 FROM ops.events AS e WHERE e.id_event = n.id_event) ON CONFLICT DO NOTHING
            """
        ).rowcount
    crash_point("ops.events_written")
    return told
