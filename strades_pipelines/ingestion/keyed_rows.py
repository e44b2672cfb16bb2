"""Rows of Arrow tables, chosen by their keys."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Span = dict[str, tuple[Any, Any]]


def with_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that have one of the keys, in their order."""
    return _matching(rows, keys, keys.column_names, "left semi")


def without_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that have none of the keys, in their order."""
    return _matching(rows, keys, keys.column_names, "left anti")


def with_equals(rows: pa.Table, others: pa.Table, key: Sequence[str]) -> pa.Table:
    """The rows; where one of `others` has the same values, but for `fetch_id`, that one in its place."""
    equal = with_keys(others, rows.drop_columns(["fetch_id"]))
    return pa.concat_tables([without_keys(rows, equal.select(key)), equal])


def key_span(rows: pa.Table, key: Sequence[str]) -> Span | None:
    """The least and the greatest of each key column that is a number or a time; None of no rows."""
    if not rows.num_rows:
        return None
    names = [name for name in key if not pa.types.is_string(rows[name].type)]
    return {name: tuple(pc.min_max(rows[name]).as_py().values()) for name in names}


def overlap(span: Span | None, other: Span | None) -> bool:
    """Whether rows of two spans may have a key in common."""
    if span is None or other is None:
        return False
    return all(span[name][0] <= other[name][1] and other[name][0] <= span[name][1] for name in span)


def _matching(rows: pa.Table, keys: pa.Table, names: Sequence[str], how: str) -> pa.Table:
    numbered = rows.select(names).append_column("position", pa.array(np.arange(rows.num_rows)))  # no lists are joined
    matching = numbered.join(keys.cast(rows.select(names).schema), keys=list(names), join_type=how)
    # A join gives rows in any order, and later code depends on theirs.
    return rows.take(pa.array(np.sort(matching["position"].to_numpy())))
