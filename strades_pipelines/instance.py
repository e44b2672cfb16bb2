"""What Dagster's instance needs before `strades up` starts its daemon: `python -m strades_pipelines.instance`."""

import dagster as dg

from strades_pipelines.graph_runs import PROCESS_TAG
from strades_pipelines.pools import make_pools, pools

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


if __name__ == "__main__":
    with dg.DagsterInstance.get() as this_instance:
        end_interrupted_runs(this_instance)
        make_pools(this_instance, pools())
