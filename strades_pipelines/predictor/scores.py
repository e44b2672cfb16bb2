"""predictions.scores: how each forecast turned out, once, as soon as that could be known.

Beside its error stand those of the naive forecast, "no change", and of the linear model, for the same session.
"""

from datetime import datetime

import pyarrow as pa

from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.predictor.labels import read_labels
from strades_pipelines.predictor.models.kinds import LINEAR

PENDING = """
    SELECT
        forecast.prediction_id, forecast.listing_id, forecast.decision_time, forecast.value, linear.value AS linear
    FROM predictions.forecasts AS forecast
    LEFT JOIN LATERAL (
        SELECT value FROM predictions.forecasts AS same
        WHERE same.name = $2 AND same.status = 'predicted'
            AND same.listing_id = forecast.listing_id AND same.decision_time = forecast.decision_time
        ORDER BY same.recorded_at DESC, same.prediction_id LIMIT 1
    ) AS linear ON true
    WHERE forecast.status = 'predicted' AND forecast.session_date < $1::date
        AND NOT EXISTS (SELECT FROM predictions.scores AS score WHERE score.prediction_id = forecast.prediction_id)
"""
COLUMNS = ["prediction_id", "label", "label_known_at", "error", "baseline_error", "linear_error"]


def write_scores(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Score the forecasts of sessions before `end` whose label is known now, and was not known before `start`.

    So a month's run also scores the last session of the month before, whose label only this month tells. A score is
    never changed: a price restated later does not rewrite how a forecast did.

    Args:
        url: the database; None is this world's.
        now: what is known later is not read; also the rows' recorded_at.
    """
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute(PENDING, (end.date(), LINEAR))
            pending = cursor.fetch_arrow_table().to_pandas()
            if pending.empty:
                return NOTHING
            labels = read_labels(cursor, start=pending["decision_time"].min().to_pydatetime(), known_at=now)
            rows = pending.merge(labels, on=["listing_id", "decision_time"])
            rows = rows[rows["label_known_at"] >= start].sort_values("prediction_id")
            rows = rows.assign(error=rows["value"] - rows["label"], baseline_error=-rows["label"])
            rows = rows.assign(linear_error=rows["linear"].astype("float64") - rows["label"])
            table = pa.Table.from_pandas(rows[COLUMNS], preserve_index=False)
            loaded = load(cursor, "predictions.scores", table, key=("prediction_id",), now=now)
        connection.commit()
    crash_point("predictions.scores_written")
    return loaded
