"""Walk-forward training: each month's models are fitted only on labels known at the month's first instant.

The one place that asks a model to fit. A model's id is a hash of all that could change it, so an old month made again
is the same model, and one that is there is not fitted. A model that fails leaves its reason, and the others go on.

Which model a kind ought to have for a month is kept in ops.month_models. Training rows are read only for a month that
is not in it, or whose entry holds no more: a training row changed (marks of `ops.stale`), the kind did, or its model is
not stored. So new days of a month, whose labels it does not see, cost it nothing.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.stale import take_in
from strades_pipelines.predictor.artifacts import store_model
from strades_pipelines.predictor.dataset import Training, instant, read_labelled, share_rows, training_set
from strades_pipelines.predictor.formulas import names_of
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.kinds import KINDS, families_of
from strades_pipelines.predictor.month_blocks import months, sliding_blocks

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

MODEL_VERSION = "2"  # bump it when this file's maths change
TRAIN_MONTHS = 36  # predictions.months_trained_on in the migrations has the same
MINIMUM_ROWS = 200
PREDICTED_ROWS = 50_000  # that are predicted at once: a kind may copy them
INSTANT = timedelta(microseconds=1)
ENTRY = pa.schema([("month", pa.date32()), ("name", pa.string()), ("recipe", pa.string()), ("model_id", pa.string())])
LOGGER = logging.getLogger(__name__)

# A second run may be at the same months: what this one derived from older rows must not replace what that one did from
# newer ones. Held until the connection closes.
LOCK = "SELECT pg_advisory_lock(hashtext('strades.models'))"
FORGET = "DELETE FROM ops.month_models WHERE month >= $1::date AND month < $2::date"
FORGET_FAILURE = "DELETE FROM predictions.failures WHERE name = $1 AND month = $2::date"
HOLDING = """
    SELECT own.month, own.name, own.recipe FROM ops.month_models AS own
    WHERE own.month >= $1::date AND own.month <= $2::date AND (
        own.model_id IS NULL OR EXISTS (SELECT FROM predictions.models AS stored WHERE stored.model_id = own.model_id)
    )
"""


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
class Outcome:
    """What became of a model of a month: fitted, failed for a reason, or neither where nothing was to be done."""

    name: str
    is_fitted: bool = False
    reason: str | None = None


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
    gets no model. Each model is committed on its own: those that were fitted stay when a later one fails.

    Args:
        url: the database; None is this world's.
        now: months that begin later get no model; also the models' recorded_at.
        kinds: what is trained, by name.
    """
    trained = Trained(dict.fromkeys(kinds, 0), [])
    begun = [month for month in months(start, end) if month <= now]
    if not begun:
        return trained
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(LOCK)
        cursor.fetchall()
        waiting = _kinds_to_derive(cursor, begun, kinds)
        connection.commit()
        needed = {kind.name: kind for missing in waiting.values() for kind in missing}
        read = partial(read_labelled, cursor, known_at=now, names=names_of(families_of(needed)))
        for month, blocks in sliding_blocks(waiting, TRAIN_MONTHS, read):
            # A row decided at the very instant may have a label by then: its bar came after the next session's.
            labelled = [*blocks.values(), read(month, month + INSTANT)]
            training = training_of(labelled, month)
            blocks |= {begin: share_rows(block, training) for begin, block in blocks.items()}
            del labelled
            for outcome in _train_month(cursor, training, month, waiting[month], now):
                connection.commit()
                crash_point("predictions.model_stored")
                if outcome.is_fitted:
                    trained.fitted[outcome.name] += 1
                elif outcome.reason is not None:
                    trained.failures.append(f"{outcome.name} of {month:%Y-%m}: {outcome.reason}")
    LOGGER.info("fitted %s of [%s, %s); failed: %s", trained.fitted, f"{start:%F}", f"{end:%F}", trained.failures)
    return trained


def _train_month(
    cursor: "Cursor", training: Training, month: datetime, kinds: Sequence[Kind], now: datetime
) -> Iterator[Outcome]:
    """Derive a month's models, fit and store those that are not there, and record them; commits nothing."""
    models = month_models(training, month, kinds)
    for kind in kinds:
        model, outcome = models.get(kind.name), Outcome(kind.name)
        if model is not None and not _is_stored(cursor, model):
            outcome = _fit_and_store(cursor, model, now)
        if model is not None and outcome.reason is None:
            cursor.execute(FORGET_FAILURE, (kind.name, month.date()))
        entry = {"month": month.date(), "name": kind.name, "recipe": recipe(kind), "model_id": model and model.model_id}
        load(cursor, "ops.month_models", pa.Table.from_pylist([entry], ENTRY), key=("month", "name"), now=now)
        yield outcome


def training_of(blocks: Sequence[Training], month: datetime) -> Training:
    """What a month's models are fitted on, of labelled rows of the months before it, as for `training_set`."""
    return training_set(blocks, cutoff=month, months=TRAIN_MONTHS)


def month_models(training: Training, month: datetime, kinds: Sequence[Kind]) -> dict[str, MonthModel]:
    """The models that a month ought to have, by the name of their kind; none where the month has too few rows.

    Args:
        training: the month's, as `training_of` gives it, of at least the features of the kinds.
    """
    if len(training.y) < MINIMUM_ROWS:
        return {}
    sets = {names: training.of(names) for names in {kind.features for kind in kinds}}
    hashes = {names: own.data_hash() for names, own in sets.items()}
    return {
        kind.name: MonthModel(
            kind=kind,
            month=month,
            model_id=_model_id(kind, month, hashes[kind.features]),
            data_hash=hashes[kind.features],
            training=sets[kind.features],
        )
        for kind in kinds
    }


def recipe(kind: Kind) -> str:
    """SHA-256 over what makes the id of a kind's model, but for the month and its training rows."""
    parts = [MODEL_VERSION, kind.name, kind.version, kind.features, _parameters(kind), _libraries(kind)]
    return hashlib.sha256(_json(parts).encode()).hexdigest()


def _model_id(kind: Kind, month: datetime, data_hash: str) -> str:
    identity = [MODEL_VERSION, kind.name, kind.version, f"{month:%F}", data_hash, _parameters(kind), _libraries(kind)]
    return hashlib.sha256(_json(identity).encode()).hexdigest()


def _kinds_to_derive(
    cursor: "Cursor", begun: Sequence[datetime], kinds: Mapping[str, Kind]
) -> dict[datetime, list[Kind]]:
    """The months whose training rows have to be read, each with the kinds that have no entry which holds.

    Takes the marks of these months, and with them their entries, in the caller's transaction.
    """
    first, last = begun[0].date(), begun[-1].date()
    for _, *stretch in take_in(cursor, "predictions.models", first, last + timedelta(days=1)):
        cursor.execute(FORGET, stretch)
    cursor.execute(HOLDING, (first, last))
    holding = {(month, name): known_recipe for month, name, known_recipe in cursor.fetchall()}
    recipes = {kind.name: recipe(kind) for kind in kinds.values()}
    waiting = {
        month: [kind for kind in kinds.values() if holding.get((month.date(), kind.name)) != recipes[kind.name]]
        for month in begun
    }
    return {month: missing for month, missing in waiting.items() if missing}


def _is_stored(cursor: "Cursor", model: MonthModel) -> bool:
    cursor.execute("SELECT 1 FROM predictions.models WHERE model_id = $1", (model.model_id,))
    return cursor.fetchone() is not None


def _fit_and_store(cursor: "Cursor", model: MonthModel, now: datetime) -> Outcome:
    """Fit one model and store it, or the reason why that failed; commits nothing."""
    name = model.kind.name
    try:
        fitted = model.kind.fit(model.training, model.seed)
        row = _row(model, fitted)
    except Exception as error:  # whatever a library may raise: the other models do not wait for it
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        failure = {"name": name, "month": model.month.date(), "model_id": model.model_id, "reason": reason}
        load(cursor, "predictions.failures", pa.Table.from_pylist([failure]), key=("name", "month"), now=now)
        return Outcome(name, reason=reason)
    load(cursor, "predictions.models", pa.Table.from_pylist([row]), key=("model_id",), now=now)
    store_model(cursor, model.model_id, fitted, format=model.kind.format, now=now)
    return Outcome(name, is_fitted=True)


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


def _libraries(kind: Kind) -> dict[str, str]:
    return {name: _installed(name) for name in kind.libraries}


@cache
def _installed(library: str) -> str:  # reading it takes longer than all else of a month that has too few rows
    return version(library)


def _metrics(model: MonthModel, fitted: Any) -> dict[str, float]:
    """Root mean square errors on the training rows, the model's beside those of "no change" and of the mean.

    Raises:
        ValueError: when the model does not give a number for each of its own training rows.
    """
    training = model.training
    parts = range(0, len(training.x), PREDICTED_ROWS)
    predicted = np.concatenate(
        [model.kind.predict(fitted, training.x[begin : begin + PREDICTED_ROWS]) for begin in parts]
    )
    if not np.isfinite(predicted).all():
        raise ValueError("expected a number for each training row, was not finite")

    def rmse(prediction: Any) -> float:
        return float(np.sqrt(np.mean((training.y - prediction) ** 2)))

    return {"rmse": rmse(predicted), "rmse_no_change": rmse(0.0), "rmse_mean": rmse(training.y.mean())}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
