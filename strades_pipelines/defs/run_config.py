"""Run config by layer, for runs that are started from code: which step takes which."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

TRADING_LAYERS = ("signals", "trading", "results")


def ops_config(graph: Any, selection: Iterable[dg.AssetKey], config: dict[str, Any]) -> dict[str, Any]:
    """The `ops` section of a run config over `selection`.

    Args:
        config: `rawsources` and `clip` clip the months to days (`from_date`, `to_date`); `trade` is the wallets' part.
    """
    ops: dict[str, Any] = {}
    for asset in selection:
        node = graph.get(asset).assets_def.node_def.name
        layer = asset.path[0]
        if layer in TRADING_LAYERS:
            wanted = config.get("trade")
        elif layer == "rawsources":
            wanted = config.get("rawsources")
        elif layer in ("features", "predictions", "cleaned"):
            wanted = config.get("clip")
        else:
            wanted = None
        if wanted:
            ops[node] = {"config": wanted}
    return ops
