"""The states of the data: gaps by cause, bodies that the parser refused, and what failed lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.gateway.reading import read

GAPS = """
    SELECT l.venue || ':' || l.symbol AS instrument, l.listing_id, g."interval", g.cause,
        sum(g.missing)::bigint AS missing, min(g.gap_start) AS first_at, max(g.gap_end) AS last_at
    FROM cleaned.gaps AS g INNER JOIN records.listings AS l ON l.listing_id = g.listing_id
    GROUP BY l.venue, l.symbol, l.listing_id, g."interval", g.cause
    ORDER BY instrument, g."interval", g.cause LIMIT 300
"""
FAILURES = """
    SELECT f.fetch_id, f.source, f.url, f.fetched_at, f.outcome, coalesce(f.error, p.error) AS error
    FROM unnest(%(names)s::text[]) AS asked (source)
    CROSS JOIN LATERAL (
        SELECT * FROM rawsources.fetches AS own
        WHERE own.source = asked.source AND own.fetched_at > %(since)s
        ORDER BY own.fetched_at DESC LIMIT 200
    ) AS f
    LEFT JOIN records.parses AS p ON p.fetch_id = f.fetch_id
    WHERE f.outcome = 'failed' OR p.outcome = 'refused'
    ORDER BY f.fetched_at DESC, f.fetch_id LIMIT 50
"""


@dataclass(frozen=True)
class GapTotal:
    """How many bars of a listing are missing for one cause, and between when."""

    instrument: str
    listing_id: int
    interval: str
    cause: str
    missing: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Failure:
    """A fetch that failed, or whose body the parser refused."""

    fetch_id: int
    source: str
    url: str
    fetched_at: datetime
    outcome: str
    error: str | None


def read_gap_totals() -> list[GapTotal]:
    """Gaps by listing, interval and cause. The table of dbt must be there."""
    return read(GapTotal, GAPS)


def read_failures(names: list[str], *, now: datetime) -> list[Failure]:
    """What failed in the last week, newest first."""
    return read(Failure, FAILURES, names=names, since=now - timedelta(days=7))
