"""What happens by itself besides the clock: data moves on, decisions are traded, a failure calls a person."""

import dagster as dg

from strades_pipelines.brokerage.waiting import waiting
from strades_pipelines.defs.trading.assets import EXECUTE_JOB
from strades_pipelines.market.ids import base32_id
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings

SANDBOX = settings().world == "sandbox"
STATUS = dg.DefaultSensorStatus.RUNNING if SANDBOX else dg.DefaultSensorStatus.STOPPED

data_sensor = dg.AutomationConditionSensorDefinition(
    "data_sensor",
    target=dg.AssetSelection.all(),
    default_status=STATUS,
    minimum_interval_seconds=30,
    description="Works through the layers when the data before them changed.",
    run_tags={"strades/run": "data"},
)


@dg.sensor(
    job=EXECUTE_JOB,
    minimum_interval_seconds=30,
    default_status=STATUS,
    description="Launches the execution job when a wallet has decisions that wait for it.",
)
def trade_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run for each new state of what waits; the database decides that a decision is one order."""
    with database.connect() as connection:
        batch = waiting(connection)
    if not batch:
        return dg.SkipReason("no decision and no order waits")
    run_key = base32_id(*batch)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=run_key, tags={"strades/trade": "execute"})], cursor=run_key
    )


@dg.run_failure_sensor(default_status=STATUS, description="Sends an alert with the first error of a run that failed.")
def run_failure_alert_sensor(context: dg.RunFailureSensorContext, notifier: Notifier) -> None:
    """One alert for each failed run."""
    failures = context.get_step_failure_events()
    where = failures[0].step_key if failures else context.dagster_run.job_name
    lines = (context.failure_event.message or "").splitlines() or ["no message"]
    notifier.alert(f"run {context.dagster_run.run_id[:8]} failed at {where}", lines[0])
