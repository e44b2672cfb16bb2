"""Watch the disk: an alert when it is 80 % full, or will be full within two weeks."""

import dagster as dg

from strades_pipelines.database.sizes import daily_growth, disk_findings, read_disk, read_history
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings


@dg.sensor(
    minimum_interval_seconds=900,
    default_status=SENSOR_STATUS,
    description="Alerts when the disk is 80 % full or will be within two weeks; once a day while it stays so.",
)
def disk_sensor(context: dg.SensorEvaluationContext, database: Database, notifier: Notifier) -> dg.SkipReason:
    """Alert, and remember the day and how many findings there were: a new one is told at once."""
    now = settings().now()
    with database.connect() as connection:
        history = read_history(connection, now=now)
    findings = disk_findings(read_disk(), daily_growth(history), now=now)
    state = f"{now:%Y-%m-%d} {len(findings)}"
    if findings and context.cursor != state:
        notifier.alert("the disk fills up", "; ".join(findings))
    context.update_cursor(state)
    return dg.SkipReason("; ".join(findings) or "there is room")


def defs() -> dg.Definitions:
    """The sensor."""
    return dg.Definitions(sensors=[disk_sensor])
