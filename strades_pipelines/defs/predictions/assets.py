"""Models trained walk-forward by month, their forecasts, and how the forecasts turned out."""

from typing import Any

import dagster as dg

from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.track_record import write_standings
from strades_pipelines.predictor.walk_forward import MODEL_VERSION, train_models
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.dbt import ensure_clean_bars
from strades_pipelines.settings import settings

Result = dg.MaterializeResult[Any]
FAILED = """
    SELECT name || ' of ' || to_char(month, 'YYYY-MM') || ': ' || reason FROM predictions.failures
    WHERE month >= %s::date AND month < %s::date ORDER BY month, name
"""
MODELS = table_spec(
    "predictions",
    "models",
    "Models of each kind and month (ridge, hgb, keras), fitted only on labels known at the month's first instant. "
    "Grain: one row a model.",
    kinds={"scikitlearn", "tensorflow", "postgres"},
    deps=[key("features", "daily")],
    code_version=MODEL_VERSION,
)
FORECASTS = table_spec(
    "predictions",
    "forecasts",
    "Expected next-session log return, or why there is none. Grain: one row a listing, session and model.",
    kinds={"scikitlearn", "tensorflow", "postgres"},
    deps=[MODELS.key, key("features", "daily")],
)
SCORES = table_spec(
    "predictions",
    "scores",
    "What came, beside the forecast, 'no change' and ridge, once it could be known. Grain: one row a forecast.",
    kinds={"numpy", "postgres"},
    deps=[FORECASTS.key, key("cleaned", "daily_bars")],
)
STANDINGS = table_spec(
    "predictions",
    "standings",
    "How each kind did on the horizons closed when a month began; one worse than naive is marked. "
    "Grain: one row a kind and month.",
    kinds={"numpy", "postgres"},
    deps=[SCORES.key],
)
FAILURES = table_spec(
    "predictions",
    "failures",
    "Models that could not be trained, and why. Nothing waits for it: it fails when there are some, the others go on. "
    "Grain: one row a kind and month.",
    kinds={"postgres"},
    deps=[MODELS.key, FORECASTS.key],
)


@dg.multi_asset(
    name="predictions__models", specs=[MODELS], partitions_def=MONTHS, backfill_policy=SINGLE_RUN, pool="train"
)
def models(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Train the months' models that are not there yet; one that fails leaves its reason in predictions.failures."""
    window = run_window(context, config)
    ensure_clean_bars(database.location())
    trained = train_models(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        more = {"trained": sum(trained.fitted.values()), "failures": trained.failures}
        return dg.MaterializeResult(metadata=counts(connection, MODELS.key, **more))


@dg.multi_asset(name="predictions__forecasts", specs=[FORECASTS], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def forecasts(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Predict each session with each kind's model of its month."""
    window = run_window(context, config)
    loaded = write_forecasts(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(metadata=counts(connection, FORECASTS.key, inserted=loaded.inserted))


@dg.multi_asset(name="predictions__scores", specs=[SCORES], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def scores(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Score the forecasts whose horizon has closed, once each."""
    window = run_window(context, config)
    ensure_clean_bars(database.location())
    loaded = write_scores(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(metadata=counts(connection, SCORES.key, inserted=loaded.inserted))


@dg.multi_asset(name="predictions__standings", specs=[STANDINGS], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def standings(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Say how each kind stood when each month began."""
    window = run_window(context, config)
    loaded = write_standings(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(
            metadata=counts(connection, STANDINGS.key, inserted=loaded.inserted, revised=loaded.revised)
        )


@dg.multi_asset(name="predictions__failures", specs=[FAILURES], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def failures(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Fail in one line when a model of the window could not be trained; its forecasts say `no_model`."""
    window = run_window(context, config)
    with database.connect() as connection:
        found = connection.execute(FAILED, (window.start.replace(day=1), window.end)).fetchall()
        if found:
            raise dg.Failure(
                f"{len(found)} models were not trained: " + "; ".join(line for (line,) in found), allow_retries=False
            )
        return dg.MaterializeResult(metadata=counts(connection, FAILURES.key))


def defs() -> dg.Definitions:
    """The predictions layer."""
    return dg.Definitions(assets=[models, forecasts, scores, standings, failures])
