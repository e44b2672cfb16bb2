"""The rows of features.daily for one listing: values, and what went into them.

A row's decision time is the moment its bar was known. It is computed from at most `SESSIONS` bars and `RATES` rates
that were all known by then, so neither later data nor the day history starts at can change it.
"""

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.formulas import FEATURES, FEATURES_VERSION, RATES, SESSIONS
from strades_pipelines.predictor.inputs import MISSING, Bars, Indices, Rates, last_known
from strades_pipelines.predictor.windows import trailing_max

MAX_RATE_AGE = np.timedelta64(10, "D")


def daily_features(bars: Bars, rates: Rates) -> pa.Table:
    """One row a session of `bars`, with the columns of features.daily but for listing_id and recorded_at.

    A bar that became known only after a later session's decision is not an input of that decision: such rows are
    computed from the bars known by then.
    """
    table = _rows(bars, rates)
    known = bars.knowledge_time.astype(np.int64)
    late = np.flatnonzero(trailing_max(known, SESSIONS) > known)
    if not len(late):
        return table
    rows = [table.slice(place, 1) for place in range(len(bars))]
    for place in late:
        chosen = (bars.knowledge_time <= bars.knowledge_time[place]) & (np.arange(len(bars)) <= place)
        rows[place] = _rows(bars.take(chosen), rates).slice(int(chosen.sum()) - 1)
    return pa.concat_tables(rows)


def _rows(bars: Bars, rates: Rates) -> pa.Table:
    places = last_known(rates, bars.knowledge_time, count=RATES, max_age=MAX_RATE_AGE)
    recent = np.append(rates.value, np.nan)[places]  # MISSING is the last place
    columns: dict[str, pa.Array] = {
        "session_date": pa.array(bars.session_date.astype("datetime64[D]")),
        "decision_time": pa.array(bars.knowledge_time.astype("datetime64[us]"), TIME),
    }
    for feature in FEATURES:
        columns[feature.name] = pa.array(feature.compute(bars, recent), from_pandas=True)
    first = np.maximum(np.arange(len(bars)) - SESSIONS + 1, 0)
    columns["window_start"] = pa.array(bars.session_date[first].astype("datetime64[D]"))
    columns["max_knowledge_time"] = pa.array(_last_knowledge(bars, rates, places), TIME)
    columns["inputs_hash"] = pa.array(_hashes(bars, rates, first, places), pa.string())
    return pa.table(columns)


def _last_knowledge(bars: Bars, rates: Rates, places: Indices) -> NDArray[np.datetime64]:
    of_bars = trailing_max(bars.knowledge_time.astype("datetime64[us]").astype(np.int64), SESSIONS)
    never = np.iinfo(np.int64).min
    times = np.append(rates.knowledge_time.astype("datetime64[us]").astype(np.int64), never)
    last: NDArray[np.int64] = np.maximum(of_bars, times[places].max(axis=1, initial=never))
    return last.astype("datetime64[us]")


def _hashes(bars: Bars, rates: Rates, first: Indices, places: Indices) -> list[str]:
    """SHA-256 of each row's inputs: its window of bars, then the rates it knew."""
    session = bars.session_date.astype("datetime64[D]").astype(np.int64)
    window = np.column_stack([session, *map(_bits, (bars.high, bars.low, bars.close, bars.volume, bars.factor))])
    published = np.column_stack([rates.event_time.astype("datetime64[us]").astype(np.int64), _bits(rates.value)])
    start = FEATURES_VERSION.encode()
    return [
        hashlib.sha256(
            start + window[begin : end + 1].tobytes() + published[known[known != MISSING]].tobytes()
        ).hexdigest()
        for end, (begin, known) in enumerate(zip(first, places, strict=True))
    ]


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values).view(np.int64)
