"""Whether schedules and sensors run from the start: in the sandbox they do; in the live world a person starts each."""

import dagster as dg

from strades_pipelines.settings import settings

_STARTED = settings().world == "sandbox"
SENSOR_STATUS = dg.DefaultSensorStatus.RUNNING if _STARTED else dg.DefaultSensorStatus.STOPPED
SCHEDULE_STATUS = dg.DefaultScheduleStatus.RUNNING if _STARTED else dg.DefaultScheduleStatus.STOPPED
