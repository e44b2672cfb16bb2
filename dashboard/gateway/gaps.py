"""Gaps that fetching may close, and the assets and months that a backfill of them takes."""

from datetime import timedelta

from dashboard.gateway.automation import BackfillPart
from dashboard.gateway.reading import read
from strades_pipelines.datamanager.gap_plan import FIXABLE, FIXABLE_GAPS, FixableGap, SourceMonths

MOST_GAPS = 2_000


def read_fixable_gaps(listing: int | None = None) -> list[FixableGap]:
    """Gaps that fetching may close, of one listing or all. The table of dbt must be there. One query."""
    listings = None if listing is None else [listing]
    return read(FixableGap, FIXABLE_GAPS, causes=list(FIXABLE), listings=listings, interval=None, most=MOST_GAPS)


def backfill_part(months: SourceMonths) -> BackfillPart:
    """The asset and months that Dagster is asked for. What follows from them is worked through by the data sensor."""
    last = months.end - timedelta(days=1)
    return BackfillPart(f"rawsources/{months.source}", f"{months.start:%Y-%m-01}", f"{last:%Y-%m-01}")
