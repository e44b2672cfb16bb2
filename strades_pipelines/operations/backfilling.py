"""`strades backfill`: months of chosen assets through Dagster, in this process and on its instance."""

import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import uuid4

import dagster as dg

from strades_pipelines.keys import LAYERS
from strades_pipelines.main_job import PROCESS_TAG, end_killed_runs
from strades_pipelines.partitions import MONTHS, Window
from strades_pipelines.strategy.bad_input import BadInput

Progress = Callable[[str], None]


@dataclass
class Done:
    """What the runs of a backfill came to: for each asset its rows afterwards and its step's seconds."""

    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def backfill(
    keys: Sequence[str], layer: str | None, window: Window, now: datetime, *, progress: Progress
) -> dict[str, Any]:
    """Redo the months of `window` for the assets named, or of a layer, or all; days outside of it are left alone.

    Fetching comes first, as a run of its own: what fails there holds back nothing else. A backfill trades on no wallet
    but those of replay.

    Returns:
        `{"window", "months", "assets": [{"asset", "rows", "seconds"}], "failures"}`.

    Raises:
        BadInput: for an asset, a layer or a month that does not exist.
    """
    from strades_pipelines.definitions import defs

    months = _months(window, now)
    definitions = defs()
    graph = definitions.resolve_asset_graph()
    selection = chosen(graph, keys, layer)
    done = Done()
    with dg.DagsterInstance.get() as instance:
        end_killed_runs(instance)
        fetched = [key for key in selection if key.path[0] == "rawsources"]
        worked = [key for key in selection if key.path[0] != "rawsources"]
        for title, part in (("fetch", fetched), ("work through", worked)):
            if part:
                progress(f"{title} {len(part)} assets over {months} months")
                _run(definitions, graph, instance, part, window, done, progress)
    return {
        "window": {"from": f"{window.start:%Y-%m-%d}", "to": f"{window.end:%Y-%m-%d}"},
        "months": months,
        "assets": list(done.assets.values()),
        "failures": done.failures,
    }


def _months(window: Window, now: datetime) -> int:
    known = MONTHS.get_partition_keys(current_time=now)
    first, last = window.month_range()
    if first not in known or last not in known:
        raise BadInput(f"--from, --to: expected months from {known[0]} to {known[-1]}, found {first} to {last}")
    return known.index(last) - known.index(first) + 1


def chosen(graph: Any, keys: Sequence[str], layer: str | None) -> list[dg.AssetKey]:
    """The assets named `layer/entity`, with those that are made in one step with them, in the graph's order.

    Raises:
        BadInput: for a name that no asset has.
    """
    known = {key.to_user_string(): key for key in graph.executable_asset_keys}
    if keys and layer:
        raise BadInput("expected --asset or --layer, found both")
    if layer is not None and layer not in LAYERS:
        raise BadInput(f"--layer: expected one of {', '.join(LAYERS)}, found {layer!r}")
    for name in keys:
        if name not in known:
            near = ", ".join(get_close_matches(name, known, cutoff=0.4)) or ", ".join(sorted(known))
            raise BadInput(f"--asset: expected the key of an asset, such as {near}; found {name!r}")
    wanted = set(keys) or {name for name, key in known.items() if layer in (None, key.path[0])}
    together = {key for name in wanted for key in graph.get(known[name]).execution_set_asset_keys}
    return [key for key in graph.toposorted_asset_keys if key in together]


def _run(
    definitions: dg.Definitions,
    graph: Any,
    instance: dg.DagsterInstance,
    selection: list[dg.AssetKey],
    window: Window,
    done: Done,
    progress: Progress,
) -> None:
    from strades_pipelines.defs.run_config import ops_config

    first, last = window.month_range()
    clip = {"from_date": f"{window.start:%Y-%m-%d}", "to_date": f"{window.end:%Y-%m-%d}"}
    config = {"rawsources": clip, "clip": clip, "trade": {"modes": ["replay"], **clip}}
    run_id = str(uuid4())
    instance.add_event_listener(run_id, lambda entry: _follow(entry, done, progress))
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=selection,
        run_id=run_id,
        run_config={
            "ops": ops_config(graph, selection, config),
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
            "strades/run": "backfill",
            PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}",
        },
        raise_on_error=False,
    )
    if not result.success and not done.failures:
        done.failures.append("the run failed before its first step; `strades doctor` says what is wrong")


def _follow(entry: dg.EventLogEntry, done: Done, progress: Progress) -> None:
    event = entry.dagster_event
    if event is None or event.step_key is None:
        return
    if event.event_type_value == "ASSET_MATERIALIZATION":
        made = event.step_materialization_data.materialization
        rows = made.metadata.get("dagster/row_count")
        name = made.asset_key.to_user_string()
        done.assets[name] = {"asset": name, "rows": rows.value if rows else None, "step": event.step_key}
    elif event.event_type_value == "STEP_SUCCESS":
        _finish(event.step_key, event.step_success_data.duration_ms / 1000, done, progress)
    elif event.event_type_value == "STEP_FAILURE":
        done.failures.append(f"{_name(event.step_key)}: {_first_line(event.step_failure_data)}")
        progress(f"  {done.failures[-1]}")
    elif event.event_type_value == "STEP_SKIPPED":
        done.failures.append(f"{_name(event.step_key)}: skipped, since a step before it failed")


def _finish(step: str, seconds: float, done: Done, progress: Progress) -> None:
    made = [asset for asset in done.assets.values() if asset.pop("step", None) == step]
    for asset in made:
        asset["seconds"] = round(seconds, 3)
    if made:
        progress(f"  {_name(step):30} {seconds:6.1f} s")


def _name(step: str) -> str:
    return step.replace("__", "/")


def _first_line(failure: Any) -> str:
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description).splitlines()[0]
    error = failure.error
    while error.cause is not None:
        error = error.cause
    return re.sub(r"^[\w.]+: ", "", str(error.message).strip().splitlines()[0])
