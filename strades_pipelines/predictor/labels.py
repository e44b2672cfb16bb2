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
    """The label of each session of one listing, and when it is known: with the later of its two bars.

    Args:
        growth: close * total return factor, shape (n,), in the order of sessions.
        knowledge_time: of the same bars, UTC.

    Returns:
        ln(next growth / growth), usually known with the next bar, shape (n,); NaN and NaT for the last.
    """
    label = np.full(len(growth), np.nan)
    known_at = np.full(len(growth), np.datetime64("NaT"), dtype=knowledge_time.dtype)
    label[:-1] = np.log(growth[1:] / growth[:-1])
    known_at[:-1] = np.maximum(knowledge_time[:-1], knowledge_time[1:])  # a bar may come after the next one's
    return label, known_at


def read_labels(cursor: "Cursor", *, start: datetime, known_at: datetime) -> pd.DataFrame:
    """The labels of the sessions decided from `start` on, as far as they are known at `known_at`.

    Returns:
        Columns listing_id, decision_time, label, label_known_at; a session whose label is not known yet has no row.
    """
    columns = ("listing_id", "knowledge_time", "close", "total_return_factor")
    bars: pd.DataFrame = read_as_of(
        cursor,
        "cleaned.daily_bars",
        columns,
        known_at=known_at,
        where="knowledge_time >= $1::timestamptz",
        parameters=(start,),
        order_by=("listing_id", "session_date"),
    ).to_pandas()
    return label_rows(bars)


def label_rows(bars: pd.DataFrame) -> pd.DataFrame:
    """The labels of bars.

    Args:
        bars: columns listing_id, knowledge_time, close, total_return_factor, in the order of listings and sessions.

    Returns:
        The columns of `read_labels`, without a row for a listing's last session.
    """
    growth, times = (bars["close"] * bars["total_return_factor"]).to_numpy(), bars["knowledge_time"]
    label, label_known_at = next_session_return(growth, times.dt.tz_localize(None).to_numpy())
    rows = pd.DataFrame({"listing_id": bars["listing_id"], "decision_time": times, "label": label})
    rows["label_known_at"] = pd.Series(label_known_at).dt.tz_localize("UTC")
    next_is_same_listing = bars["listing_id"].shift(-1) == bars["listing_id"]
    return rows[next_is_same_listing].reset_index(drop=True)
