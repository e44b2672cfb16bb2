"""predictions.forecasts: one immutable row for each session, with a value or with the reason why there is none."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.artifacts import load_model
from strades_pipelines.predictor.dataset import has_features
from strades_pipelines.predictor.formulas import NAMES
from strades_pipelines.predictor.walk_forward import NAME, month_models, read_training_rows, stored_models
from strades_pipelines.predictor.windows import Floats

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

SCHEMA = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("name", pa.string()),
        ("listing_id", pa.int32()),
        ("session_date", pa.date32()),
        ("decision_time", TIME),
        ("model_id", pa.string()),
        ("value", pa.float64()),
        ("status", pa.string()),
        ("inputs_hash", pa.string()),
    ]
)
MADE = """
    SELECT prediction_id FROM predictions.forecasts
    WHERE name = $1 AND session_date >= $2::date AND session_date < $3::date
"""


def write_forecasts(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Forecast every listing's sessions in [start, end) that have no forecast from these inputs and this model yet.

    A session is forecast by the model of its month, and by no other: when that is not stored, the row says `no_model`,
    and `no_features` when the session's windows are not complete. Rows are never changed; other inputs or another model
    make another row, and the one recorded last counts.

    Args:
        url: the database; None is this world's.
        start, end: midnights, UTC: the first date, and the one after the last.
        now: what is known later is not read; also the rows' recorded_at.
    """
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            rows = read_training_rows(cursor, start=start, end=end, now=now)
            models = _stored_month_models(cursor, rows, start, end, now)
            cursor.execute(MADE, (NAME, start.date(), end.date()))
            made = {row[0] for row in cursor.fetchall()}
            in_window = (rows["session_date"] >= start.date()) & (rows["session_date"] < end.date())
            wanted = pa.Table.from_pylist(list(_forecasts(cursor, rows[in_window], models, made)), SCHEMA)
            loaded = load(cursor, "predictions.forecasts", wanted, key=("prediction_id",), now=now)
        connection.commit()
        crash_point("predictions.forecasts_written")
        return Loaded(loaded.inserted, 0, int(in_window.sum()) - loaded.inserted)


def prediction_id(row: Any, model_id: str | None) -> str:
    """A function of what the forecast is of and made from: `row`'s listing, decision time and inputs, and the model."""
    return base32_id(NAME, str(row.listing_id), row.decision_time.to_pydatetime(), model_id, row.inputs_hash)


def predict(pipeline: Any, features: Floats) -> Floats:
    """The pipeline's values, shape (n,), for rows of shape (n, features), summed in one fixed order.

    The last bits of a matrix product depend on how many rows it has; a day's forecast must equal the same day's in a
    backfilled month. Imputing and scaling work on each number alone.
    """
    regress = pipeline[-1]
    values = np.full(len(features), float(regress.intercept_))
    for column, weight in zip(pipeline[:-1].transform(features).T, regress.coef_, strict=True):
        values += column * weight
    return values


def _stored_month_models(
    cursor: "Cursor", rows: pd.DataFrame, start: datetime, end: datetime, now: datetime
) -> dict[datetime, str]:
    stored = stored_models(cursor)
    wanted = month_models(rows, start=start, end=end, now=now)
    return {model.month: model.model_id for model in wanted if model.model_id in stored}


def _forecasts(
    cursor: "Cursor", rows: pd.DataFrame, models: dict[datetime, str], made: set[str]
) -> Iterator[dict[str, Any]]:
    """The rows that are not made yet, month by month; a month's model is loaded only if it has something to predict."""
    month_of = pd.to_datetime(rows["session_date"]).dt.strftime("%Y-%m")
    complete = has_features(rows)
    by_month = {f"{month:%Y-%m}": model_id for month, model_id in models.items()}
    for month, own in rows.groupby(month_of, sort=True):
        model_id = by_month.get(str(month))
        new = [
            forecast
            for row, is_complete in zip(own.itertuples(), complete[own.index], strict=True)
            if (forecast := _forecast(row, model_id if is_complete else None, complete=is_complete))["prediction_id"]
            not in made
        ]
        predicted = [forecast for forecast in new if forecast["status"] == "predicted"]
        if predicted:
            features = np.array([forecast["features"] for forecast in predicted])
            values = predict(load_model(cursor, str(model_id)), features)
            for forecast, value in zip(predicted, values, strict=True):
                forecast["value"] = value
        yield from new


def _forecast(row: Any, model_id: str | None, *, complete: bool) -> dict[str, Any]:
    status = "predicted" if model_id else "no_model" if complete else "no_features"
    return {
        "prediction_id": prediction_id(row, model_id),
        "name": NAME,
        "listing_id": row.listing_id,
        "session_date": row.session_date,
        "decision_time": row.decision_time,
        "model_id": model_id,
        "status": status,
        "inputs_hash": row.inputs_hash,
        "features": [getattr(row, name) for name in NAMES],
    }
