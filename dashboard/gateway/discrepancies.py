"""Prices that cannot be meant, each with the request that proposes its repair."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dashboard.gateway.reading import read

OPEN = """
    SELECT d.discrepancy_id, l.venue || ':' || l.symbol AS instrument, d.listing_id, d."interval", d.from_time, d.bars,
        d.cause, d.factor, d.stored_close, d.expected_close, d.fetch_id, d.reference_fetch_id, d.repair, d.request_key
    FROM records.discrepancy_states AS d INNER JOIN records.listings AS l USING (listing_id)
    WHERE d.state = 'open' AND (%(before)s::bigint IS NULL OR d.discrepancy_id < %(before)s)
    ORDER BY d.discrepancy_id DESC LIMIT %(most)s
"""


@dataclass(frozen=True)
class Discrepancy:
    """Bars of a listing from `from_time` (UTC) on that are `factor` times what the bars around them say."""

    discrepancy_id: int
    instrument: str
    listing_id: int
    interval: str
    from_time: datetime
    bars: int
    cause: str
    factor: float
    stored_close: float
    expected_close: float
    fetch_id: int
    reference_fetch_id: int
    repair: str
    request_key: UUID


def read_open_discrepancies(*, before: int | None, most: int) -> list[Discrepancy]:
    """Discrepancies that wait for a person, newest first; with `before` only those with a smaller id. One query."""
    return read(Discrepancy, OPEN, before=before, most=most)
