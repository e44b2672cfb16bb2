"""The rows of features.daily: values, and what went into them.

A row's decision time is the moment its bar was known. It is computed from at most `SESSIONS` bars, `PUBLICATIONS`
values of each series, the articles of a month and its peers' rows, all known by then: neither later data nor the day
history starts at can change it.
"""

import hashlib
from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.families.cross_section import COMPARED, compare
from strades_pipelines.predictor.families.news import article_counts
from strades_pipelines.predictor.families.published import PUBLICATIONS, SERIES
from strades_pipelines.predictor.formulas import FEATURES, FEATURES_VERSION, NAMES, SESSIONS
from strades_pipelines.predictor.inputs import Articles, Bars, Indices, Known, Market, Series, last_known
from strades_pipelines.predictor.windows import trailing_max

MAX_AGE = np.timedelta64(10, "D")  # of a series' last value
NEVER = np.iinfo(np.int64).min
Columns = dict[str, NDArray[np.generic]]


def market_features(market: Market, *, start: date = date.min) -> pa.Table:
    """One row a listing and session, with the columns of features.daily but for recorded_at.

    Args:
        start: rows of earlier sessions are left out; their bars are what the first rows' windows hold.
    """
    parts = [_of_listing(market, listing, start) for listing in sorted(market.bars)]
    if not parts:
        return pa.table({})
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    venues = {name: place for place, name in enumerate(sorted(set(market.venues.values())))}
    group = np.array([venues[market.venues[listing]] for listing in rows["listing_id"].tolist()], np.int64)
    values = {name: rows[name].astype(np.float64) for name in COMPARED}
    session, decided = rows["session_date"].astype("datetime64[D]"), rows["decision_time"].astype("datetime64[us]")
    compared = compare(values, group, rows["listing_id"].astype(np.int64), session, decided)
    rows |= compared.features
    rows["max_knowledge_time"] = np.maximum(rows["max_knowledge_time"].astype("datetime64[us]"), compared.newest)
    digests = zip(rows["inputs_hash"].tolist(), compared.seen, strict=True)
    rows["inputs_hash"] = np.array([hashlib.sha256(own + peers).hexdigest() for own, peers in digests], object)
    return _table(rows)


def _table(rows: Mapping[str, NDArray[np.generic]]) -> pa.Table:
    columns = {
        "listing_id": pa.array(rows["listing_id"], pa.int32()),
        "session_date": pa.array(rows["session_date"].astype("datetime64[D]")),
        "decision_time": pa.array(rows["decision_time"], TIME),
        **{name: pa.array(rows[name], from_pandas=True) for name in NAMES},
        "window_start": pa.array(rows["window_start"].astype("datetime64[D]")),
        "max_knowledge_time": pa.array(rows["max_knowledge_time"], TIME),
        "inputs_hash": pa.array(rows["inputs_hash"], pa.string()),
    }
    return pa.table(columns)


def _of_listing(market: Market, listing: int, start: date) -> Columns:
    """The rows of one listing, but for what compares it with others.

    A bar that became known only after a later session's decision is not an input of that decision: such rows are
    computed from the bars known by then.
    """
    bars = market.bars[listing]
    columns = _rows(market, listing, bars)
    known = bars.knowledge_time.astype("datetime64[us]").astype(np.int64)
    for place in np.flatnonzero(trailing_max(known, SESSIONS) > known):
        chosen = np.flatnonzero(known[: place + 1] <= known[place])[-SESSIONS:]
        for name, values in _rows(market, listing, bars.take(chosen)).items():
            columns[name][place] = values[-1]
    wanted = columns["session_date"] >= np.datetime64(start)
    return {name: values[wanted] for name, values in columns.items()}


def _rows(market: Market, listing: int, bars: Bars) -> Columns:
    decided = bars.knowledge_time.astype("datetime64[us]")
    places = {name: last_known(market.published[name], decided, count=PUBLICATIONS, max_age=MAX_AGE) for name in SERIES}
    published = {name: np.append(market.published[name].value, np.nan)[places[name]] for name in SERIES}
    counts = article_counts(market.articles, listing, decided)
    known = Known(bars, published, counts)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns: Columns = {feature.name: finite(feature.compute(known)) for feature in FEATURES}
    first = np.maximum(np.arange(len(bars)) - SESSIONS + 1, 0)
    return columns | {
        "listing_id": np.full(len(bars), listing, np.int32),
        "session_date": bars.session_date.astype("datetime64[D]"),
        "decision_time": decided,
        "window_start": bars.session_date[first].astype("datetime64[D]"),
        "max_knowledge_time": _last_knowledge(bars, market.published, places, market.articles),
        "inputs_hash": _digests(bars, first, published, counts),
    }


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values, NaN for what is not finite: the logarithm of a price of 0 says nothing."""
    return np.where(np.isfinite(values), values, np.nan)


def _last_knowledge(
    bars: Bars, published: Mapping[str, Series], places: Mapping[str, Indices], articles: Articles
) -> NDArray[np.datetime64]:
    """When the last of each row's inputs was known: bars, values of series, articles."""
    own = bars.knowledge_time.astype("datetime64[us]")
    last = trailing_max(own.astype(np.int64), SESSIONS)
    for name, chosen in places.items():
        times = np.append(published[name].knowledge_time.astype("datetime64[us]").astype(np.int64), NEVER)
        last = np.maximum(last, times[chosen].max(axis=1, initial=NEVER))
    times = np.insert(articles.knowledge_time.astype("datetime64[us]").astype(np.int64), 0, NEVER)
    last = np.maximum(last, times[np.searchsorted(articles.knowledge_time, own, side="right")])
    known: NDArray[np.datetime64] = last.astype("datetime64[us]")
    return known


def _digests(
    bars: Bars, first: Indices, published: Mapping[str, NDArray[np.float64]], counts: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.object_]:
    """SHA-256 of each row's inputs: its window of bars, the values of each series, the counts of articles it knew."""
    session = bars.session_date.astype("datetime64[D]").astype(np.int64)
    prices = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.factor)
    window = np.column_stack([session, *map(_bits, prices)])
    known = np.column_stack([*map(_bits, published.values()), *map(_bits, counts.values())])
    start = FEATURES_VERSION.encode()
    digests = [
        hashlib.sha256(start + window[begin : end + 1].tobytes() + known[end].tobytes()).digest()
        for end, begin in enumerate(first)
    ]
    return np.array([*digests, None], object)[:-1]  # digests are not text that NumPy may strip of its zeros


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values).view(np.int64)
