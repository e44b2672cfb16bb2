"""A selection of assets over a window, as an in-process run on the Dagster instance, and what became of it."""

import gc
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import dagster as dg
from rich.markup import escape

from strades_pipelines.database.errors import cause
from strades_pipelines.defs.executor import report_canceled
from strades_pipelines.defs.run_spans import RunSpans
from strades_pipelines.orchestration.ended_runs import PROCESS_TAG, end_killed_runs, this_process
from strades_pipelines.partitions import Window
from strades_pipelines.system import stopping

TRADE_LAYERS = ("signals", "trading", "results")
CLIPPED_LAYERS = ("rawsources", "cleaned", "features", "predictions")
Progress = Callable[[str], None]


@dataclass
class GraphRuns:
    """The runs of one command, and their results.

    Args:
        command: the tag `strades/run` of its runs.
        progress: gets a line for each step, with the markup of Rich.
        rows: of each asset made, by its step and key; None for one that does not say.
        seconds: of each step that did its work.
        failures: a line for each step that did not.
    """

    command: str
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    progress: Progress
    rows: dict[tuple[str, str], int | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failures: list[str] = field(default_factory=list)

    @property
    def graph(self) -> Any:
        """Every asset, with its place in the graph."""
        return self.definitions.resolve_asset_graph()

    def execute(self, selection: list[dg.AssetKey], window: Window, *, live: bool = False) -> None:
        """Run the assets over the months of `window`, clipped to its days; only wallets of mode `replay` trade.

        Args:
            live: the other way round: paper and live wallets trade, and what is newest is not clipped.
        """
        first, last = window.month_range()
        run_id, failed = str(uuid4()), len(self.failures)
        self.instance.add_event_listener(run_id, self._follow)
        stopping.begin_nothing_more_if_requested()
        with (
            RunSpans(run_id, self.command) as spans,
            stopping.at_stop(lambda: report_canceled(self.instance, run_id)),
        ):
            self.instance.add_event_listener(run_id, lambda entry: spans.follow(entry.dagster_event))
            result = self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=self.instance,
                asset_selection=selection,
                run_id=run_id,
                run_config={
                    "ops": ops_config(self.graph, selection, window, live=live),
                    # Dagster's own lines would run through those of the progress.
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
                tags={
                    "dagster/asset_partition_range_start": first,
                    "dagster/asset_partition_range_end": last,
                    "dagster/max_retries": "0",  # by Dagster's daemon: it is the command that is run again
                    "strades/run": self.command,
                    PROCESS_TAG: this_process(),
                },
                raise_on_error=False,
            )
            if not result.success:
                spans.fail()
            # An interrupted run comes back like any other: no later stage may begin on what it left.
            stopping.begin_nothing_more_if_requested()
        if not result.success and len(self.failures) == failed:
            self.failures.append("the run failed before its first step; `strades doctor` says what is wrong")

    def _follow(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        # Steps fail by the stop itself; that is no failure to tell of.
        if event is None or event.step_key is None or stopping.requested():
            return
        step = event.step_key
        name = step.replace("__", "/")
        if event.event_type_value == "ASSET_MATERIALIZATION":
            made = event.step_materialization_data.materialization
            rows = made.metadata.get("dagster/row_count")
            self.rows[step, made.asset_key.to_user_string()] = rows.value if rows else None  # type: ignore[assignment]
        elif event.event_type_value == "STEP_SUCCESS":
            seconds = event.step_success_data.duration_ms / 1000
            self.seconds[step] += seconds
            if any(maker == step for maker, _ in self.rows):
                self.progress(f"  {name:30} {seconds:6.1f} s")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._report_failed_check(event.asset_check_evaluation_data)
        elif event.event_type_value == "STEP_FAILURE":
            self.failures.append(f"{name}: {first_line(event.step_failure_data)}")
            self.progress(f"  [red]{escape(self.failures[-1])}[/]")
        elif event.event_type_value == "STEP_SKIPPED":
            self.failures.append(f"{name}: skipped, since a step before it failed")

    def _report_failed_check(self, check: dg.AssetCheckEvaluation) -> None:
        if not check.passed:
            found = check.description or ", ".join(f"{name} {data.value}" for name, data in check.metadata.items())
            verb = "warns" if check.severity == dg.AssetCheckSeverity.WARN else "fails"
            line = f"{check.asset_key.to_user_string()}: {check.check_name} {verb}: {found}"
            self.progress(f"  [yellow]{escape(line)}[/]")


@contextmanager
def graph_runs(command: str, progress: Progress) -> Iterator[GraphRuns]:
    """The whole graph, ready to run in this process; runs of commands that were killed are ended before."""
    # Nothing that is loaded becomes garbage: to look for some took 0.6 s of 3.6 (processor time, 2026-11-29).
    gc.disable()
    try:
        from strades_pipelines.definitions import defs

        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        definitions = defs()
    finally:
        gc.enable()
    with dg.DagsterInstance.get() as instance:
        end_killed_runs(instance)
        # What is loaded stays: repeated garbage collection over it would be a twentieth of the whole run.
        gc.freeze()
        yield GraphRuns(command, instance, definitions, progress)


def ops_config(graph: Any, selection: Iterable[dg.AssetKey], window: Window, *, live: bool) -> dict[str, Any]:
    """The `ops` section of the run config of `GraphRuns.execute`: which step takes what."""
    clip = {"from_date": f"{window.start:%Y-%m-%d}", "to_date": f"{window.end:%Y-%m-%d}"}
    by_layer: dict[str, dict[str, Any]] = {} if live else dict.fromkeys(CLIPPED_LAYERS, clip)
    trade: dict[str, Any] = {"modes": ["paper", "live"]} if live else {"modes": ["replay"], **clip}
    by_layer |= dict.fromkeys(TRADE_LAYERS, trade)
    return {
        graph.get(asset).assets_def.node_def.name: {"config": by_layer[asset.path[0]]}
        for asset in selection
        if asset.path[0] in by_layer
    }


def first_line(failure: Any) -> str:
    """What a person needs to know of a step's failure (`StepFailureData`), without the name of the exception."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description).splitlines()[0]
    error = failure.error
    while error.cause is not None:
        error = error.cause
    return cause(re.sub(r"^[\w.]+: ", "", str(error.message).strip().splitlines()[0]))
