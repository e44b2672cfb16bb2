"""`strades backfill`: months of chosen assets through Dagster, in this process and on its instance."""

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import dagster as dg

from strades_pipelines.bad_input import BadInput
from strades_pipelines.keys import LAYERS
from strades_pipelines.orchestration.graph_runs import Progress, graph_runs
from strades_pipelines.partitions import MONTHS, Window
from strades_pipelines.supervision.sandbox_server import sandbox_running


def backfill(
    keys: Sequence[str], layer: str | None, window: Window, now: datetime, *, progress: Progress
) -> dict[str, Any]:
    """Redo the months of `window` for the assets named, or of a layer, or all; days outside of it are left alone.

    Fetching comes first, as a run of its own: what fails there holds back nothing else. It alone needs the sandbox's
    server, which takes most of a second to start. A backfill trades on no wallet but those of replay.

    Returns:
        `{"window", "months", "assets": [{"asset", "rows", "seconds"}], "failures"}`.

    Raises:
        BadInput: for an asset, a layer or a month that does not exist.
    """
    months = _months(window, now)
    with graph_runs("backfill", progress) as runs:
        selection = chosen(runs.graph, keys, layer)
        fetched = [key for key in selection if key.path[0] == "rawsources"]
        worked = [key for key in selection if key.path[0] != "rawsources"]
        if fetched:
            progress(f"fetch {len(fetched)} assets over {months} months")
            with sandbox_running():
                runs.execute(fetched, window)
        if worked:
            progress(f"work through {len(worked)} assets over {months} months")
            runs.execute(worked, window)
    return {
        "window": {"from": f"{window.start:%Y-%m-%d}", "to": f"{window.end:%Y-%m-%d}"},
        "months": months,
        "assets": [
            {"asset": asset, "rows": rows, "seconds": round(runs.seconds[step], 3) if step in runs.seconds else None}
            for (step, asset), rows in runs.rows.items()
        ],
        "failures": runs.failures,
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
