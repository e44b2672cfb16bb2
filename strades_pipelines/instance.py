"""What Dagster's instance needs before the code location starts: `python -m strades_pipelines.instance`.

`python -m strades_pipelines.instance end PID MESSAGE` reports the run of a process as failed, before that is killed.
"""

import sys
from collections.abc import Iterable

import dagster as dg

from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.graph_runs import PROCESS_TAG
from strades_pipelines.settings import settings

MAX_RETRIES_TAG = "dagster/max_retries"
BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_interrupted_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed what a daemon launched and nobody works on any more; returns the ids of those runs.

    Dagster's default launcher cannot see that a worker is gone: such a run would hold back for hours what waits for its
    assets. Only for the one who starts the only daemon: what another one launched would be ended as well. Runs of
    `strades run` carry the tag of their process, and are ended by the next `strades run`.
    """
    ended = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=BEGUN)):
        if PROCESS_TAG not in run.tags:
            instance.report_run_failed(run, "`strades up` ended before this run did; what it had written stays.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def end_run_of_process(instance: dg.DagsterInstance, pid: int, message: str) -> str | None:
    """Mark the run that process `pid` works on as failed, and not to be tried again; returns its id, None for none."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=BEGUN)):
        records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
        if any(_process_id(record.event_log_entry) == pid for record in records):
            instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: "0"})
            instance.report_run_failed(run, message)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            return run.run_id
    return None


def _process_id(entry: dg.EventLogEntry) -> int | None:
    """The process id that Dagster's message of a started process carries."""
    event = entry.dagster_event
    value = event.engine_event_data.metadata.get("pid") if event is not None else None
    return None if value is None else int(str(value.value))


def pools() -> list[str]:
    """The pools of every asset, each of which one step at a time may hold."""
    return [
        "records",
        "dbt",
        "train",
        "broker",
        *(f"source_{site.name}" for site in load_sources(settings().sources).websites),
    ]


def make_pools(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Give each pool its limit now: of two runs that do so at once when they first use it, Dagster fails one.

    On PostgreSQL it also fails for a pool that has its limit.
    """
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for name in names:
        if name not in known:
            instance.event_log_storage.initialize_concurrency_limit_to_default(name)


if __name__ == "__main__":
    with dg.DagsterInstance.get() as this_instance:
        if sys.argv[1:2] == ["end"]:
            end_run_of_process(this_instance, int(sys.argv[2]), sys.argv[3])
        else:
            end_interrupted_runs(this_instance)
            make_pools(this_instance, pools())
