"""Gaps that fetching may close, and the assets and months that a backfill of them takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.gateway.automation import BackfillPart
from dashboard.gateway.reading import read
from strades_pipelines.datamanager.sources import Sources

# The other causes are what a source says or cannot say; asking again brings the same.
FIXABLE = ("not_fetched", "fetch_failed")
MOST_GAPS = 2_000
QUERY = """
    SELECT l.venue, l.symbol, g."interval", count(*) AS gaps, sum(g.missing)::bigint AS missing,
        min(g.gap_start) AS first_at, max(g.gap_end) AS last_at
    FROM cleaned.gaps AS g INNER JOIN records.listings AS l ON l.listing_id = g.listing_id
    WHERE g.cause = ANY(%(causes)s) AND (%(listing)s::integer IS NULL OR g.listing_id = %(listing)s::integer)
    GROUP BY l.venue, l.symbol, g."interval" ORDER BY l.venue, l.symbol, g."interval" LIMIT %(most)s
"""


@dataclass(frozen=True)
class FixableGap:
    """The gaps of a listing and interval that fetching may close, between two instants (UTC)."""

    venue: str
    symbol: str
    interval: str
    gaps: int
    missing: int
    first_at: datetime
    last_at: datetime


def read_fixable_gaps(listing: int | None = None) -> list[FixableGap]:
    """Gaps that fetching may close, of one listing or all. The table of dbt must be there. One query."""
    return read(FixableGap, QUERY, causes=list(FIXABLE), listing=listing, most=MOST_GAPS)


def plan_backfill(
    gaps: Sequence[FixableGap], sources: Sources
) -> tuple[list[tuple[BackfillPart, list[FixableGap]]], list[FixableGap]]:
    """The assets and months that ask for what is missing, each with its gaps; and the gaps that no source asks for.

    What follows from the fetched months is worked through by the data sensor.
    """
    by_series: dict[tuple[str, str, str], list[str]] = {}
    for site in sources.websites:
        for one in sources.instruments_of(site) if site.fonctionnel else ():
            by_series.setdefault((site.venue, one.symbol, one.interval), []).append(site.name)
    by_source: dict[str, list[FixableGap]] = {}
    orphans = []
    for gap in gaps:
        names = by_series.get((gap.venue, gap.symbol, gap.interval), [])
        for name in names:
            by_source.setdefault(name, []).append(gap)
        if not names:
            orphans.append(gap)
    return [(_part(name, found), found) for name, found in sorted(by_source.items())], orphans


def _part(source: str, gaps: Sequence[FixableGap]) -> BackfillPart:
    first = min(gap.first_at for gap in gaps)
    last = max(gap.last_at for gap in gaps) - timedelta(microseconds=1)
    return BackfillPart(f"rawsources/{source}", f"{first:%Y-%m-01}", f"{last:%Y-%m-01}")
