"""Runs whose process is gone, and the slots of pools that a run keeps when it is ended in the wrong moment."""

import os
import socket
from datetime import UTC, datetime, timedelta

import dagster as dg

PROCESS_TAG = "strades/process"
UNFINISHED = ("NOT_STARTED", "QUEUED", "STARTING", "STARTED", "CANCELING")
KILLED = "The process of this run was killed; the next run went on from there."
# A run is reported as ended before its process is, which takes some seconds at most.
STOP_TAKES = timedelta(seconds=5)


def this_process() -> str:
    """What the tag `PROCESS_TAG` of a run in this process says."""
    return f"{socket.gethostname()}:{os.getpid()}"


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark the runs of earlier commands that were killed as failed, and free the pool slots they still hold.

    Dagster's daemon would do so in time, but none need be running, and a held slot would block this run for good.
    """
    unfinished = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status.value in UNFINISHED])
    for run in instance.get_runs(filters=unfinished):
        _end_if_killed(instance, run)


def free_slots_of_ended_runs(instance: dg.DagsterInstance, pool: str) -> bool:
    """Free what runs that have ended, or were killed, hold of a pool; whether there was anything.

    A process that is told to stop gives back its slots, while its main thread may be claiming the next one: such a slot
    has no pending step, and Dagster's daemon, where there is one, does not see it.
    """
    storage = instance.event_log_storage
    info = storage.get_concurrency_info(pool)
    holders = {slot.run_id for slot in info.claimed_slots} | {step.run_id for step in info.pending_steps}
    ended = [run_id for run_id in holders if _has_ended(instance, run_id)]
    for run_id in ended:
        storage.free_concurrency_slots_for_run(run_id)
    return bool(ended)


def _has_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    record = instance.get_run_record_by_id(run_id)
    if record is None:  # it was deleted
        return True
    if not record.dagster_run.is_finished:
        return _end_if_killed(instance, record.dagster_run)
    ended_at = record.end_time if record.end_time is not None else record.update_timestamp.timestamp()
    return datetime.now(UTC) - datetime.fromtimestamp(ended_at, UTC) > STOP_TAKES


def _end_if_killed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Mark a run of a process of this machine that is gone as failed; whether it was."""
    host, _, pid = run.tags.get(PROCESS_TAG, "").partition(":")
    if host != socket.gethostname() or _alive(int(pid)):
        return False
    instance.report_run_failed(run, KILLED)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # It runs as another user.
    except PermissionError:
        return True
    return True
