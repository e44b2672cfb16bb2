"""Features joined with what came of them: what models are trained on, and what they predict for."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strades_pipelines.predictor.formulas import NAMES, OPTIONAL_NAMES
from strades_pipelines.predictor.windows import Floats

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Without these a row says too little to predict from, or to learn from; the others may be missing.
NEEDED = (
    "return_1", "return_5", "return_20", "volatility_20", "sma_ratio_10", "sma_ratio_50", "rsi_14", "range_20",
)  # fmt: skip
IDENTITY = ("listing_id", "session_date", "decision_time", "inputs_hash")
ROWS = """
    SELECT {columns} FROM features.daily AS row {join}
    WHERE row.decision_time >= $1::timestamptz AND row.session_date < $2::date AND row.decision_time <= $3::timestamptz
    ORDER BY row.decision_time, row.listing_id
"""
OPTIONAL_JOIN = "LEFT JOIN features.alpha158 USING (listing_id, decision_time)"


@dataclass(frozen=True)
class Training:
    """A training set in the order of (decision_time, listing_id): x of shape (n, features), the rest of shape (n,)."""

    x: Floats
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
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_rows(
    cursor: "Cursor", *, start: datetime, end: datetime, known_at: datetime, names: Collection[str] = NAMES
) -> pd.DataFrame:
    """Feature rows decided from `start` on, of sessions before the date of `end`, as known at `known_at`.

    Args:
        names: the features; those that NEEDED names are read whatever it says.

    Returns:
        The columns of IDENTITY and the features, with NaN for a missing one, ordered by decision_time and listing_id.
    """
    daily = [name for name in NAMES if name in names or name in NEEDED]
    optional = [name for name in OPTIONAL_NAMES if name in names]
    columns = ", ".join([*(f"row.{name}" for name in (*IDENTITY, *daily)), *(f"alpha158.{name}" for name in optional)])
    query = ROWS.format(columns=columns, join=OPTIONAL_JOIN if optional else "")
    cursor.execute(query, (start, end.date(), known_at))
    rows: pd.DataFrame = cursor.fetch_arrow_table().to_pandas()
    return rows.astype(dict.fromkeys((*daily, *optional), "float64"))


def with_labels(rows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The rows with `label` and `label_known_at`, missing where the next session is not among the labels."""
    return rows.merge(labels, on=["listing_id", "decision_time"], how="left", validate="one_to_one")


def has_features(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows have every needed feature."""
    return rows[list(NEEDED)].notna().all(axis=1)


def training_set(rows: pd.DataFrame, *, cutoff: datetime, months: int) -> Training:
    """The rows whose label was known at `cutoff`, decided at most `months` months before it.

    The label itself says when it was known, so no row can overlap the time it predicts, whatever the horizon.

    Args:
        rows: of `with_labels`, in their order.
    """
    since = (pd.Timestamp(cutoff) - pd.DateOffset(months=months)).to_pydatetime()
    names = tuple(name for name in (*NAMES, *OPTIONAL_NAMES) if name in rows)
    kept = rows[(rows["label_known_at"] <= cutoff) & (rows["decision_time"] >= since) & has_features(rows)]
    return Training(
        x=kept[list(names)].to_numpy(np.float64),
        y=kept["label"].to_numpy(np.float64),
        decision_time=microseconds(kept["decision_time"]),
        label_known_at=microseconds(kept["label_known_at"]),
        listing_id=kept["listing_id"].to_numpy(np.int64),
        names=names,
    )


def microseconds(times: pd.Series) -> NDArray[np.int64]:
    """Microseconds since 1970 of a column of UTC times without gaps."""
    naive: NDArray[np.datetime64] = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
    return naive.astype(np.int64)


def instant(microseconds_since_1970: int) -> datetime:
    """The UTC time of a number of microseconds."""
    return EPOCH + timedelta(microseconds=microseconds_since_1970)
