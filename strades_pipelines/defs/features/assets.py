"""Features: what was known at each session's close, and nothing later."""

from typing import Any

import dagster as dg

from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS, SINGLE_RUN, WindowConfig, run_window
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.formulas import FAMILIES, FEATURES_VERSION, NAMES, REGISTRY
from strades_pipelines.predictor.models.kinds import KINDS, families_of
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.dbt import ensure_clean_bars
from strades_pipelines.settings import settings

Result = dg.MaterializeResult[Any]
# Features look back over months, models over years; yet each month depends on its own month only. With offsets in the
# graph, three months of a backfill would ask for forty, a layer at a time instead of in one run.
SPEC = table_spec(
    "features",
    "daily",
    f"{len(NAMES)} point-in-time features in {len(FAMILIES)} families. Grain: one row a listing and session. "
    "Writes features.alpha158 too, where a kind of model has that family.",
    kinds={"numpy", "postgres"},
    deps=[key("cleaned", "daily_bars"), key("records", "observations"), key("records", "articles")],
    code_version=FEATURES_VERSION,
    formulas={feature.name: feature.formula for feature in REGISTRY},
)

# One month, so that the check costs the same whatever the history.
NEWEST_MONTH = """
    SELECT count(*), {counted} FROM features.daily
    WHERE session_date > (SELECT max(session_date) FROM features.daily) - 31
"""


@dg.multi_asset(name="features__daily", specs=[SPEC], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def daily(context: dg.AssetExecutionContext, config: WindowConfig, database: Database) -> Result:
    """Compute the window's features from bars, published series and articles as they were known."""
    window = run_window(context, config)
    ensure_clean_bars(database.location())
    loaded = write_features(
        database.location(), start=window.start, end=window.end, now=settings().now(), families=families_of(KINDS)
    )
    with database.connect() as connection:
        return dg.MaterializeResult(
            metadata=counts(connection, SPEC.key, inserted=loaded.inserted, revised=loaded.revised)
        )


@dg.asset_check(
    asset=SPEC.key,
    name="every_feature_has_values",
    description="No feature is missing in every row of the newest month: one that is has no source that works.",
)
def every_feature_has_values(database: Database) -> dg.AssetCheckResult:
    """Count the values of each column; a warning, since models do without a feature that is missing."""
    counted = ", ".join(f"count({name})" for name in NAMES)
    with database.connect() as connection:
        row = connection.execute(NEWEST_MONTH.format(counted=counted).encode()).fetchone()
    rows, *values = row or (0, *[0] * len(NAMES))
    empty = [name for name, count in zip(NAMES, values, strict=True) if count == 0]
    return dg.AssetCheckResult(
        passed=not (rows and empty),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"no value in any of {rows} rows: {', '.join(empty)}" if rows and empty else None,
        metadata={"rows": rows, "empty": empty},
    )


def defs() -> dg.Definitions:
    """The features layer."""
    return dg.Definitions(assets=[daily], asset_checks=[every_feature_has_values])
