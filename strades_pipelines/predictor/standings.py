"""predictions.standings: how each kind of model did on the horizons that were closed when a month began."""

from datetime import datetime
from math import fsum
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.walk_forward import months

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

MONTHS = 12  # of scores that a standing rests on
ENOUGH = 20  # scores; a standing on fewer does not say whether the model is worse
# Of the forecasts that a name made for one session, the one recorded last counts.
SCORES = """
    SELECT DISTINCT ON (forecast.name, forecast.listing_id, forecast.decision_time)
        forecast.name, score.label_known_at, score.error, score.baseline_error, score.linear_error
    FROM predictions.scores AS score INNER JOIN predictions.forecasts AS forecast USING (prediction_id)
    WHERE score.label_known_at >= $1::timestamptz AND score.label_known_at < $2::timestamptz
    ORDER BY
        forecast.name, forecast.listing_id, forecast.decision_time, forecast.recorded_at DESC, forecast.prediction_id
"""
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
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            scores = _read_scores(cursor, _since(begun[0]), begun[-1])
            rows = [standing for month in begun for standing in _standings(scores, month)]
            table = pa.Table.from_pylist(rows, SCHEMA)
            loaded = load(cursor, "predictions.standings", table, key=("name", "month"), now=now)
        connection.commit()
    return loaded


def mean_square(errors: "pd.Series[float]") -> float | None:
    """The mean of the squares of the errors that there are, to the last bit whatever their order; None of none."""
    present = errors.dropna()
    return fsum(present**2) / len(present) if len(present) else None


def _since(month: datetime) -> datetime:
    return (pd.Timestamp(month) - pd.DateOffset(months=MONTHS)).to_pydatetime()


def _read_scores(cursor: "Cursor", start: datetime, end: datetime) -> pd.DataFrame:
    cursor.execute(SCORES, (start, end))
    scores: pd.DataFrame = cursor.fetch_arrow_table().to_pandas()
    return scores


def _standings(scores: pd.DataFrame, month: datetime) -> list[dict[str, Any]]:
    closed = scores[(scores["label_known_at"] < month) & (scores["label_known_at"] >= _since(month))]
    return [
        {"name": name, "month": month.date(), "known_at": month} | _standing(own)
        for name, own in closed.groupby("name", sort=True)
    ]


def _standing(scores: pd.DataFrame) -> dict[str, Any]:
    mse, naive = mean_square(scores["error"]), mean_square(scores["baseline_error"])
    return {
        "scored": len(scores),
        "mse": mse,
        "mse_naive": naive,
        "mse_linear": mean_square(scores["linear_error"]),
        "worse_than_naive": mse > naive if len(scores) >= ENOUGH and mse is not None and naive is not None else None,
    }
