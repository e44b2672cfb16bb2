"""The dbt documentation as one page: made when there is none, and every night."""

from pathlib import Path

import dagster as dg

from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.resources.dbt import DbtRunnerResource
from strades_pipelines.settings import settings


def page() -> Path:
    """Where the page is, in the folder that `strades up` serves."""
    return settings().home / "docs" / "index.html"


@dg.op(description="Writes the dbt docs to the folder that `strades up` serves.")
def generate_dbt_docs(dbt: DbtRunnerResource) -> None:
    """One self-contained page with lineage, columns and tests of every model."""
    dbt.docs(page())


@dg.job(description="Rebuilds the dbt docs.")
def generate_dbt_docs_job() -> None:
    """One op."""
    generate_dbt_docs()


nightly_docs_schedule = MovableSchedule(
    "nightly_docs_schedule",
    job=generate_dbt_docs_job,
    cron_schedule="15 3 * * *",
    default_status=SCHEDULE_STATUS,
    description="Rebuilds the dbt docs.",
)

if __name__ == "__main__" and not page().exists():
    DbtRunnerResource().docs(page())


def defs() -> dg.Definitions:
    """The job and its schedule."""
    return dg.Definitions(jobs=[generate_dbt_docs_job], schedules=[nightly_docs_schedule])
