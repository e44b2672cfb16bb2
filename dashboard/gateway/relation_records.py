"""The records that a node of the 4D view stands for, each with its hash and what it can be followed by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dashboard.gateway.reading import read
from dashboard.gateway.relation_graph import Node

MOST_RECORDS = 25
# By plane: what stands there of a listing on a day and was known by `until`, with the columns of Record.
DAY = "%(day)s::date::timestamp AT TIME ZONE 'UTC'"
CANDLES = f"""
    records.candles AS c LEFT JOIN rawsources.fetches AS f ON f.fetch_id = c.fetch_id
    WHERE c.listing_id = %(listing)s AND c."interval" IN (
        SELECT s."interval" FROM records.bar_series AS s WHERE s.listing_id = %(listing)s UNION VALUES ('1d'), ('1m')
    ) AND c.open_time >= {DAY} AND c.open_time < {DAY} + interval '1 day' AND c.knowledge_time <= %(until)s
"""
QUERIES: Mapping[int, str] = {
    0: f"""
        SELECT DISTINCT f.url AS name, f.fetched_at AS at, encode(f.sha256, 'hex') AS sha256, f.fetch_id,
            NULL AS identity
        FROM {CANDLES} AND 'rawsources/' || f.source = %(asset)s ORDER BY f.fetched_at LIMIT %(most)s
    """,
    1: f"""
        SELECT c."interval" || ' ' || to_char(c.open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS name,
            c.knowledge_time AS at, encode(f.sha256, 'hex') AS sha256, c.fetch_id, NULL AS identity
        FROM {CANDLES} ORDER BY c.open_time LIMIT %(most)s
    """,
    2: """
        SELECT b.session_date::text AS name, b.knowledge_time AS at, encode(f.sha256, 'hex') AS sha256, b.fetch_id,
            NULL AS identity
        FROM cleaned.daily_bars AS b LEFT JOIN rawsources.fetches AS f ON f.fetch_id = b.fetch_id
        WHERE b.listing_id = %(listing)s AND b.session_date = %(day)s
            AND b.knowledge_time <= %(until)s LIMIT %(most)s
    """,
    3: """
        SELECT d.session_date::text AS name, d.decision_time AS at, d.inputs_hash AS sha256, NULL::bigint AS fetch_id,
            NULL AS identity
        FROM features.daily AS d WHERE d.listing_id = %(listing)s AND d.session_date = %(day)s
            AND d.decision_time <= %(until)s LIMIT %(most)s
    """,
    4: """
        SELECT p.prediction_id AS name, p.decision_time AS at, p.inputs_hash AS sha256, NULL::bigint AS fetch_id,
            p.prediction_id AS identity
        FROM predictions.forecasts AS p WHERE p.listing_id = %(listing)s AND p.session_date = %(day)s
            AND p.decision_time >= %(day)s::date - 2 AND p.decision_time <= %(until)s
            AND 'predictions/' || p.name = %(asset)s
        ORDER BY p.decision_time LIMIT %(most)s
    """,
    5: f"""
        SELECT d.reason AS name, d.decided_at AS at, w.code_hash AS sha256, NULL::bigint AS fetch_id,
            d.decision_id AS identity
        FROM signals.decisions AS d INNER JOIN trading.wallets AS w USING (wallet)
        WHERE d.listing_id = %(listing)s AND d.wallet = %(wallet)s AND 'signals/' || d.strategy = %(asset)s
            AND d.decided_at >= {DAY} AND d.decided_at < {DAY} + interval '1 day'
            AND d.decided_at <= %(until)s
        ORDER BY d.decided_at, d.ordinal LIMIT %(most)s
    """,
    6: f"""
        SELECT i.side || ' ' || trim_scale(i.quantity) AS name, i.intended_at AS at, NULL AS sha256,
            NULL::bigint AS fetch_id, i.intent_id AS identity
        FROM trading.intents AS i WHERE i.listing_id = %(listing)s AND i.wallet = %(wallet)s
            AND i.intended_at >= {DAY} AND i.intended_at < {DAY} + interval '1 day'
            AND i.intended_at <= %(until)s
        ORDER BY i.intended_at, i.intent_id LIMIT %(most)s
    """,
    7: f"""
        SELECT s.side || ' ' || trim_scale(s.quantity) || ' @ ' || trim_scale(s.price) AS name, s.known_at AS at,
            l.hash AS sha256, NULL::bigint AS fetch_id, s.fill_id AS identity
        FROM trading.fills AS s
        LEFT JOIN trading.ledger AS l ON (l.wallet, l.kind, l.reference) = (s.wallet, 'fill', s.fill_id)
        WHERE s.listing_id = %(listing)s AND s.wallet = %(wallet)s
            AND s.filled_at >= {DAY} AND s.filled_at < {DAY} + interval '1 day'
            AND s.known_at <= %(until)s
        ORDER BY s.filled_at, s.fill_id LIMIT %(most)s
    """,
    8: """
        SELECT a.strategy || ' ' || round(a.pnl, 2) AS name, s.valued_at AS at, NULL AS sha256,
            NULL::bigint AS fetch_id, NULL AS identity
        FROM results.session_attribution AS a INNER JOIN results.wallet_sessions AS s USING (wallet, session_date)
        WHERE a.listing_id = %(listing)s AND a.wallet = %(wallet)s AND a.session_date = %(day)s
            AND s.valued_at <= %(until)s
        ORDER BY a.strategy, a.source LIMIT %(most)s
    """,
}


@dataclass(frozen=True)
class Record:
    """A record of a node: when it was known or decided, its hash, its fetch or what `strades trace` calls it."""

    name: str
    at: datetime
    sha256: str | None
    fetch_id: int | None
    identity: str | None


def read_records(node: Node, until: datetime | None) -> list[Record]:
    """The first records of a node of one listing and day that were known by `until` (None: all). One query."""
    if node.day is None or not node.listing_id:
        return []
    return read(
        Record, QUERIES[node.plane], listing=node.listing_id, day=node.day, wallet=node.wallet, asset=node.asset,
        most=MOST_RECORDS, until=until or "infinity",
    )  # fmt: skip
