"""Sensors: one materializes assets whose upstream data changed, one trades decisions that wait."""

import dagster as dg

from strades_pipelines.brokerage.waiting import waiting
from strades_pipelines.defs.automation.status import PRIORITY, SENSOR_STATUS
from strades_pipelines.defs.trading.assets import EXECUTE_JOB
from strades_pipelines.market.ids import base32_id
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

# Retries failed steps too, which is what a lost database leaves: the sensor does not request the same work again.
RETRIED = {"dagster/retry_on_asset_or_op_failure": "true"}

data_sensor = dg.AutomationConditionSensorDefinition(
    "data_sensor",
    target=dg.AssetSelection.all(),
    default_status=SENSOR_STATUS,
    minimum_interval_seconds=settings().sensor_seconds,
    description="Materializes assets when their upstream data changed.",
    run_tags={"strades/run": "data", PRIORITY: "1"} | RETRIED,
)


@dg.sensor(
    job=EXECUTE_JOB,
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=SENSOR_STATUS,
    description="Launches the execution job when decisions or orders of a wallet wait for it.",
)
def trade_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """Request one run for each new set of waiting decisions and orders; the database admits one order a decision."""
    with database.connect() as connection:
        batch = waiting(connection, now=settings().now())
    if not batch:
        return dg.SkipReason("no decision and no order waits")
    run_key = base32_id(*batch)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=run_key, tags={"strades/trade": "execute"} | RETRIED)], cursor=run_key
    )


def defs() -> dg.Definitions:
    """The sensors of data and of trading."""
    return dg.Definitions(sensors=[data_sensor, trade_sensor])
