"""Which gaps of `cleaned.gaps` fetching may close, what it takes to ask for them, and why the others stay open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# The other causes are what a source says or cannot say; asking again brings the same.
FIXABLE = ("not_fetched", "fetch_failed")
NOBODY_HAS_IT = "no source of Sources.json that is in use has these bars"
REASONS: Mapping[str, str] = {
    "beyond_reach": "its provider no longer serves it; another source may",
    "before_listing_start": "its source answered, and has nothing before its first bar",
    "no_trades": "its source answered that there is no bar",
    "rows_refused": "the answer is there, its rows were refused: see records.rejects, then `strades reparse`",
    "excluded": "somebody left the bars out; undo it in the data manager",
}
FIXABLE_GAPS = """
    SELECT l.venue, l.symbol, g."interval", b.source, sum(g.missing)::bigint AS missing,
        min(g.gap_start) AS first_at, max(g.gap_end) AS last_at
    FROM cleaned.gaps AS g INNER JOIN records.listings AS l ON l.listing_id = g.listing_id
    LEFT JOIN records.bar_series AS b
        ON b.listing_id = g.listing_id AND b."interval" = g."interval"
        AND b.starts_at < g.gap_end AND (b.ends_at IS NULL OR b.ends_at > g.gap_start)
    WHERE g.cause = ANY(%(causes)s) AND (%(listings)s::integer[] IS NULL OR g.listing_id = ANY(%(listings)s))
        AND (%(interval)s::text IS NULL OR g."interval" = %(interval)s)
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


@dataclass(frozen=True)
class SourceMonths:
    """The months of a source that a backfill asks for, [start, end), UTC, and the gaps that it is for."""

    source: str
    start: datetime
    end: datetime
    gaps: tuple[FixableGap, ...]


def plan_backfill(gaps: Sequence[FixableGap], working: Collection[str]) -> tuple[list[SourceMonths], list[FixableGap]]:
    """The months that ask for what is missing, by source; and the gaps that nothing asks for.

    A source that is not in use leaves nothing unasked where another one has its bars.

    Args:
        working: the names of the sources in use.
    """
    by_source: dict[str, list[FixableGap]] = {}
    for gap in gaps:
        if gap.source in working:
            by_source.setdefault(str(gap.source), []).append(gap)
    asked = {(gap.venue, gap.symbol, gap.interval) for found in by_source.values() for gap in found}
    return [_months(name, found) for name, found in sorted(by_source.items())], [
        gap
        for gap in gaps
        if gap.source is None or (gap.source not in working and (gap.venue, gap.symbol, gap.interval) not in asked)
    ]


def count_missing(gaps: Sequence[FixableGap]) -> int:
    """How many bars are missing; what several sources have counts once."""
    return sum({(gap.venue, gap.symbol, gap.interval): gap.missing for gap in gaps}.values())


def _months(source: str, gaps: Sequence[FixableGap]) -> SourceMonths:
    first = min(gap.first_at for gap in gaps)
    # The end of a gap is no part of it.
    last = max(gap.last_at for gap in gaps) - timedelta(microseconds=1)
    return SourceMonths(source, _month(first), _month(_month(last) + timedelta(days=32)), tuple(gaps))


def _month(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
