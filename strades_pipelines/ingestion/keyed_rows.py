"""Rows of Arrow tables, chosen by their keys."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def with_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that have one of the keys, in their order."""
    return _matching(rows, keys, keys.column_names, "left semi")


def without_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that have none of the keys, in their order."""
    return _matching(rows, keys, keys.column_names, "left anti")


def _matching(rows: pa.Table, keys: pa.Table, names: Sequence[str], how: str) -> pa.Table:
    numbered = rows.select(names).append_column("position", pa.array(np.arange(rows.num_rows)))  # no lists are joined
    matching = numbered.join(keys.cast(rows.select(names).schema), keys=list(names), join_type=how)
    return rows.take(pa.array(np.sort(matching["position"].to_numpy())))
