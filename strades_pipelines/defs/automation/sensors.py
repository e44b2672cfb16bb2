"""What happens by itself besides the clock: data moves on, and decisions are traded."""

import dagster as dg

from strades_pipelines.brokerage.waiting import waiting
from strades_pipelines.defs.automation.status import PRIORITY, SENSOR_STATUS
from strades_pipelines.defs.trading.assets import EXECUTE_JOB
from strades_pipelines.market.ids import base32_id
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

# Also where a step failed, as all do whose database goes away: nothing else would ask for the same work again.
RETRIED = {"dagster/retry_on_asset_or_op_failure": "true"}

data_sensor = dg.AutomationConditionSensorDefinition(
    "data_sensor",
    target=dg.AssetSelection.all(),
    default_status=SENSOR_STATUS,
    minimum_interval_seconds=settings().sensor_seconds,
    description="Works through the layers when the data before them changed.",
    run_tags={"strades/run": "data", PRIORITY: "1"} | RETRIED,
)


@dg.sensor(
    job=EXECUTE_JOB,
    minimum_interval_seconds=settings().sensor_seconds,
    default_status=SENSOR_STATUS,
    description="Launches the execution job when a wallet has decisions that wait for it.",
)
def trade_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run for each new state of what waits; the database decides that a decision is one order."""
    with database.connect() as connection:
        batch = waiting(connection, now=settings().now())
    if not batch:
        return dg.SkipReason("no decision and no order waits")
    run_key = base32_id(*batch)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=run_key, tags={"strades/trade": "execute"} | RETRIED)], cursor=run_key
    )


def defs() -> dg.Definitions:
    """The sensors that move data and trade."""
    return dg.Definitions(sensors=[data_sensor, trade_sensor])
