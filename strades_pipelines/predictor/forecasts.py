"""predictions.forecasts: one immutable row a model kind and session, with a value or with the reason for none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from strades_pipelines.predictor.artifact_bounds import UntrustedModel
from strades_pipelines.predictor.artifacts import load_model
from strades_pipelines.predictor.dataset import IDENTITY, has_features
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.walk_forward import (
    MINIMUM_ROWS,
    month_models,
    months,
    read_training_rows,
    stored_failures,
    stored_models,
)
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
        ("reason", pa.string()),
    ]
)
MADE = """
    SELECT name, listing_id, decision_time, model_id, inputs_hash FROM predictions.forecasts
    WHERE session_date >= $1::date AND session_date < $2::date
"""
Made = tuple[str, int, datetime, str | None, str]
NO_FEATURES = "the session's windows are not complete"


@dataclass(frozen=True)
class Available:
    """What a kind has for a month: the id of its model, or why there is none."""

    kind: Kind
    month: str
    model_id: str | None
    reason: str | None


def write_forecasts(
    url: str | None = None, *, start: datetime, end: datetime, now: datetime, kinds: Mapping[str, Kind] = KINDS
) -> Loaded:
    """Forecast every listing's sessions in [start, end) that have no forecast from these inputs and this model yet.

    A session is forecast by each kind's model of its month, and by no other: when that is not stored, the row says
    `no_model`, and `no_features` when the session's windows are not complete. Rows are never changed; other inputs or
    another model make another row, and the one recorded last counts.

    Args:
        url: the database; None is this world's.
        start, end: midnights, UTC: the first date, and the one after the last.
        now: what is known later is not read; also the rows' recorded_at.
        kinds: whose forecasts are made, by name.
    """
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            rows = read_training_rows(cursor, start=start, end=end, now=now, kinds=kinds)
            available = _available(cursor, rows, start, end, now, kinds)
            cursor.execute(MADE, (start.date(), end.date()))
            made = set(cursor.fetchall())
            rows = rows[(rows["session_date"] >= start.date()) & (rows["session_date"] < end.date())]
            rows = rows.assign(
                complete=has_features(rows), month=pd.to_datetime(rows["session_date"]).dt.strftime("%Y-%m")
            )
            by_month = dict(list(rows.groupby("month", sort=True)))
            new = [
                forecast
                for one in available
                if one.month in by_month
                for forecast in _month_forecasts(cursor, by_month[one.month], one, made)
            ]
            table = pa.Table.from_pylist(new, SCHEMA)
            loaded = load(cursor, "predictions.forecasts", table, key=("prediction_id",), now=now)
        connection.commit()
        crash_point("predictions.forecasts_written")
        return Loaded(loaded.inserted, 0, len(rows) * len(kinds) - loaded.inserted)


def prediction_id(made: Made) -> str:
    """A function of what a forecast is of and made from: its name, listing, decision time, model and inputs."""
    name, listing, decision_time, model_id, inputs_hash = made
    return base32_id(name, str(listing), decision_time, model_id, inputs_hash)


def _available(
    cursor: "Cursor",
    rows: pd.DataFrame,
    start: datetime,
    end: datetime,
    now: datetime,
    kinds: Mapping[str, Kind],
) -> list[Available]:
    """What each kind has for each month."""
    stored, failed = stored_models(cursor), stored_failures(cursor)
    wanted = {
        (m.kind.name, m.month): m.model_id for m in month_models(rows, start=start, end=end, now=now, kinds=kinds)
    }
    found = []
    for month in months(start, end):
        for kind in kinds.values():
            model_id = wanted.get((kind.name, month))
            failure = failed.get((kind.name, month.date()))
            if model_id is None:
                reason = f"fewer than {MINIMUM_ROWS} labelled sessions were known at {month:%F}"
            elif failure is not None and failure[0] == model_id:
                reason = f"its training failed: {failure[1]}"
            else:
                reason = f"the model of {month:%Y-%m} is not trained"
            is_stored = model_id in stored
            found.append(
                Available(kind, f"{month:%Y-%m}", model_id if is_stored else None, None if is_stored else reason)
            )
    return found


def _month_forecasts(cursor: "Cursor", rows: pd.DataFrame, one: Available, made: set[Made]) -> list[dict[str, Any]]:
    """The rows of a kind's month that are not made yet; its model is loaded only if it has something to predict."""
    identity = rows[[*IDENTITY, "complete"]].itertuples()
    new = {row.Index: _forecast(row, one) for row in identity if _of(row, one) not in made}
    predicted = [place for place, forecast in new.items() if forecast["status"] == "predicted"]
    if predicted:
        try:
            values = _predict(cursor, one, rows.loc[predicted, list(one.kind.features)].to_numpy(np.float64))
        except (KeyError, UntrustedModel) as error:  # this kind's rows say so; the others are made
            reason = f"{error.args[0]}; delete its row of predictions.models to have it trained again"
            return _month_forecasts(cursor, rows, replace(one, model_id=None, reason=reason), made)
        for place, value in zip(predicted, values, strict=True):
            new[place]["value"] = value
    return list(new.values())


def _predict(cursor: "Cursor", one: Available, features: Floats) -> Floats:
    """The values of a kind's model of the month, of shape (n,).

    Raises:
        KeyError: when the model is not stored.
        UntrustedModel: when it is not what was trained.
    """
    fitted = load_model(cursor, str(one.model_id))
    cursor.execute("SELECT fitted_hash FROM predictions.models WHERE model_id = $1", (one.model_id,))
    trained = cursor.fetchone()
    try:
        # A changed tree can lead in a circle, for ever, and a changed weight to any forecast.
        if trained != (one.kind.fitted_hash(fitted),):
            raise UntrustedModel("expected the numbers it was trained to, was others")
        return one.kind.predict(fitted, features)
    except Exception as error:
        said = str(error) if isinstance(error, UntrustedModel) else f"{type(error).__name__}: {str(error)[:200]}"
        raise UntrustedModel(f"model {one.model_id}: {' '.join(said.split())}") from None


def _of(row: Any, one: Available) -> Made:
    return one.kind.name, row.listing_id, row.decision_time, one.model_id if row.complete else None, row.inputs_hash


def _forecast(row: Any, one: Available) -> dict[str, Any]:
    model_id = one.model_id if row.complete else None
    return {
        "prediction_id": prediction_id(_of(row, one)),
        "name": one.kind.name,
        "listing_id": row.listing_id,
        "session_date": row.session_date,
        "decision_time": row.decision_time,
        "model_id": model_id,
        "status": "predicted" if model_id else "no_model" if row.complete else "no_features",
        "inputs_hash": row.inputs_hash,
        "reason": None if model_id else one.reason if row.complete else NO_FEATURES,
    }
