"""predictions.scores: how each forecast turned out, once, as soon as that could be known.

Beside its error stand those of the naive forecast, "no change", and of the linear model, for the same session.

Marks of `ops.stale` say which forecasts wait for a score: a new forecast marks its listing and date of decision. A run
takes the marks, scores what has closed and marks what has not, so that it reads forecasts that wait and no others.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.stale import Stretch, mark, marked_months, marks, take_in
from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.dataset import microseconds, timestamp
from strades_pipelines.predictor.labels import LABEL_COLUMNS, LABEL_JOINS, next_session_return
from strades_pipelines.predictor.models.kinds import LINEAR

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

WAITING = "predictions.scores"  # the marks' relation
NEVER = pa.scalar(datetime.max.replace(tzinfo=UTC), TIME)
# Marks that come while a month is scored are not seen, and so not taken; only a second run could take the same ones.
ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
LOCK = "SELECT pg_advisory_lock(hashtext('strades.scores'))"
# By index, whatever the planner believes: OFFSET and LIMIT keep it from reading whole tables in order to join them.
UNSCORED = f"""
    SELECT
        row.prediction_id, row.listing_id, row.session_date, row.decision_time, row.value, linear.value AS linear,
        label.growth, label.next_growth, label.knowledge_time AS label_known_at
    FROM json_to_recordset($1::json) AS stretches (listing_id integer, first_day date, end_day date)
    CROSS JOIN LATERAL (
        SELECT * FROM predictions.forecasts AS own
        WHERE own.listing_id = stretches.listing_id AND own.status = 'predicted'
            AND own.decision_time >= stretches.first_day AND own.decision_time < stretches.end_day
        OFFSET 0
    ) AS row
    LEFT JOIN LATERAL (
        SELECT true AS is_stored FROM predictions.scores AS own WHERE own.prediction_id = row.prediction_id LIMIT 1
    ) AS score ON true
    LEFT JOIN LATERAL (
        SELECT {LABEL_COLUMNS} FROM (VALUES (true)) AS one_row (is_one) {LABEL_JOINS}
    ) AS label ON true
    LEFT JOIN LATERAL (
        SELECT own.value FROM predictions.forecasts AS own
        WHERE own.listing_id = row.listing_id AND own.decision_time = row.decision_time
            AND own.name = $2 AND own.status = 'predicted'
        ORDER BY own.recorded_at DESC, own.prediction_id LIMIT 1
    ) AS linear ON true
    WHERE score.is_stored IS NULL
    ORDER BY row.prediction_id
"""


def write_scores(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Score the forecasts of sessions before `end` whose label is known now, and was not known before `start`.

    So a month's run also scores the last session of the month before, whose label only this month tells. A score is
    never changed: a price restated later does not rewrite how a forecast did. Each month of decisions is committed on
    its own.

    Args:
        url: the database; None is this world's.
        now: what is known later is not read; also the rows' recorded_at.
    """
    loaded = NOTHING
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(LOCK)
        waiting_months = marked_months(cursor, WAITING)
        connection.commit()
        for first in waiting_months:
            cursor.execute(ONE_SNAPSHOT)
            loaded += _score_month(cursor, first, start, end, now)
            connection.commit()
    crash_point("predictions.scores_written")
    return loaded


def _score_month(cursor: "Cursor", first: date, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Score what has closed of the forecasts that wait, of a month of decisions; commits nothing."""
    days = (first, (first + timedelta(days=32)).replace(day=1))
    stretches = marks(cursor, WAITING, *days)
    rows = _read_unscored(cursor, stretches)
    known_at = microseconds(rows["label_known_at"].fill_null(NEVER))
    closed = (known_at >= timestamp(start)) & (known_at <= timestamp(now))
    closed &= rows["session_date"].to_numpy() < np.datetime64(end.date())
    left = rows.filter(pa.array(~closed))
    still_waiting = {
        (listing, decided.date())
        for listing, decided in zip(left["listing_id"].to_pylist(), left["decision_time"].to_pylist(), strict=True)
    }
    if still_waiting != set(_days(stretches)):  # else a run with nothing new would write the same marks again
        take_in(cursor, WAITING, *days)
        mark(cursor, WAITING, still_waiting)
    return load(cursor, "predictions.scores", _scores(rows.filter(pa.array(closed))), key=("prediction_id",), now=now)


def _read_unscored(cursor: "Cursor", stretches: Sequence[Stretch]) -> pa.Table:
    """The forecasts without a score of some days, with what their labels are made of, null where that is not stored."""
    days = [
        {"listing_id": listing, "first_day": f"{first:%F}", "end_day": f"{end_day:%F}"}
        for listing, first, end_day in stretches
    ]
    cursor.execute(UNSCORED, (json.dumps(days), LINEAR))
    return cursor.fetch_arrow_table()


def _days(stretches: Sequence[Stretch]) -> Iterator[tuple[int | None, date]]:
    for listing, first, end_day in stretches:
        for number in range((end_day - first).days):
            yield listing, first + timedelta(days=number)


def _scores(rows: pa.Table) -> pa.Table:
    """The scores of forecasts whose label is known."""
    label = next_session_return(rows["growth"].to_numpy(), rows["next_growth"].to_numpy())
    return pa.table(
        {
            "prediction_id": rows["prediction_id"],
            "label": label,
            "label_known_at": rows["label_known_at"],
            "error": rows["value"].to_numpy() - label,
            "baseline_error": -label,
            "linear_error": pa.array(rows["linear"].to_numpy() - label, from_pandas=True),
        }
    )
