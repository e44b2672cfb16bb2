"""Series and their values as they were known at an instant, with every version of each value."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite

from dashboard.gateway.reading import read
from strades_pipelines.market.rounding import exact

# The names along the primary key: no value is read for them.
PAGE = """
    WITH RECURSIVE names AS (
        (
            SELECT o.series FROM records.observations AS o
            WHERE o.series > %(after)s ORDER BY o.series LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT o.series FROM records.observations AS o WHERE o.series > names.series ORDER BY o.series LIMIT 1
        ) FROM names WHERE names.series IS NOT NULL
    ),
    page AS (
        SELECT names.series FROM names
        WHERE names.series IS NOT NULL AND strpos(lower(names.series), lower(%(words)s)) > 0
        AND EXISTS (
            SELECT FROM records.observation_versions AS v
            WHERE v.series = names.series AND v.knowledge_time <= %(as_of)s
        )
        ORDER BY names.series LIMIT %(most)s
    )
    SELECT page.series, v.*, f.source FROM page
    CROSS JOIN LATERAL ({values}) AS v
    LEFT JOIN rawsources.fetches AS f ON f.fetch_id = v.fetch_id
    ORDER BY page.series, v.event_time
"""
# Of each event the version that was known last; `value_before` is what that one replaced.
VALUES = """
    SELECT newest.*, (
        SELECT r.value FROM records.observation_revisions AS r
        WHERE r.series = {series} AND r.event_time = newest.event_time AND r.recorded_at < newest.recorded_at
        ORDER BY r.recorded_at DESC LIMIT 1
    ) AS value_before
    FROM (
        SELECT DISTINCT ON (v.event_time) v.event_time, v.value, v.unit, v.vintage, v.knowledge_time AS known_at,
            v.fetch_id, v.recorded_at
        FROM records.observation_versions AS v
        WHERE v.series = {series} AND v.knowledge_time <= %(as_of)s
            AND NOT records.was_excluded('observations', ARRAY[v.series, v.event_time::text], %(as_of)s)
        ORDER BY v.event_time DESC, v.knowledge_time DESC, v.recorded_at DESC LIMIT %(most_values)s
    ) AS newest
"""
SERIES_PAGE = PAGE.format(values=VALUES.format(series="page.series"))
ONE = f"""
    SELECT %(series)s::text AS series, v.*, f.source
    FROM ({VALUES.format(series="%(series)s")}) AS v
    LEFT JOIN rawsources.fetches AS f ON f.fetch_id = v.fetch_id
    ORDER BY v.event_time
"""
VINTAGES = """
    WITH events AS (
        SELECT DISTINCT v.event_time FROM records.observation_versions AS v
        WHERE v.series = %(series)s AND v.knowledge_time <= %(as_of)s
        AND v.event_time < coalesce(%(before)s::timestamptz, 'infinity')
        ORDER BY v.event_time DESC LIMIT %(most)s
    )
    SELECT v.event_time, v.value, v.unit, v.vintage, v.knowledge_time AS known_at, v.knowledge_basis, v.fetch_id,
        lag(v.value) OVER (PARTITION BY v.event_time ORDER BY v.knowledge_time, v.recorded_at) AS value_before
    FROM records.observation_versions AS v
    WHERE v.series = %(series)s AND v.knowledge_time <= %(as_of)s
    AND NOT records.was_excluded('observations', ARRAY[v.series, v.event_time::text], %(as_of)s)
    AND v.event_time IN (SELECT events.event_time FROM events)
    ORDER BY v.event_time DESC, v.knowledge_time DESC, v.recorded_at DESC
"""


@dataclass(frozen=True)
class Observation:
    """A value of a series, in `unit`, about `event_time` (of daily values a label at 00:00 UTC, not an instant).

    `value_before` is the value that it replaced, None where it is the first for its event; `source` is that of its
    fetch.
    """

    series: str
    event_time: datetime
    value: float
    unit: str
    vintage: date | None
    known_at: datetime
    fetch_id: int
    recorded_at: datetime
    value_before: float | None
    source: str | None

    @property
    def revision(self) -> Decimal | None:
        """How far it is from the value that it replaced, in `unit`."""
        return _revision(self.value, self.value_before)

    @property
    def about(self) -> str:
        """What it is about, see `_about`."""
        return _about(self.event_time)


@dataclass(frozen=True)
class Vintage:
    """A version of a value: what was believed from `known_at` until a later version was known."""

    event_time: datetime
    value: float
    unit: str
    vintage: date | None
    known_at: datetime
    knowledge_basis: str
    fetch_id: int
    value_before: float | None

    @property
    def revision(self) -> Decimal | None:
        """How far it is from the version before, in `unit`; None for the first."""
        return _revision(self.value, self.value_before)

    @property
    def about(self) -> str:
        """What it is about, see `_about`."""
        return _about(self.event_time)


def _revision(value: float, before: float | None) -> Decimal | None:
    return None if before is None or not isfinite(value - before) else exact(value) - exact(before)


def _about(event_time: datetime) -> str:
    """The day, which is a label and belongs to no time zone; of a value within the day its time in UTC too."""
    at = event_time.astimezone(UTC)
    return f"{at:%Y-%m-%d}" if at.time() == time() else f"{at:%Y-%m-%d %H:%M} UTC"


def read_series(
    words: str, *, as_of: datetime, after: str, most: int, most_values: int
) -> dict[str, list[Observation]]:
    """Series by name, each with its newest values that were known at `as_of`, oldest first. One query.

    Args:
        words: a part of the name; empty for all.
        after: only names behind this one.
    """
    rows = read(Observation, SERIES_PAGE, words=words, as_of=as_of, after=after, most=most, most_values=most_values)
    series: dict[str, list[Observation]] = {}
    for row in rows:
        series.setdefault(row.series, []).append(row)
    return series


def read_observations(series: str, *, as_of: datetime, most: int) -> list[Observation]:
    """The newest values of a series that were known at `as_of`, oldest first. One query."""
    return read(Observation, ONE, series=series, as_of=as_of, most_values=most)


def read_vintages(series: str, *, as_of: datetime, before: datetime | None, most: int) -> list[Vintage]:
    """The versions of the newest `most` events that were known at `as_of`; newest event first. One query.

    Args:
        before: only events before this time.
    """
    return read(Vintage, VINTAGES, series=series, as_of=as_of, before=before, most=most)
