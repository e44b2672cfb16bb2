"""predictions.standings: how each kind of model did on the horizons that were closed when a month began.

A standing rests on the scores that closed in the year before its month. They are read only for months whose marks in
`ops.stale` say that a score of that year came or went.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from math import fsum
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.stale import take_in
from strades_pipelines.predictor.month_blocks import months, sliding_blocks

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

MONTHS = 12  # of scores that a standing rests on; predictions.mark_standings in the migrations has the same
ENOUGH = 20  # scores; a standing on fewer does not say whether the model is worse
# LIMIT makes each forecast an index lookup: the planner would read all of them in order to join a month's.
SCORES = """
    SELECT
        forecast.name, forecast.listing_id, forecast.decision_time, forecast.recorded_at, score.prediction_id,
        score.error, score.baseline_error, score.linear_error
    FROM predictions.scores AS score
    CROSS JOIN LATERAL (
        SELECT * FROM predictions.forecasts AS own WHERE own.prediction_id = score.prediction_id LIMIT 1
    ) AS forecast
    WHERE score.label_known_at >= $1::timestamptz AND score.label_known_at < $2::timestamptz
"""
SESSION = ["name", "listing_id", "decision_time"]
STORED = "SELECT count(*) FROM predictions.standings WHERE month >= $1::date AND month <= $2::date"
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("month", pa.date32()),
        ("known_at", pa.timestamp("us", tz="UTC")),
        ("scored", pa.int32()),
        ("mse", pa.float64()),
        ("mse_naive", pa.float64()),
        ("mse_linear", pa.float64()),
        ("worse_than_naive", pa.bool_()),
    ]
)


def write_standings(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Write how each kind stood at the first instants of the months of [start, end), from scores closed before.

    Args:
        url: the database; None is this world's.
        now: months that begin later have no standing yet; also the rows' recorded_at.
    """
    begun = [month for month in months(start, end) if month <= now]
    if not begun:
        return NOTHING
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        first, last = begun[0].date(), begun[-1].date()
        marked = take_in(cursor, "predictions.standings", first, last + timedelta(days=1))
        stale = [month for month in begun if any(since <= month.date() < until for _, since, until in marked)]
        loaded = NOTHING
        for month, blocks in sliding_blocks(stale, MONTHS, partial(_read_scores, cursor)):
            table = pa.Table.from_pylist(standings(list(blocks.values()), month), SCHEMA)
            loaded += load(cursor, "predictions.standings", table, key=("name", "month"), now=now)
        cursor.execute(STORED, (first, last))
        [(stored,)] = cursor.fetchall()
        connection.commit()
    return Loaded(loaded.inserted, loaded.revised, stored - loaded.inserted - loaded.revised)


def standings(blocks: Sequence[pd.DataFrame], month: datetime) -> list[dict[str, Any]]:
    """How each kind stood when a month began, by name.

    Args:
        blocks: the scores of the months before it, as they are read. Of the forecasts that a name made for one session,
            the one recorded last counts.
    """
    scores = pd.concat(blocks, ignore_index=True)
    # Nearly every session has one forecast of a name: sorting all of them would take most of the time.
    several = scores.duplicated(SESSION, keep=False)
    newest = scores[several].sort_values(["recorded_at", "prediction_id"], ascending=[False, True])
    scores = pd.concat([scores[~several], newest.drop_duplicates(SESSION)])
    return [
        {"name": name, "month": month.date(), "known_at": month} | _standing(own)
        for name, own in scores.groupby("name", sort=True)
    ]


def mean_square(errors: "pd.Series[float]") -> float | None:
    """The mean of the squares of the errors that there are, to the last bit whatever their order; None of none."""
    present = errors.dropna()
    return fsum(present**2) / len(present) if len(present) else None


def _read_scores(cursor: "Cursor", start: datetime, end: datetime) -> pd.DataFrame:
    cursor.execute(SCORES, (start, end))
    scores: pd.DataFrame = cursor.fetch_arrow_table().to_pandas()
    return scores.astype({"linear_error": "float64"})


def _standing(scores: pd.DataFrame) -> dict[str, Any]:
    mse, naive = mean_square(scores["error"]), mean_square(scores["baseline_error"])
    return {
        "scored": len(scores),
        "mse": mse,
        "mse_naive": naive,
        "mse_linear": mean_square(scores["linear_error"]),
        "worse_than_naive": mse > naive if len(scores) >= ENOUGH and mse is not None and naive is not None else None,
    }
