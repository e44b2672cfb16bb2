"""The rows of features.alpha158: the same rows as those of features.daily, computed from their own bars alone."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.families.alpha158 import ALPHA158_NAMES, VERSION, Columns, alpha158, columns_of
from strades_pipelines.predictor.provenance import Rows, Segment, bar_windows, chosen_segments


def bar_hashes(segments: Iterable[Segment]) -> list[str]:
    """SHA-256 of the bars in each row's window: while it stays the same, so does the row."""
    version = VERSION.encode()
    return [hashlib.sha256(version + window).hexdigest() for one in segments for window in bar_windows(one)]


def alpha158_table(rows: Rows, chosen: NDArray[np.bool_]) -> pa.Table:
    """The chosen rows, with the columns of features.alpha158 but for recorded_at, in the order of `rows`."""
    segments = list(chosen_segments(rows, chosen))
    columns = Columns(
        *(np.concatenate(parts) for parts in zip(*(columns_of(one.bars) for one in segments), strict=True))
    )
    age = np.concatenate([np.arange(len(one.bars)) for one in segments])
    wanted = np.concatenate([np.isin(np.arange(len(one.bars)), one.places) for one in segments])
    values = alpha158(columns, age, wanted)
    return pa.table(
        {
            "listing_id": pa.array(rows.listing_id[chosen], pa.int32()),
            "session_date": pa.array(rows.session_date[chosen]),
            "decision_time": pa.array(rows.decision_time[chosen], TIME),
            **{name: pa.array(column, from_pandas=True) for name, column in zip(ALPHA158_NAMES, values, strict=True)},
            "inputs_hash": pa.array(bar_hashes(segments), pa.string()),
        }
    )
