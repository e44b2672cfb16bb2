"""The job that executes trades, and what launches it: the trade sensor, and an hourly schedule."""

import dagster as dg

from strades_pipelines.brokerage.waiting import waiting
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
from strades_pipelines.defs.automation.run_tags import PRIORITY, RETRIED
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS, SENSOR_STATUS
from strades_pipelines.defs.trading.assets import EXECUTE_JOB_NAME, TABLES, TradeConfig
from strades_pipelines.keys import key
from strades_pipelines.market.ids import base32_id
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

EXECUTE_JOB = dg.define_asset_job(
    EXECUTE_JOB_NAME,
    selection=dg.AssetSelection.assets(*(key("trading", entity) for entity in TABLES)),
    description="Sends what the wallets decided to their brokers, books the fills, compares the books with the venues.",
    tags={"strades/trade": "execute", "dagster/max_retries": "0", PRIORITY: "2"},
    config=dg.RunConfig(ops={"trading": TradeConfig(modes=["paper", "live"])}),
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


RECONCILE_SCHEDULE = MovableSchedule(
    "reconcile_schedule",
    job=EXECUTE_JOB,
    cron_schedule="11 * * * *",
    default_status=SCHEDULE_STATUS,
    description="Compares the wallets' accounts with their venues, also while nothing is traded.",
)


def defs() -> dg.Definitions:
    """The execution job, its sensor and its schedule."""
    return dg.Definitions(jobs=[EXECUTE_JOB], sensors=[trade_sensor], schedules=[RECONCILE_SCHEDULE])
