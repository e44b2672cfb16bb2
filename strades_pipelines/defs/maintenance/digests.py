"""Each morning: mails about the feed of the pages, to who chose them."""

import os
import subprocess
import sys

import dagster as dg

from strades_pipelines.database.connection import working_dashboard_url
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.system.child_environment import for_digests

MOST_SECONDS = 1800


@dg.op(description="Sends digests through STRADES_ALERT_SMTP; does nothing where that is not set.")
def send_digests(context: dg.OpExecutionContext) -> None:
    """In a process of the pages' own, by their database role: it reads what each reader may read, and no more."""
    if settings().alert_smtp is None:
        context.log.info("STRADES_ALERT_SMTP is not set: no digest is sent")
        return
    done = subprocess.run(
        [sys.executable, "-m", "dashboard", "digests"],
        env=for_digests(os.environ, working_dashboard_url()),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        raise dg.Failure(lines[-1] if lines else f"the process ended with {done.returncode}")
    context.log.info("; ".join(lines))


@dg.job(description="Sends mails about the feed to who chose them; none twice for a day or week.")
def digest_job() -> None:
    """One step: what was not sent for want of a mail server is due again at the next run."""
    send_digests()


digest_schedule = MovableSchedule(
    "digest_schedule",
    job=digest_job,
    cron_schedule="30 6 * * *",
    default_status=SCHEDULE_STATUS,
    description="Sends mails about the feed to who chose them, where STRADES_ALERT_SMTP is set.",
)


def defs() -> dg.Definitions:
    """The job and its schedule."""
    return dg.Definitions(jobs=[digest_job], schedules=[digest_schedule])
