"""Years of history in a moment: bars, and feature rows drawn from a seed instead of computed from them."""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.dataset import NEEDED, Training
from strades_pipelines.predictor.feature_inputs import Bars
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.windows import Floats
from tests.predictor.made import NOW, store_bars

SOME = ("vix", "return_2")  # features that may be missing


def store_history(
    url: str,
    listing: int,
    days: Sequence[date],
    known: Sequence[datetime],
    *,
    seed: int,
    features: bool = True,
    missing: float = 0.02,
) -> None:
    """Put a bar and a feature row of each session into their tables.

    Args:
        days, known: session dates, and when their bars were known (UTC); the rows are decided then.
        seed: prices and features are drawn from it.
        features: without, bars alone are stored.
        missing: the share of rows that lack a needed feature.
    """
    random = np.random.default_rng([seed, listing])
    close = 100 * np.exp(random.normal(0, 0.02, len(days)).cumsum())
    times = np.array([time.replace(tzinfo=None) for time in known], "datetime64[us]")
    one = np.ones(len(days))
    session_date = np.array(days, "datetime64[D]")
    store_bars(url, listing, Bars(session_date, times, close, close, close, close, one, one))
    if features:
        store_features(url, listing, days, known, seed=seed, missing=missing)


def store_features(
    url: str, listing: int, days: Sequence[date], known: Sequence[datetime], *, seed: int, missing: float = 0.02
) -> None:
    """Put a feature row of each session into features.daily, or another in the place of one that is there."""
    random = np.random.default_rng([seed, listing, 1])
    frame = pd.DataFrame({name: random.normal(0, 1, len(days)) for name in (*NEEDED, *SOME)})
    frame["vix"] = frame["vix"].where(random.random(len(days)) > 0.3)
    frame["return_1"] = frame["return_1"].where(random.random(len(days)) >= missing)
    frame = frame.assign(listing_id=listing, session_date=days, decision_time=known, window_start=days)
    frame = frame.assign(max_knowledge_time=known, inputs_hash=[f"{seed} {listing} {day}" for day in days])
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        load(cursor, "features.daily", rows, key=("listing_id", "decision_time"), now=NOW)
        connection.commit()


def _mean(training: Training, _seed: int) -> Floats:
    return np.array([training.target.mean()])


# A kind whose fit costs nothing, where what is fitted does not matter.
MEAN = Kind(
    name="mean",
    version="1",
    parameters={},
    libraries=("numpy",),
    format="skops",
    fit=_mean,
    predict=lambda fitted, features: np.full(len(features), fitted[0]),
    numbers=lambda fitted: [fitted],
)
