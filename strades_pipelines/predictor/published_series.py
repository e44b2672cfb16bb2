"""Published series as features read them: every version, each from the time at which it was known."""

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor.families.published import PUBLICATIONS, SERIES
from strades_pipelines.predictor.feature_inputs import Series

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# A value that was revised stays what was known until its revision was; of one knowledge time the last record counts.
# One that is left out now counts for no time: whoever marked it says that it never was a value.
OBSERVATIONS = """(
    SELECT DISTINCT ON (series, event_time, knowledge_time) series, event_time, knowledge_time, value
    FROM records.observation_versions AS version
    WHERE NOT EXISTS (
        SELECT FROM records.exclusion_spans AS spans
        WHERE spans.relation = 'observations' AND spans.excluded_until IS NULL
            AND spans.key = ARRAY[version.series, version.event_time::text]
    )
    ORDER BY series, event_time, knowledge_time, recorded_at DESC
)"""
# Of each series, the oldest of the last days that a decision at a time looks back on. A revised day does not count: it
# may have been known later than its newest version says.
OLDEST_DAYS = f"""
    SELECT wanted.series, oldest.event_time
    FROM unnest($1::text[]) AS wanted (series)
    CROSS JOIN LATERAL (
        SELECT min(event_time) AS event_time
        FROM (
            SELECT event_time FROM records.observations AS day
            WHERE day.series = wanted.series AND day.knowledge_time <= $2::timestamptz AND NOT EXISTS (
                SELECT FROM records.observation_revisions AS old
                WHERE old.series = day.series AND old.event_time = day.event_time
            )
            ORDER BY event_time DESC LIMIT {PUBLICATIONS}
        ) AS last
        HAVING count(*) = {PUBLICATIONS}
    ) AS oldest
"""


def read_published(cursor: "Cursor", *, until: datetime, start: datetime | None = None) -> dict[str, Series]:
    """Every series that a feature reads, as known up to `until`; one that was never published is empty.

    Args:
        start: the first decision; what is too old for it is left out. None leaves out nothing.
    """
    oldest: dict[str, datetime] = {}
    if start is not None:
        cursor.execute(OLDEST_DAYS, (list(SERIES), start))
        oldest = dict(cursor.fetchall())
    wanted = " OR ".join(_wanted(name, oldest.get(name)) for name in SERIES)
    table = read_as_of(
        cursor, OBSERVATIONS, ("series", "event_time", "knowledge_time", "value"), known_at=until,
        where=wanted, order_by=("series", "event_time", "knowledge_time"),
    )  # fmt: skip
    return {name: _series(table.filter(pc.equal(table["series"], name))) for name in SERIES}


def _wanted(series: str, oldest: datetime | None) -> str:
    since = f" AND event_time >= '{oldest.isoformat()}'::timestamptz" if oldest else ""
    return f"(series = '{series}'{since})"


def _series(rows: pa.Table) -> Series:
    return Series(*(np.asarray(rows[name].to_numpy()) for name in ("event_time", "knowledge_time", "value")))
