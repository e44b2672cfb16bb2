"""The code location: the one thing Dagster loads."""

from pathlib import Path

import dagster as dg
from dagster import load_from_defs_folder

from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.resources.spiders import SpiderRunner


@dg.definitions
def defs() -> dg.Definitions:
    """Every asset, check, schedule and sensor under `defs/`, and the resources they are handed."""
    from strades_pipelines.resources.dbt import DbtRunnerResource

    resources = {"database": Database(), "spiders": SpiderRunner(), "dbt": DbtRunnerResource(), "notifier": Notifier()}
    return dg.Definitions.merge(
        load_from_defs_folder(path_within_project=Path(__file__).parent / "defs"),
        dg.Definitions(resources=resources, executor=dg.in_process_executor),
    )
