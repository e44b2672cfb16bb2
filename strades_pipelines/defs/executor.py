"""The executor of the runs that Dagster launches: one step after the other in the run's process, which can be stopped.

Dagster asks a run to stop by an exception in its main thread, which waits there for as long as a query, a crawl or dbt
takes, and which counts as a failed attempt where an asset has a retry policy. Here the run has some seconds to end by
itself; after that it is reported as canceled and its process ends.
"""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from strades_pipelines.database.connection import terminate_own_backends
from strades_pipelines.defs.run_spans import RunSpans
from strades_pipelines.system import stopping

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.retries import RetryMode

GRACE_SECONDS = 2.0


class StoppableExecutor(dg.Executor):
    """Runs the steps with `executor`, which must do so in this process, and sees to it that a stop ends them."""

    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> "RetryMode":
        """Whether steps are tried again: as the wrapped executor says."""
        return self._executor.retries

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> "Iterator[dg.DagsterEvent]":
        """Execute the steps; a signal ends the process some seconds later at the latest."""
        with RunSpans(plan_context.run_id, plan_context.job_name) as spans:
            for event in self._execute(plan_context, execution_plan):
                spans.follow(event)
                yield event

    def _execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> "Iterator[dg.DagsterEvent]":
        if threading.current_thread() is not threading.main_thread():  # signals are the main thread's, as in tests
            yield from self._executor.execute(plan_context, execution_plan)
            return
        instance, run_id = plan_context.instance, plan_context.run_id
        stopping.arm(grace_seconds=GRACE_SECONDS)
        try:
            with stopping.at_stop(terminate_own_backends), stopping.at_stop(lambda: report_canceled(instance, run_id)):
                yield from self._executor.execute(plan_context, execution_plan)
        finally:
            stopping.disarm()


def report_canceled(instance: dg.DagsterInstance, run_id: str) -> None:
    """Mark a run of this process as canceled, unless it has ended, and free the pool slots that it holds."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_canceled(run, "The process of this run was told to stop; what it had stored stays.")
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _create(context: dg.InitExecutorContext) -> dg.Executor:
    create = dg.in_process_executor.executor_creation_fn
    assert create is not None
    return StoppableExecutor(create(context))


stoppable_executor = dg.ExecutorDefinition(
    name="in_process",
    config_schema=dg.in_process_executor.config_schema.as_field(),
    executor_creation_fn=_create,
    description="All steps in the run's own process, which a signal ends within seconds.",
)
