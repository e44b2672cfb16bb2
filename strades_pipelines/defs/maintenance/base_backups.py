"""Every night: a base backup into the archive, and a drill that proves that the archive leads back."""

import dagster as dg

from strades_pipelines.database.base_backup import own_server, take_base_backup
from strades_pipelines.database.connection import WORLD_DATABASES
from strades_pipelines.database.recovery_drill import run_drill
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.ingestion.bodies import count_whole_bodies
from strades_pipelines.settings import settings


@dg.op(description="Takes a base backup into STRADES_ARCHIVE; does nothing where that is not set.")
def take_nightly_base_backup(context: dg.OpExecutionContext) -> None:
    """An increment, or once a week a full one."""
    if settings().archive is None:
        context.log.info("STRADES_ARCHIVE is not set: nothing is archived")
        return
    taken = take_base_backup(own_server(), progress=context.log.info)
    context.log.info(f"wrote {taken.folder.name}, {taken.size / 1e6:.0f} MB in {taken.seconds:.1f} s")


@dg.op(
    ins={"start": dg.In(dg.Nothing)},
    description="Recovers to a second before a deliberate DELETE, and verifies every stored body there.",
)
def drill_recovery(context: dg.OpExecutionContext) -> None:
    """A drill that fails fails the run, of which a person is told; the check of `ops/events` shows it, too."""
    if settings().archive is None:
        return
    world = WORLD_DATABASES[settings().world]
    drill = run_drill(own_server(), world, count_bodies=count_whole_bodies, progress=context.log.info)
    if drill.fault is not None:
        raise dg.Failure(f"the recovery drill failed: {drill.fault}", allow_retries=False)
    context.log.info(
        f"recovered to {drill.target_time}: RPO {drill.rpo_seconds:.0f} s, RTO {drill.rto_seconds:.1f} s, "
        f"{drill.bodies} bodies are whole"
    )


@dg.job(description="Takes a base backup and drills the recovery from the archive.")
def nightly_base_backup_job() -> None:
    """The drill, also of a night whose backup was an increment, recovers from the newest."""
    drill_recovery(start=take_nightly_base_backup())


nightly_base_backup_schedule = MovableSchedule(
    "nightly_base_backup_schedule",
    job=nightly_base_backup_job,
    cron_schedule="15 4 * * *",
    default_status=SCHEDULE_STATUS,
    description="Takes a base backup and drills the recovery from the archive, where STRADES_ARCHIVE is set.",
)


def defs() -> dg.Definitions:
    """The job and its schedule."""
    return dg.Definitions(jobs=[nightly_base_backup_job], schedules=[nightly_base_backup_schedule])
