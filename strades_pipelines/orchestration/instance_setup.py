"""What Dagster's instance needs before the code location starts; this module is run by `python -m`.

With `then ARGUMENTS...` it goes on as `dagster ARGUMENTS...` in the same process, which saves what importing
Dagster takes. With `end PID MESSAGE` it reports the run of a process as failed, before that process is killed.
"""

import runpy
import sys
import time
from collections.abc import Iterable
from itertools import pairwise
from threading import Thread

import dagster as dg

from strades_pipelines.orchestration.ended_runs import PROCESS_TAG
from strades_pipelines.orchestration.pools import make_pools, pools
from strades_pipelines.supervision.probes import code_answers

MAX_RETRIES_TAG = "dagster/max_retries"
# Dagster looks for another server once a second, then loads the location.
NOTICE_SECONDS = 8
INTERRUPTED = "the code location ended before this run did; what it had written stays"
BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def begun_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs in progress that the daemon launched; those of `strades run` carry the tag of their process."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=BEGUN))
    return [run for run in runs if PROCESS_TAG not in run.tags]


def end_interrupted_runs(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun] | None = None) -> list[str]:
    """Mark as failed what a daemon launched and nobody works on any more; returns the ids of those runs.

    Dagster's default launcher cannot see that a worker is gone: such a run would hold back for hours what waits for its
    assets. Only for the one who starts the only daemon: what another one launched would be ended as well. Runs of
    `strades run` carry the tag of their process, and are ended by the next `strades run`.
    """
    ended = []
    for run in begun_runs(instance) if runs is None else runs:
        current = instance.get_run_by_id(run.run_id)
        if current is not None and current.status in BEGUN:
            instance.report_run_failed(current, INTERRUPTED)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def end_run_of_process(instance: dg.DagsterInstance, pid: int, message: str) -> str | None:
    """Mark the run that process `pid` works on as failed, and not to be tried again; returns its id, None for none."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=BEGUN)):
        records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
        if any(_process_id(record.event_log_entry) == pid for record in records):
            # Before the failure is reported: the daemon reads the tag when it sees that, and would launch the run
            # again.
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


def target_of(arguments: list[str]) -> str:
    """The gRPC target of a code location by its options: `--socket PATH` or `--port NUMBER` of this machine."""
    given = dict(pairwise(arguments))
    return f"unix:{given['--socket']}" if "--socket" in given else f"127.0.0.1:{given['--port']}"


def end_when_served(runs: list[dg.DagsterRun], target: str) -> None:
    """End interrupted runs when this code location serves and the daemon has noticed: it runs them again at once.

    A retry for which Dagster's daemon does not reach the code location is given up for good.
    """
    while code_answers(target) is not None:
        time.sleep(0.5)
    time.sleep(NOTICE_SECONDS)
    with dg.DagsterInstance.get() as instance:
        end_interrupted_runs(instance, runs)


def main(arguments: list[str]) -> None:
    """Prepare the instance, or do one of the other things that the module's docstring names."""
    with dg.DagsterInstance.get() as instance:
        if arguments[:1] == ["end"]:
            end_run_of_process(instance, int(arguments[1]), arguments[2])
            return
        make_pools(instance, pools())
        if arguments[:1] != ["then"]:
            end_interrupted_runs(instance)
            return
        interrupted = begun_runs(instance)
    if interrupted:
        Thread(target=end_when_served, args=[interrupted, target_of(arguments)], daemon=True).start()
    sys.argv = ["dagster", *arguments[1:]]
    runpy.run_module("dagster", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
