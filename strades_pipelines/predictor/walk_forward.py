"""Walk-forward training: each month's model is fitted only on labels known at the month's first instant.

The one place where anything is fitted: imputation, scaling and regression together, inside the fold. A model's id is a
hash of all that could change it, so an old month made again is the same model, and one that is there is not fitted.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.predictor.artifacts import store_model
from strades_pipelines.predictor.dataset import Training, instant, read_rows, training_set, with_labels

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

NAME = "ridge"
MODEL_VERSION = "1"  # bump it when this file's maths change
SEED = 0  # nothing here draws numbers; part of the id, so that a model that does has its own
TRAIN_MONTHS = 36
# A day's return is almost all noise: a share of a thousandth explained by ten features asks for a penalty of thousands.
PARAMETERS: dict[str, Any] = {"alpha": 1000.0, "impute": "median", "minimum_rows": 200, "train_months": TRAIN_MONTHS}
LIBRARIES = ("numpy", "scikit-learn", "scipy", "skops")
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class MonthModel:
    """The model a month ought to have: its id, and what it is fitted on."""

    month: datetime
    model_id: str
    data_hash: str
    training: Training


def train_models(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> int:
    """Fit and store the models of the months of [start, end) that are not there yet.

    Args:
        url: the database; None is this world's.
        now: months that begin later get no model; also the models' recorded_at.

    Returns:
        How many were fitted. A month with too little to learn from gets none.
    """
    fitted = 0
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            rows = read_training_rows(cursor, start=start, end=end, now=now)
            stored = stored_models(cursor)
        for model in month_models(rows, start=start, end=end, now=now):
            if model.model_id not in stored:
                _fit_and_store(connection, model, now)
                fitted += 1
    LOGGER.info("%s: fitted %d models of [%s, %s)", NAME, fitted, f"{start:%F}", f"{end:%F}")
    return fitted


def read_training_rows(cursor: "Cursor", *, start: datetime, end: datetime, now: datetime) -> pd.DataFrame:
    """Every row, with its label, that a model of a month of [start, end) is fitted on or is used for."""
    since = (pd.Timestamp(start).replace(day=1) - pd.DateOffset(months=TRAIN_MONTHS)).to_pydatetime()
    rows = read_rows(cursor, start=since, end=end, known_at=now)
    return with_labels(cursor, rows, start=since, known_at=now)


def month_models(rows: pd.DataFrame, *, start: datetime, end: datetime, now: datetime) -> Iterator[MonthModel]:
    """The models that the months of [start, end) ought to have, in order; months with too few rows have none."""
    libraries = {name: version(name) for name in LIBRARIES}
    for month in months(start, end):
        training = training_set(rows, cutoff=month, months=TRAIN_MONTHS)
        if month <= now and len(training.y) >= PARAMETERS["minimum_rows"]:
            data_hash = training.data_hash()
            identity = [NAME, MODEL_VERSION, f"{month:%F}", data_hash, PARAMETERS, SEED, libraries]
            yield MonthModel(month, hashlib.sha256(_json(identity).encode()).hexdigest(), data_hash, training)


def months(start: datetime, end: datetime) -> Iterator[datetime]:
    """The first instants of the months that [start, end) touches."""
    month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < end:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def stored_models(cursor: "Cursor") -> set[str]:
    """The ids of the models of this name that are stored."""
    cursor.execute("SELECT model_id FROM predictions.models WHERE name = $1", (NAME,))
    return {row[0] for row in cursor.fetchall()}


def fit(training: Training) -> Any:
    """A pipeline fitted on nothing but these rows. One thread: the same bits on any number of cores."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    steps = [
        ("impute", SimpleImputer(strategy=PARAMETERS["impute"], keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("regress", Ridge(alpha=PARAMETERS["alpha"], solver="cholesky")),
    ]
    with threadpool_limits(limits=1):
        return Pipeline(steps).fit(training.x, training.y)


def fitted_hash(pipeline: Any) -> str:
    """SHA-256 over the fitted numbers; the stored file differs at every dump."""
    impute, scale, regress = (pipeline.named_steps[name] for name in ("impute", "scale", "regress"))
    numbers = (impute.statistics_, scale.mean_, scale.scale_, regress.coef_, regress.intercept_)
    return hashlib.sha256(b"".join(np.asarray(part, np.float64).tobytes() for part in numbers)).hexdigest()


def _fit_and_store(connection: "Connection", model: MonthModel, now: datetime) -> None:
    pipeline, training = fit(model.training), model.training
    row = {
        "model_id": model.model_id,
        "name": NAME,
        "month": model.month.date(),
        "trained_at": model.month,
        "train_from": instant(int(training.decision_time.min())),
        "train_to": instant(int(training.decision_time.max())),
        "train_rows": len(training.y),
        "max_label_known_at": instant(int(training.label_known_at.max())),
        "parameters": _json(PARAMETERS),
        "data_hash": model.data_hash,
        "fitted_hash": fitted_hash(pipeline),
        "metrics": _json(_metrics(pipeline, training)),
    }
    with connection.cursor() as cursor:
        load(cursor, "predictions.models", pa.Table.from_pylist([row]), key=("model_id",), now=now)
        store_model(cursor, model.model_id, pipeline, now=now)
    connection.commit()
    crash_point("predictions.model_stored")


def _metrics(pipeline: Any, training: Training) -> dict[str, float]:
    """Root mean square errors on the training rows, the model's beside those of "no change" and of the mean."""

    def rmse(prediction: Any) -> float:
        return float(np.sqrt(np.mean((training.y - prediction) ** 2)))

    return {
        "rmse": rmse(pipeline.predict(training.x)),
        "rmse_no_change": rmse(0.0),
        "rmse_mean": rmse(training.y.mean()),
    }


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
