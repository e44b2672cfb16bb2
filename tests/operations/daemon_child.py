"""What two daemons of Dagster do at each tick of `trade_sensor`, until it asks for a run: that run, made here.

The URL of the sandbox world's database is its argument. Its exit code is how many of the runs failed.
"""

import os
import sys
import time
from urllib.parse import urlsplit

import dagster as dg

from strades_pipelines.database import connection
from strades_pipelines.defs.trading.assets import trading
from strades_pipelines.defs.trading.execution_job import EXECUTE_JOB, trade_sensor
from strades_pipelines.resources.database import Database

DAEMONS = 2


def main(url: str) -> bool:
    """One daemon; whether its run succeeded."""
    connection.WORLD_DATABASES["sandbox"] = urlsplit(url).path.lstrip("/")
    database = Database(url=url)
    while not isinstance(trade_sensor(dg.build_sensor_context(resources={"database": database})), dg.SensorResult):
        time.sleep(0.1)
    definitions = dg.Definitions(assets=[trading], jobs=[EXECUTE_JOB], resources={"database": database})
    return definitions.resolve_job_def(EXECUTE_JOB.name).execute_in_process(raise_on_error=False).success


if __name__ == "__main__":
    children = []
    for _ in range(DAEMONS):  # of one that has imported Dagster, which costs most of it
        children.append(os.fork())
        if children[-1] == 0:
            os._exit(0 if main(sys.argv[1]) else 1)
    sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
