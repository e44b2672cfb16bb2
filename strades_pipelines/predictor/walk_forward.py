"""Walk-forward training: each month's models are fitted only on labels known at the month's first instant.

The one place that asks a model to fit. A model's id is a hash of all that could change it, so an old month made again
is the same model, and one that is there is not fitted. A model that fails leaves its reason, and the others go on.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
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
from strades_pipelines.predictor.formulas import names_of
from strades_pipelines.predictor.labels import read_labels
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.kinds import KINDS, families_of

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

MODEL_VERSION = "2"  # bump it when this file's maths change
TRAIN_MONTHS = 36
MINIMUM_ROWS = 200
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class MonthModel:
    """The model of a kind that a month ought to have: its id, and what it is fitted on."""

    kind: Kind
    month: datetime
    model_id: str
    data_hash: str
    training: Training

    @property
    def seed(self) -> int:
        """A function of kind and month."""
        return self.kind.seed(f"{self.month:%Y-%m}")


@dataclass(frozen=True)
class Trained:
    """How many models of each kind were fitted, and one line for each that could not be."""

    fitted: dict[str, int]
    failures: list[str]


def train_models(
    url: str | None = None, *, start: datetime, end: datetime, now: datetime, kinds: Mapping[str, Kind] = KINDS
) -> Trained:
    """Fit and store the models of the months of [start, end) that are not there yet.

    A model that cannot be fitted has a row in predictions.failures until it can. A month with too little to learn from
    gets no model.

    Args:
        url: the database; None is this world's.
        now: months that begin later get no model; also the models' recorded_at.
        kinds: what is trained, by name.
    """
    trained = Trained(dict.fromkeys(kinds, 0), [])
    with adbc_connect(url) as connection:
        with connection.cursor() as cursor:
            rows = read_training_rows(cursor, start=start, end=end, now=now, kinds=kinds)
            stored, failed = stored_models(cursor), stored_failures(cursor)
        for model in month_models(rows, start=start, end=end, now=now, kinds=kinds):
            place = (model.kind.name, model.month.date())
            if model.model_id not in stored:
                reason = _fit_and_store(connection, model, now)
                if reason is None:
                    trained.fitted[model.kind.name] += 1
                else:
                    trained.failures.append(f"{model.kind.name} of {model.month:%Y-%m}: {reason}")
                    continue
            if place in failed:
                _forget_failure(connection, model)
    LOGGER.info("fitted %s of [%s, %s); failed: %s", trained.fitted, f"{start:%F}", f"{end:%F}", trained.failures)
    return trained


def read_training_rows(
    cursor: "Cursor", *, start: datetime, end: datetime, now: datetime, kinds: Mapping[str, Kind] = KINDS
) -> pd.DataFrame:
    """Every row, with its label, that a model of a month of [start, end) is fitted on or is used for."""
    names = names_of(families_of(kinds))
    since = (pd.Timestamp(start).replace(day=1) - pd.DateOffset(months=TRAIN_MONTHS)).to_pydatetime()
    rows = read_rows(cursor, start=since, end=end, known_at=now, names=names)
    return with_labels(rows, read_labels(cursor, start=since, known_at=now))


def month_models(
    rows: pd.DataFrame, *, start: datetime, end: datetime, now: datetime, kinds: Mapping[str, Kind] = KINDS
) -> Iterator[MonthModel]:
    """The models that the months of [start, end) ought to have, in order; months with too few rows have none."""
    libraries = {name: version(name) for kind in kinds.values() for name in kind.libraries}
    for month in months(start, end):
        training = training_set(rows, cutoff=month, months=TRAIN_MONTHS)
        if month <= now and len(training.y) >= MINIMUM_ROWS:
            hashes = {names: training.of(names).data_hash() for names in {kind.features for kind in kinds.values()}}
            for kind in kinds.values():
                data_hash = hashes[kind.features]
                used = {name: libraries[name] for name in kind.libraries}
                identity = [MODEL_VERSION, kind.name, kind.version, f"{month:%F}", data_hash, _parameters(kind), used]
                model_id = hashlib.sha256(_json(identity).encode()).hexdigest()
                yield MonthModel(kind, month, model_id, data_hash, training.of(kind.features))


def months(start: datetime, end: datetime) -> Iterator[datetime]:
    """The first instants of the months that [start, end) touches."""
    month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < end:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def stored_models(cursor: "Cursor") -> set[str]:
    """The ids of the models that are stored."""
    cursor.execute("SELECT model_id FROM predictions.models")
    return {row[0] for row in cursor.fetchall()}


def stored_failures(cursor: "Cursor") -> dict[tuple[str, Any], tuple[str, str]]:
    """The id and the reason of every model that could not be trained, by name and month."""
    cursor.execute("SELECT name, month, model_id, reason FROM predictions.failures")
    return {(name, month): (model_id, reason) for name, month, model_id, reason in cursor.fetchall()}


def _fit_and_store(connection: "Connection", model: MonthModel, now: datetime) -> str | None:
    """Fit one model and store it, or the reason why that failed, which is returned."""
    try:
        fitted = model.kind.fit(model.training, model.seed)
        row = _row(model, fitted)
    except Exception as error:  # whatever a library may raise: the other models do not wait for it
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        failure = {"name": model.kind.name, "month": model.month.date(), "model_id": model.model_id, "reason": reason}
        with connection.cursor() as cursor:
            table = pa.Table.from_pylist([failure])
            load(cursor, "predictions.failures", table, key=("name", "month"), now=now)
        connection.commit()
        return reason
    with connection.cursor() as cursor:
        load(cursor, "predictions.models", pa.Table.from_pylist([row]), key=("model_id",), now=now)
        store_model(cursor, model.model_id, fitted, format=model.kind.format, now=now)
    connection.commit()
    crash_point("predictions.model_stored")
    return None


def _forget_failure(connection: "Connection", model: MonthModel) -> None:
    with connection.cursor() as cursor:
        gone = "DELETE FROM predictions.failures WHERE name = $1 AND month = $2::date"
        cursor.execute(gone, (model.kind.name, model.month.date()))
    connection.commit()


def _row(model: MonthModel, fitted: Any) -> dict[str, Any]:
    training = model.training
    return {
        "model_id": model.model_id,
        "name": model.kind.name,
        "month": model.month.date(),
        "trained_at": model.month,
        "train_from": instant(int(training.decision_time.min())),
        "train_to": instant(int(training.decision_time.max())),
        "train_rows": len(training.y),
        "max_label_known_at": instant(int(training.label_known_at.max())),
        "parameters": _json(_parameters(model.kind) | {"seed": model.seed}),
        "data_hash": model.data_hash,
        "fitted_hash": model.kind.fitted_hash(fitted),
        "metrics": _json(_metrics(model, fitted)),
    }


def _parameters(kind: Kind) -> dict[str, Any]:
    return {**kind.parameters, "minimum_rows": MINIMUM_ROWS, "train_months": TRAIN_MONTHS}


def _metrics(model: MonthModel, fitted: Any) -> dict[str, float]:
    """Root mean square errors on the training rows, the model's beside those of "no change" and of the mean.

    Raises:
        ValueError: when the model does not give a number for each of its own training rows.
    """
    training = model.training
    predicted = model.kind.predict(fitted, training.x)
    if not np.isfinite(predicted).all():
        raise ValueError("expected a number for each training row, was not finite")

    def rmse(prediction: Any) -> float:
        return float(np.sqrt(np.mean((training.y - prediction) ** 2)))

    return {"rmse": rmse(predicted), "rmse_no_change": rmse(0.0), "rmse_mean": rmse(training.y.mean())}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
