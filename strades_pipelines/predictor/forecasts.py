"""predictions.forecasts: one immutable row a model kind and session, with a value or with the reason for none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from psycopg.sql import Literal

from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.artifact_bounds import UntrustedModel
from strades_pipelines.predictor.artifacts import load_model
from strades_pipelines.predictor.dataset import NEEDED, feature_columns, feature_matrix
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.month_blocks import months, next_month
from strades_pipelines.predictor.walk_forward import MINIMUM_ROWS, recipe
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
IDENTITY = ("listing_id", "session_date", "decision_time", "inputs_hash")
MONTH_MODELS = """
    SELECT own.name, own.recipe, own.model_id, stored.model_id IS NOT NULL, failure.reason
    FROM ops.month_models AS own
    LEFT JOIN predictions.models AS stored ON stored.model_id = own.model_id
    LEFT JOIN predictions.failures AS failure
        ON failure.name = own.name AND failure.month = own.month AND failure.model_id = own.model_id
    WHERE own.month = $1::date
"""
COUNT = """
    SELECT count(*) FROM features.daily
    WHERE session_date >= $1::date AND session_date < $2::date AND decision_time <= $3::timestamptz
"""
# Each row's forecasts are looked up by index; an aggregate cannot be turned into a join with all of them.
WITHOUT_FORECAST = """
    SELECT {identity}, row.complete, {features}, forecasts.names
    FROM (SELECT *, num_nulls({needed}) = 0 AS complete FROM features.daily) AS row {join}
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(kinds.name), '{{}}') AS names
        FROM predictions.forecasts AS own
        INNER JOIN (VALUES {kinds}) AS kinds (name, model_id) ON own.name = kinds.name
        WHERE own.listing_id = row.listing_id AND own.decision_time = row.decision_time
            AND own.inputs_hash = row.inputs_hash
            AND own.model_id IS NOT DISTINCT FROM CASE WHEN row.complete THEN kinds.model_id END
    ) AS forecasts
    WHERE row.session_date >= $1::date AND row.session_date < $2::date AND row.decision_time <= $3::timestamptz
        AND cardinality(forecasts.names) < {count}
    ORDER BY row.decision_time, row.listing_id
"""
Made = tuple[str, int, datetime, str | None, str]
NO_FEATURES = "the session's windows are not complete"


@dataclass(frozen=True)
class Available:
    """What a kind has for a month: the id of its stored model, or why there is none."""

    kind: Kind
    model_id: str | None
    reason: str | None


@dataclass(frozen=True)
class Sessions:
    """The sessions of some dates, [start, end), decided by a time."""

    start: date
    end: date
    decided_by: datetime

    @property
    def parameters(self) -> tuple[date, date, datetime]:
        """As the queries take them."""
        return self.start, self.end, self.decided_by


def write_forecasts(
    url: str | None = None, *, start: datetime, end: datetime, now: datetime, kinds: Mapping[str, Kind] = KINDS
) -> Loaded:
    """Forecast every listing's sessions in [start, end) that have no forecast from these inputs and this model yet.

    A session is forecast by each kind's model of its month, and by no other: when that is not stored, the row says
    `no_model`, and `no_features` when the session's windows are not complete. Rows are never changed; other inputs or
    another model make another row, and the one recorded last counts. Each month is committed on its own.

    Args:
        url: the database; None is this world's.
        start, end: midnights, UTC: the first date, and the one after the last.
        now: what is known later is not read; also the rows' recorded_at.
        kinds: whose forecasts are made, by name.
    """
    loaded = NOTHING
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        for month in months(start, end):
            sessions = Sessions(max(month, start).date(), min(next_month(month), end).date(), now)
            loaded += _write_month(cursor, month, sessions, now, kinds)
            connection.commit()
    crash_point("predictions.forecasts_written")
    return loaded


def prediction_id(made: Made) -> str:
    """A function of what a forecast is of and made from: its name, listing, decision time, model and inputs."""
    name, listing, decision_time, model_id, inputs_hash = made
    return base32_id(name, str(listing), decision_time, model_id, inputs_hash)


def _write_month(
    cursor: "Cursor", month: datetime, sessions: Sessions, now: datetime, kinds: Mapping[str, Kind]
) -> Loaded:
    cursor.execute(COUNT, sessions.parameters)
    [(rows,)] = cursor.fetchall()
    if not rows:
        return NOTHING
    available = _available(cursor, month, kinds)
    without = _read_without_forecast(cursor, sessions, available)
    parts = [_forecasts(cursor, without, sessions, one) for one in available] if without.num_rows else []
    inserted = sum(
        load(cursor, "predictions.forecasts", part, key=("prediction_id",), now=now).inserted for part in parts
    )
    return Loaded(inserted, 0, rows * len(kinds) - inserted)


def _available(cursor: "Cursor", month: datetime, kinds: Mapping[str, Kind]) -> list[Available]:
    """What each kind has for a month."""
    cursor.execute(MONTH_MODELS, (month.date(),))
    entries = {(name, made_by): entry for name, made_by, *entry in cursor.fetchall()}
    untrained = (None, False, None)
    found = []
    for kind in kinds.values():
        is_derived = (kind.name, recipe(kind)) in entries
        model_id, is_stored, failure = entries.get((kind.name, recipe(kind)), untrained)
        if is_derived and model_id is None:
            reason = f"fewer than {MINIMUM_ROWS} labelled sessions were known at {month:%F}"
        elif failure is not None:
            reason = f"its training failed: {failure}"
        else:
            reason = f"the model of {month:%Y-%m} is not trained"
        found.append(Available(kind, model_id, None) if is_stored else Available(kind, None, reason))
    return found


def _read_without_forecast(cursor: "Cursor", sessions: Sessions, available: Sequence[Available]) -> pa.Table:
    """The feature rows that lack a forecast of some kind, and in `names` the kinds that have made theirs.

    A forecast is looked for as it would be made: from the row's inputs by the kind's model, or by none.
    """
    features, join = feature_columns({name for one in available for name in one.kind.features})
    kinds = ", ".join(f"({_text(one.kind.name)}, {_text(one.model_id)})" for one in available)
    query = WITHOUT_FORECAST.format(
        identity=", ".join(f"row.{name}" for name in IDENTITY), needed=", ".join(NEEDED), features=features, join=join,
        kinds=kinds, count=len(available),
    )  # fmt: skip
    cursor.execute(query, sessions.parameters)
    return cursor.fetch_arrow_table()


def _text(value: str | None) -> str:
    return Literal(value).as_string() + "::text"


def _forecasts(cursor: "Cursor", without: pa.Table, sessions: Sessions, one: Available) -> pa.Table:
    """The forecasts that a kind has not made; its model is loaded only if it has something to predict."""
    without = without.filter(
        pa.array([one.kind.name not in names for names in without["names"].to_pylist()], pa.bool_())
    )
    complete = without["complete"].to_numpy()
    values = np.full(without.num_rows, np.nan)
    if one.model_id is not None and complete.any():
        try:
            x = feature_matrix(without.filter(without["complete"]), one.kind.features)
            values[complete] = _predict(cursor, one.model_id, one.kind, x)
        except (KeyError, UntrustedModel) as error:  # this kind's rows say so; the others are made
            reason = f"{error.args[0]}; delete its row of predictions.models to have it trained again"
            one = replace(one, model_id=None, reason=reason)
            return _forecasts(cursor, _read_without_forecast(cursor, sessions, [one]), sessions, one)
    identities = without.select([*IDENTITY, "complete"]).to_pylist()
    rows = [_forecast(row, value, one) for row, value in zip(identities, values.tolist(), strict=True)]
    return pa.Table.from_pylist(rows, SCHEMA)


def _predict(cursor: "Cursor", model_id: str, kind: Kind, features: Floats) -> Floats:
    """The values of a kind's model of the month, of shape (n,).

    Raises:
        KeyError: when the model is not stored.
        UntrustedModel: when it is not what was trained.
    """
    fitted = load_model(cursor, model_id)
    cursor.execute("SELECT fitted_hash FROM predictions.models WHERE model_id = $1", (model_id,))
    trained = cursor.fetchone()
    try:
        # A changed tree can lead in a circle, for ever, and a changed weight to any forecast.
        if trained != (kind.fitted_hash(fitted),):
            raise UntrustedModel("expected the numbers it was trained to, was others")
        return kind.predict(fitted, features)
    except Exception as error:
        said = str(error) if isinstance(error, UntrustedModel) else f"{type(error).__name__}: {str(error)[:200]}"
        raise UntrustedModel(f"model {model_id}: {' '.join(said.split())}") from None


def _forecast(row: Mapping[str, Any], value: float, one: Available) -> dict[str, Any]:
    model_id = one.model_id if row["complete"] else None
    identity = {name: row[name] for name in IDENTITY}
    made = (one.kind.name, row["listing_id"], row["decision_time"], model_id, row["inputs_hash"])
    return identity | {
        "prediction_id": prediction_id(made),
        "name": one.kind.name,
        "model_id": model_id,
        "value": value if model_id else None,
        "status": "predicted" if model_id else "no_model" if row["complete"] else "no_features",
        "reason": None if model_id else one.reason if row["complete"] else NO_FEATURES,
    }
