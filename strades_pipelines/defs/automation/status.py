"""Whether schedules and sensors run from the start, and which of their runs go first.

In the sandbox they run; in the live world a person starts each.
"""

import dagster as dg

from strades_pipelines.settings import settings

_STARTED = settings().world == "sandbox"
SENSOR_STATUS = dg.DefaultSensorStatus.RUNNING if _STARTED else dg.DefaultSensorStatus.STOPPED
SCHEDULE_STATUS = dg.DefaultScheduleStatus.RUNNING if _STARTED else dg.DefaultScheduleStatus.STOPPED
# A tag of runs that wait in the queue or for a pool: the highest goes first. Without it a run has 0, as fetches have.
# Trades have 2, what keeps up with the current month 1, past months -1.
PRIORITY = "dagster/priority"
