"""What is predicted: a listing's total return to its next session's close, and when that is known."""

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor.inputs import Times
from strades_pipelines.predictor.windows import Floats

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor


def next_session_return(growth: Floats, knowledge_time: Times) -> tuple[Floats, Times]:
    """The label of each session of one listing, and when it is known: with the next session's bar.

    Args:
        growth: close * total return factor, shape (n,), in the order of sessions.
        knowledge_time: of the same bars, UTC.

    Returns:
        ln(next growth / growth) and the next bar's knowledge time, shape (n,); NaN and NaT for the last.
    """
    label = np.full(len(growth), np.nan)
    known_at = np.full(len(growth), np.datetime64("NaT"), dtype=knowledge_time.dtype)
    label[:-1] = np.log(growth[1:] / growth[:-1])
    known_at[:-1] = knowledge_time[1:]
    return label, known_at


def read_labels(cursor: "Cursor", *, start: datetime, known_at: datetime) -> pd.DataFrame:
    """The labels of the sessions decided from `start` on, as far as they are known at `known_at`.

    Returns:
        Columns listing_id, decision_time, label, label_known_at; a session whose label is not known yet has no row.
    """
    bars = read_as_of(
        cursor, "cleaned.daily_bars", ("listing_id", "knowledge_time", "close", "total_return_factor"), known_at=known_at,
        where="knowledge_time >= $1", parameters=(start,), order_by=("listing_id", "session_date"),
    ).to_pandas()  # fmt: skip
    parts = [_labels(listing, own) for listing, own in bars.groupby("listing_id", sort=True)]
    empty = bars.assign(decision_time=bars.knowledge_time, label=0.0, label_known_at=bars.knowledge_time)[:0]
    columns = ["listing_id", "decision_time", "label", "label_known_at"]
    return pd.concat([empty[columns], *parts], ignore_index=True) if parts else empty[columns]


def _labels(listing: object, bars: pd.DataFrame) -> pd.DataFrame:
    times = bars["knowledge_time"].dt.tz_localize(None).to_numpy()
    label, known_at = next_session_return((bars["close"] * bars["total_return_factor"]).to_numpy(), times)
    rows = {
        "listing_id": listing,
        "decision_time": bars["knowledge_time"].to_numpy(),
        "label": label,
        "label_known_at": known_at,
    }
    return pd.DataFrame(rows)[:-1]
