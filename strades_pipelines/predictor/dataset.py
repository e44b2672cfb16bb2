"""Features joined with their labels: the training set of models."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor.formulas import NAMES, OPTIONAL_NAMES
from strades_pipelines.predictor.labels import LABEL_COLUMNS, LABEL_JOINS, next_session_return
from strades_pipelines.predictor.month_blocks import months_before
from strades_pipelines.predictor.windows import Floats

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HASHED_ROWS = 50_000  # rows that are copied at once to be hashed
# Without these a row says too little to predict from, or to learn from; the others may be missing.
NEEDED = (
    "return_1", "return_5", "return_20", "volatility_20", "sma_ratio_10", "sma_ratio_50", "rsi_14", "range_20",
)  # fmt: skip
# LIMIT keeps the planner from reading the whole of the second table in order to join it.
OPTIONAL_JOIN = """
    LEFT JOIN LATERAL (
        SELECT * FROM features.alpha158 AS own
        WHERE own.listing_id = row.listing_id AND own.decision_time = row.decision_time
        LIMIT 1
    ) AS alpha158 ON true
"""


@dataclass(frozen=True)
class Training:
    """Labelled rows in the order of (decision_time, listing_id): x of shape (n, features), the rest of shape (n,)."""

    x: Floats  # NaN for a missing feature; a column's values lie side by side
    y: Floats
    decision_time: NDArray[np.int64]  # microseconds since 1970, UTC
    label_known_at: NDArray[np.int64]
    listing_id: NDArray[np.int64]
    names: tuple[str, ...] = field(default=NAMES, kw_only=True)  # of the features

    def of(self, names: tuple[str, ...]) -> "Training":
        """The same rows with some of the features only."""
        if names == self.names:
            return self
        places = {name: place for place, name in enumerate(self.names)}
        return replace(self, x=self.x[:, [places[name] for name in names]], names=names)

    @property
    def target(self) -> Floats:
        """The labels with the extreme half percents pulled in to these rows' quantiles, against wrong prices."""
        low, high = np.quantile(self.y, (0.005, 0.995))
        return np.clip(self.y, low, high)

    def data_hash(self) -> str:
        """SHA-256 over everything a fit can see."""
        digest = hashlib.sha256("\x1f".join(self.names).encode())
        for array in (self.listing_id, self.decision_time, self.label_known_at, self.x, self.y):
            for begin in range(0, len(array), HASHED_ROWS):
                digest.update(np.ascontiguousarray(array[begin : begin + HASHED_ROWS]).data)
        return digest.hexdigest()


def feature_columns(names: Collection[str]) -> tuple[str, str]:
    """SQL for some features of `features.daily AS row`: the list of columns, and the join that they take, if any."""
    daily = [f"row.{name}" for name in NAMES if name in names]
    optional = [f"alpha158.{name}" for name in OPTIONAL_NAMES if name in names]
    return ", ".join([*daily, *optional]), OPTIONAL_JOIN if optional else ""


def feature_matrix(table: pa.Table, names: Sequence[str]) -> Floats:
    """Columns of a table as numbers of shape (rows, names), NaN where missing; a column's values lie side by side."""
    matrix = np.empty((table.num_rows, len(names)), order="F")
    for place, name in enumerate(names):
        matrix[:, place] = table[name].to_numpy()
    return matrix


def read_labelled(
    cursor: "Cursor", start: datetime, end: datetime, *, known_at: datetime, names: tuple[str, ...] = NAMES
) -> Training:
    """The rows decided in [start, end) that have every needed feature and a label known at `known_at`.

    Args:
        names: the features, in the order of the registry.
    """
    columns, join = feature_columns({*names, *NEEDED})
    rows = f"""(
        SELECT row.listing_id, row.decision_time, {columns}, {LABEL_COLUMNS}
        FROM features.daily AS row {join} {LABEL_JOINS}
    )"""
    read = dict.fromkeys((*names, *NEEDED))
    table = read_as_of(
        cursor, rows, ("listing_id", "decision_time", *read, "growth", "next_growth", "knowledge_time"),
        known_at=known_at, where="decision_time >= $1::timestamptz AND decision_time < $2::timestamptz",
        parameters=(start, end), order_by=("decision_time", "listing_id"),
    )  # fmt: skip
    complete = ~np.isnan(feature_matrix(table, NEEDED)).any(axis=1)
    table = table.filter(pa.array(complete))
    return Training(
        x=feature_matrix(table, names),
        y=next_session_return(table["growth"].to_numpy(), table["next_growth"].to_numpy()),
        decision_time=microseconds(table["decision_time"]),
        label_known_at=microseconds(table["knowledge_time"]),
        listing_id=table["listing_id"].to_numpy().astype(np.int64),
        names=names,
    )


def training_set(blocks: Sequence[Training], *, cutoff: datetime, months: int) -> Training:
    """The rows whose label was known at `cutoff`, decided at most `months` months before it.

    The label itself says when it was known, so no row can overlap the time it predicts, whatever the horizon.

    Args:
        blocks: at least one; rows of the same features, those of a block decided after those of the one before.
        cutoff: the first instant of a month.
    """
    since, until = timestamp(months_before(cutoff, months)), timestamp(cutoff)
    kept = [(block.label_known_at <= until) & (block.decision_time >= since) for block in blocks]
    names = blocks[0].names
    x = np.empty((sum(int(chosen.sum()) for chosen in kept), len(names)), order="F")
    begin = 0
    for block, chosen in zip(blocks, kept, strict=True):  # one after the other: a list of all would hold them twice
        end = begin + int(chosen.sum())
        x[begin:end] = block.x[chosen]
        begin = end
    parts = list(zip(blocks, kept, strict=True))
    return Training(
        x=x,
        y=np.concatenate([block.y[chosen] for block, chosen in parts]),
        decision_time=np.concatenate([block.decision_time[chosen] for block, chosen in parts]),
        label_known_at=np.concatenate([block.label_known_at[chosen] for block, chosen in parts]),
        listing_id=np.concatenate([block.listing_id[chosen] for block, chosen in parts]),
        names=names,
    )


def share_rows(block: Training, training: Training) -> Training:
    """The block with its features as a part of the training set's, where that has all of its rows; else as it is.

    Years of a firm's universe are hundreds of megabytes: blocks that wait for later months shall not hold them twice.
    """
    if not len(block.y):
        return block
    begin = int(np.searchsorted(training.decision_time, block.decision_time[0]))
    rows = slice(begin, begin + len(block.y))
    columns = ("decision_time", "listing_id", "label_known_at", "y")
    if not all(np.array_equal(getattr(block, name), getattr(training, name)[rows]) for name in columns):
        return block
    return replace(block, x=training.x[rows])


def microseconds(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Microseconds since 1970 of a column of UTC times without gaps."""
    return np.asarray(times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy())


def timestamp(time: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (time - EPOCH) // timedelta(microseconds=1)


def instant(microseconds_since_1970: int) -> datetime:
    """The UTC time of a number of microseconds."""
    return EPOCH + timedelta(microseconds=microseconds_since_1970)
