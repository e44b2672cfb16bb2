"""The sensor that materializes assets whose upstream data changed."""

import dagster as dg

from strades_pipelines.defs.automation.run_tags import PRIORITY, RETRIED
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.settings import settings

data_sensor = dg.AutomationConditionSensorDefinition(
    "data_sensor",
    target=dg.AssetSelection.all(),
    default_status=SENSOR_STATUS,
    minimum_interval_seconds=settings().sensor_seconds,
    description="Materializes assets when their upstream data changed.",
    run_tags={"strades/run": "data", PRIORITY: "1"} | RETRIED,
)


def defs() -> dg.Definitions:
    """The data sensor."""
    return dg.Definitions(sensors=[data_sensor])
