"""Layers and asset keys: `[layer, entity]` is also `schema.table`, and the layer is the group."""

import dagster as dg

LAYERS = (
    "rawsources",
    "records",
    "staging",
    "cleaned",
    "features",
    "predictions",
    "signals",
    "trading",
    "results",
    "marts",
    "ops",
)
OWNERS = ["team:strades"]


def key(layer: str, entity: str) -> dg.AssetKey:
    """The asset key of an entity of a layer.

    Raises:
        ValueError: for a layer that does not exist.
    """
    if layer not in LAYERS:
        raise ValueError(f"expected one of {', '.join(LAYERS)}, was {layer!r}")
    return dg.AssetKey([layer, entity])


def table(asset: dg.AssetKey) -> str:
    """The table of an asset: `schema.table`."""
    return ".".join(asset.path)
