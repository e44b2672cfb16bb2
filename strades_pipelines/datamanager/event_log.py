"""The event log: `events`, `event_types` and `platforms` of the schema `ops`.

What an event is made of marks itself in `ops.changed_rows` when it is written, so that recording costs as much as there
is new. Idempotent: an event that is already recorded is skipped.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.sources import Website

Connection = psycopg.Connection[Any]
OURSELVES = "strades"
PLATFORMS = (
    (OURSELVES, "This installation", None),
    ("paper", "The paper broker", None),
    ("alpaca", "Alpaca", "https://alpaca.markets/"),
    ("statement", "An account statement", None),
)
INSERT = "INSERT INTO ops.events (id_event, user_id, platform_id, event_type_id, value, timestamp)"
# By reader of `ops.changed_rows`, the events of the rows that `changed` (key) names. The actions of a replayed wallet
# did not happen: they are no events.
EVENT_QUERIES = {
    "event.run_ended": """
        SELECT t.kind || ':' || r.run_id, 'strades', 'strades', t.kind,
            jsonb_build_object('job', r.job, 'months', r.months, 'status', r.status), r.ended_at
        FROM changed INNER JOIN ops.runs AS r ON r.run_id = changed.key[1]
        CROSS JOIN LATERAL (SELECT CASE r.status WHEN 'SUCCESS' THEN 'run_finished' ELSE 'run_failed' END AS kind) AS t
        WHERE r.status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND r.ended_at IS NOT NULL
    """,
    "event.wallet_opened": """
        SELECT 'wallet_opened:' || w.wallet, w.wallet, 'strades', 'wallet_opened',
            jsonb_build_object('mode', w.mode, 'strategy', w.strategy, 'cash', w.opening_cash, 'currency', w.currency),
            w.opened_at
        FROM changed INNER JOIN trading.wallets AS w ON w.wallet = changed.key[1] WHERE w.mode <> 'replay'
    """,
    "event.order_sent": """
        SELECT 'order_sent:' || o.intent_id, o.wallet, o.broker, 'order_sent',
            jsonb_build_object('intent_id', o.intent_id, 'listing_id', i.listing_id, 'side', i.side,
                'quantity', i.quantity), o.submitted_at
        FROM changed INNER JOIN trading.orders AS o ON o.intent_id = changed.key[1]
        INNER JOIN trading.intents AS i ON i.intent_id = o.intent_id
        WHERE o.broker <> 'replay' AND (o.venue_order_id IS NOT NULL OR o.state = 'rejected')
    """,
    "event.order_filled": """
        SELECT 'order_filled:' || f.fill_id, f.wallet, o.broker, 'order_filled',
            jsonb_build_object('fill_id', f.fill_id, 'intent_id', f.intent_id, 'listing_id', f.listing_id,
                'side', f.side, 'quantity', f.quantity, 'price', f.price, 'fee', f.fee), f.known_at
        FROM changed INNER JOIN trading.fills AS f ON f.fill_id = changed.key[1]
        INNER JOIN trading.orders AS o ON o.intent_id = f.intent_id WHERE o.broker <> 'replay'
    """,
    "event.order_ended": """
        SELECT 'order_ended:' || o.intent_id, o.wallet, o.broker, 'order_ended',
            jsonb_build_object('intent_id', o.intent_id, 'state', o.state, 'reason', o.reason), o.updated_at
        FROM changed INNER JOIN trading.orders AS o ON o.intent_id = changed.key[1]
        WHERE o.broker <> 'replay' AND o.state IN ('rejected', 'cancelled', 'replaced', 'expired')
    """,
    "event.decision_refused": """
        SELECT 'decision_refused:' || r.decision_id, r.wallet, 'strades', 'decision_refused',
            jsonb_build_object('decision_id', r.decision_id, 'code', r.code, 'detail', r.detail), r.recorded_at
        FROM changed INNER JOIN trading.refusals AS r ON r.decision_id = changed.key[1]
        INNER JOIN trading.wallets AS w ON w.wallet = r.wallet WHERE w.mode <> 'replay'
    """,
    "event.article_posted": """
        SELECT t.kind || ':' || a.source || ':' || a.article_id, coalesce(a.authors[1], a.source), a.source, t.kind,
            jsonb_build_object('title', a.title, 'url', a.url), coalesce(a.published_at, a.knowledge_time)
        FROM changed INNER JOIN records.articles AS a ON a.source = changed.key[1] AND a.article_id = changed.key[2]
        CROSS JOIN LATERAL (
            SELECT CASE WHEN a.url ~ '^https?://([a-z]+[.])?(youtube[.]com|youtu[.]be|vimeo[.]com|dailymotion[.]com)/'
                THEN 'video_posted' ELSE 'article_posted' END AS kind
        ) AS t
    """,
}
# The articles of a source that is not among the platforms yet are recorded once it is.
TAKE_CHANGED = """
    DELETE FROM ops.changed_rows WHERE reader = %(reader)s AND (
        reader <> 'event.article_posted' OR key[1] IN (SELECT platform_id FROM ops.platforms)
    ) RETURNING key
"""


def write_platforms(connection: Connection, websites: Iterable[Website]) -> None:
    """Write the places where something can happen. Commits nothing."""
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


def record_event(connection: Connection, kind: str, what: str, *, value: dict[str, Any], at: datetime) -> None:
    """Record one event of this installation; `what` tells it from others of its kind. Commits nothing."""
    write_platforms(connection, ())
    row = [f"{kind}:{what}", OURSELVES, OURSELVES, kind, Jsonb(value), at]
    connection.execute(f"{INSERT} VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", row)


def record_new_events(connection: Connection) -> int:
    """Record the events of rows that changed since the last time; returns how many are new. Commits nothing."""
    recorded = 0
    for reader, query in EVENT_QUERIES.items():
        statement = f"WITH changed AS ({TAKE_CHANGED}) {INSERT} {query} ON CONFLICT DO NOTHING"
        recorded += connection.execute(statement.encode(), {"reader": reader}).rowcount
    crash_point("ops.events_written")
    return recorded
