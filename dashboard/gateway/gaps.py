"""Gaps that fetching may close, and the assets and months that a backfill of them takes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.gateway.automation import BackfillPart
from dashboard.gateway.reading import read

# The other causes are what a source says or cannot say; asking again brings the same.
FIXABLE = ("not_fetched", "fetch_failed")
MOST_GAPS = 2_000
QUERY = """
    SELECT l.venue, l.symbol, g."interval", b.source, sum(g.missing)::bigint AS missing,
        min(g.gap_start) AS first_at, max(g.gap_end) AS last_at
    FROM cleaned.gaps AS g INNER JOIN records.listings AS l ON l.listing_id = g.listing_id
    LEFT JOIN records.bar_series AS b
        ON b.listing_id = g.listing_id AND b."interval" = g."interval"
        AND b.starts_at < g.gap_end AND (b.ends_at IS NULL OR b.ends_at > g.gap_start)
    WHERE g.cause = ANY(%(causes)s) AND (%(listing)s::integer IS NULL OR g.listing_id = %(listing)s::integer)
    GROUP BY l.venue, l.symbol, g."interval", b.source ORDER BY l.venue, l.symbol, g."interval", b.source
    LIMIT %(most)s
"""


@dataclass(frozen=True)
class FixableGap:
    """Bars of a listing and interval that fetching may bring, between two instants (UTC); None: no source has them."""

    venue: str
    symbol: str
    interval: str
    source: str | None
    missing: int
    first_at: datetime
    last_at: datetime


def read_fixable_gaps(listing: int | None = None) -> list[FixableGap]:
    """Gaps that fetching may close, of one listing or all. The table of dbt must be there. One query."""
    return read(FixableGap, QUERY, causes=list(FIXABLE), listing=listing, most=MOST_GAPS)


def plan_backfill(
    gaps: Sequence[FixableGap], working: Collection[str]
) -> tuple[list[tuple[BackfillPart, list[FixableGap]]], list[FixableGap]]:
    """The assets and months that ask for what is missing, each with its gaps; and the gaps that nothing asks for.

    What follows from the fetched months is worked through by the data sensor.

    Args:
        working: the names of the sources in use.
    """
    by_source: dict[str, list[FixableGap]] = {}
    for gap in gaps:
        if gap.source in working:
            by_source.setdefault(str(gap.source), []).append(gap)
    return [(_part(name, found), found) for name, found in sorted(by_source.items())], [
        gap for gap in gaps if gap.source not in working
    ]


def count_missing(gaps: Sequence[FixableGap]) -> int:
    """How many bars are missing; what several sources have counts once."""
    return sum({(gap.venue, gap.symbol, gap.interval): gap.missing for gap in gaps}.values())


def _part(source: str, gaps: Sequence[FixableGap]) -> BackfillPart:
    first = min(gap.first_at for gap in gaps)
    last = max(gap.last_at for gap in gaps) - timedelta(microseconds=1)
    return BackfillPart(f"rawsources/{source}", f"{first:%Y-%m-01}", f"{last:%Y-%m-01}")
