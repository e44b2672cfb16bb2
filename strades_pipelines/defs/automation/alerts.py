"""A person hears of a run that failed, and of a check that found something in a run that went through."""

import time
from typing import Any, cast

import dagster as dg

from strades_pipelines.datamanager.event_log import record_event
from strades_pipelines.defs.automation.run_tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings
from strades_pipelines.system.alerting import logger

RETRY_SECONDS = 15


@dg.run_failure_sensor(
    default_status=SENSOR_STATUS,
    minimum_interval_seconds=30,
    description="Sends an alert for each run that failed: where, and the first line of why.",
)
def run_failure_alert_sensor(context: dg.RunFailureSensorContext, notifier: Notifier, database: Database) -> None:
    """One alert for each failed run; one that Dagster runs again is told if that fails too."""
    if _is_retried(context):
        return
    run = f"run {context.dagster_run.run_id[:8]} failed"
    failures = context.get_step_failure_events()
    if failures:
        step = str(failures[0].step_key).replace("__", "/")
        subject, message = f"{run} at {step}", step_reason(failures[0].step_failure_data)
    else:
        subject, message = run, run_reason(context.failure_event)
    call(notifier, database, context.dagster_run.run_id, subject, message)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="check_failure_alert_sensor",
    default_status=SENSOR_STATUS,
    minimum_interval_seconds=30,
    description="Sends an alert for each check that found something, though its run went through.",
)
def check_failure_alert_sensor(context: dg.RunStatusSensorContext, notifier: Notifier, database: Database) -> None:
    """One alert for each failed check of a run that succeeded; a blocking one fails its run, which is told already."""
    records = context.instance.get_records_for_run(
        context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    for found_record in records:
        event = cast(dg.DagsterEvent, found_record.event_log_entry.dagster_event)
        check = event.asset_check_evaluation_data
        if not check.passed:
            place = f"run {context.dagster_run.run_id[:8]}: {check.asset_key.to_user_string()}"
            found = ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
            what = f"{context.dagster_run.run_id}:{check.asset_key.to_user_string()}:{check.check_name}"
            call(notifier, database, what, f"{place} fails {check.check_name}", found or "no detail")


def call(notifier: Notifier, database: Database, what: str, subject: str, message: str) -> None:
    """Tell a person, and keep that somebody was told; a database that is away holds no alert back."""
    ways = notifier.alert(subject, message)
    try:
        with database.connect() as connection:
            value = {"subject": subject, "message": message, "ways": ways}
            record_event(connection, "alert", what, value=value, at=settings().now())
            connection.commit()
    except Exception as error:
        logger.error("the alert is not among the events: %s", type(error).__name__)


def run_reason(failure: dg.DagsterEvent) -> str:
    """The first line of why a run failed outside of its steps.

    A run that was ended from outside (`report_run_failed`: a restart, the run monitor, the limit of time or memory)
    carries no `JobFailureData`, only a message.
    """
    data = cast(Any, failure.event_specific_data)
    error = data.error if data is not None else None
    return root_cause(error) if error else _first_line(failure.message)


def _is_retried(context: dg.RunFailureSensorContext) -> bool:
    """Whether Dagster's daemon has launched it again (`run_retries`): that it means to is not enough.

    It decides within some seconds of the failure, for which this waits.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    while (run := context.instance.get_run_by_id(context.dagster_run.run_id)) is not None:
        if AUTO_RETRY_RUN_ID_TAG in run.tags:
            return True
        if run.tags.get(WILL_RETRY_TAG) != "true" or time.monotonic() > deadline:
            return False
        time.sleep(1)
    return False


def step_reason(failure: Any) -> str:
    """The first line of why a step failed (its `StepFailureData`): what it said itself, else its root cause."""
    said = failure.user_failure_data and failure.user_failure_data.description
    return _first_line(said) if said else root_cause(failure.error)


def root_cause(error: Any) -> str:
    """The first line of an error's (`SerializableErrorInfo`) first cause, without the name of its class."""
    while error.cause is not None:
        error = error.cause
    return _first_line(error.message.split(": ", 1)[-1])


def _first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "no message")


def defs() -> dg.Definitions:
    """The sensors that tell people."""
    return dg.Definitions(sensors=[run_failure_alert_sensor, check_failure_alert_sensor])
