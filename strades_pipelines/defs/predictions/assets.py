"""Models trained walk-forward by month, their forecasts, and how the forecasts turned out."""

from typing import Any

import dagster as dg

from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.walk_forward import MODEL_VERSION, train_models
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

Result = dg.MaterializeResult[Any]
MODELS = table_spec(
    "predictions",
    "models",
    "A ridge model a month, fitted only on labels known at the month's first instant. Grain: one row a model.",
    kinds={"scikitlearn", "postgres"},
    deps=[key("features", "daily")],
    code_version=MODEL_VERSION,
)
FORECASTS = table_spec(
    "predictions",
    "forecasts",
    "Expected next-session log return, or why there is none. Grain: one row a listing, session and model.",
    kinds={"scikitlearn", "postgres"},
    deps=[MODELS.key, key("features", "daily")],
)
SCORES = table_spec(
    "predictions",
    "scores",
    "What came, beside the forecast and beside 'no change', once it could be known. Grain: one row a forecast.",
    kinds={"numpy", "postgres"},
    deps=[FORECASTS.key, key("cleaned", "daily_bars")],
)


@dg.multi_asset(
    name="predictions__models", specs=[MODELS], partitions_def=MONTHS, backfill_policy=SINGLE_RUN, pool="train"
)
def models(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Train the months' models that are not there yet."""
    window = run_window(context, config)
    trained = train_models(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(metadata=counts(connection, MODELS.key, trained=trained))


@dg.multi_asset(name="predictions__forecasts", specs=[FORECASTS], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def forecasts(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Predict each session with the model of its month."""
    window = run_window(context, config)
    loaded = write_forecasts(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(metadata=counts(connection, FORECASTS.key, inserted=loaded.inserted))


@dg.multi_asset(name="predictions__scores", specs=[SCORES], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def scores(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Score the forecasts whose horizon has closed, once each."""
    window = run_window(context, config)
    loaded = write_scores(database.location(), start=window.start, end=window.end, now=settings().now())
    with database.connect() as connection:
        return dg.MaterializeResult(metadata=counts(connection, SCORES.key, inserted=loaded.inserted))


@dg.definitions
def predictions() -> dg.Definitions:
    """The predictions layer."""
    return dg.Definitions(assets=[models, forecasts, scores])
