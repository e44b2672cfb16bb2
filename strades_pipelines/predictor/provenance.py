"""The rows of features.daily: values, and what went into them.

A row's decision time is the moment its bar was known. It is computed from at most `SESSIONS` bars, `PUBLICATIONS`
values of each series, the articles of a month and its peers' rows, all known by then: neither later data nor the day
history starts at can change it.

What went into a row is found first, for every row of a window (`identify`); values are computed for the rows that are
chosen from them (`feature_table`). So a row whose inputs are the stored ones costs a hash and no features.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.families.cross_section import COMPARED, compare
from strades_pipelines.predictor.families.news import article_counts
from strades_pipelines.predictor.families.published import PUBLICATIONS, SERIES
from strades_pipelines.predictor.feature_inputs import Articles, Bars, Indices, Known, Market, Times, last_known
from strades_pipelines.predictor.formulas import FEATURES, FEATURES_VERSION, NAMES, SESSIONS
from strades_pipelines.predictor.windows import Floats, trailing_max

MAX_AGE = np.timedelta64(10, "D")  # of a series' last value
NEVER = np.iinfo(np.int64).min
MICROSECONDS = "datetime64[us]"


@dataclass(frozen=True)
class Segment:
    """Bars of one listing, and the places of those that are rows: each is computed from the bars up to its own."""

    listing: int
    bars: Bars
    places: Indices

    def window_start(self) -> Indices:
        """The place of the oldest bar of each row's window."""
        return np.maximum(self.places - SESSIONS + 1, 0)

    def narrowed(self, chosen: NDArray[np.bool_]) -> "Segment":
        """Only some of the rows, with no more bars than their windows hold."""
        places = self.places[chosen]
        first = max(int(places[0]) - SESSIONS + 1, 0)
        bars = self.bars.take(np.arange(first, int(places[-1]) + 1))
        return Segment(self.listing, bars, places - first)


@dataclass(frozen=True)
class Rows:
    """What identifies the rows of a window: arrays of shape (n,), the rows of one segment after the other's."""

    segments: list[Segment]
    known: "Publications"
    articles: Articles
    listing_id: Indices
    session_date: Times
    decision_time: Times
    window_start: Times
    max_knowledge_time: Times
    inputs_hash: NDArray[np.object_]
    compared: Mapping[str, Floats]  # the features that compare a row with its peers'

    def __len__(self) -> int:
        return len(self.listing_id)


class Publications:
    """The last values of each series at each of the times at which something is decided."""

    def __init__(self, market: Market, times: Times) -> None:
        self.times = np.unique(times)
        self.values: dict[str, Floats] = {}
        last = np.full(len(self.times), NEVER)
        for name in SERIES:
            series = market.published[name]
            places = last_known(series, self.times, count=PUBLICATIONS, max_age=MAX_AGE)
            self.values[name] = np.append(series.value, np.nan)[places]
            known = np.append(_microseconds(series.knowledge_time), NEVER)
            last = np.maximum(last, known[places].max(axis=1, initial=NEVER))
        known = np.insert(_microseconds(market.articles.knowledge_time), 0, NEVER)
        read = np.searchsorted(market.articles.knowledge_time, self.times, side="right")
        self.newest = np.maximum(last, known[read])  # knowledge time of values and articles, microseconds
        bits = np.column_stack([np.ascontiguousarray(values).view(np.int64) for values in self.values.values()])
        self.digests = [hashlib.sha256(row.tobytes()).digest() for row in bits]

    def places(self, times: Times) -> Indices:
        """Where the times are among those of the values."""
        return np.searchsorted(self.times, times)


def market_features(market: Market, *, start: date = date.min) -> pa.Table:
    """One row a listing and session, with the columns of features.daily but for recorded_at.

    Args:
        start: rows of earlier sessions are left out; their bars are what the first rows' windows hold.
    """
    rows = identify(market, start=start)
    if rows is None:
        return pa.table({})
    table = feature_table(rows, np.ones(len(rows), bool))
    return table.sort_by([("listing_id", "ascending"), ("session_date", "ascending")])


def identify(market: Market, *, start: date = date.min) -> Rows | None:
    """What went into each row of the sessions from `start` on, None where there is no row.

    Computes no features but those that are compared with peers'.
    """
    segments = [one for listing in sorted(market.bars) for one in _segments(listing, market.bars[listing], start)]
    if not segments:
        return None
    known = Publications(market, np.concatenate([_times(one) for one in segments]))
    parts = [_inputs(one, known, market.articles) for one in segments]
    rows: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    decided = np.concatenate([_decided(one) for one in segments])
    venues = {name: place for place, name in enumerate(sorted(set(market.venues.values())))}
    group = np.concatenate([np.full(len(one.places), venues[market.venues[one.listing]]) for one in segments])
    values = {name: rows.pop(name) for name in COMPARED}
    compared = compare(values, group, rows["listing_id"], rows["session_date"], decided)
    digests = zip(rows.pop("own_digest").tolist(), compared.seen, strict=True)
    hashes = [hashlib.sha256(own + peers).hexdigest() for own, peers in digests]
    newest = np.maximum(rows.pop("newest").astype(MICROSECONDS), compared.newest)
    return Rows(
        segments, known, market.articles, decision_time=decided, max_knowledge_time=newest,
        inputs_hash=np.array([*hashes, None], object)[:-1], compared=compared.features, **rows,
    )  # fmt: skip


def feature_table(rows: Rows, chosen: NDArray[np.bool_]) -> pa.Table:
    """The chosen rows, with the columns of features.daily but for recorded_at, in the order of `rows`."""
    values = np.full((len(FEATURES), int(chosen.sum())), np.nan)
    end = 0
    for segment in chosen_segments(rows, chosen):
        begin, end = end, end + len(segment.places)
        known = _known(segment.bars, segment.listing, rows.known, rows.articles)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for column, feature in zip(values, FEATURES, strict=True):
                column[begin:end] = finite(feature.compute(known)[segment.places])
    columns = dict(zip((feature.name for feature in FEATURES), values, strict=True))
    columns |= {name: column[chosen] for name, column in rows.compared.items()}
    return pa.table(
        {
            "listing_id": pa.array(rows.listing_id[chosen], pa.int32()),
            "session_date": pa.array(rows.session_date[chosen]),
            "decision_time": pa.array(rows.decision_time[chosen], TIME),
            **{name: pa.array(columns[name], from_pandas=True) for name in NAMES},
            "window_start": pa.array(rows.window_start[chosen]),
            "max_knowledge_time": pa.array(rows.max_knowledge_time[chosen], TIME),
            "inputs_hash": pa.array(rows.inputs_hash[chosen], pa.string()),
        }
    )


def chosen_segments(rows: Rows, chosen: NDArray[np.bool_]) -> Iterator[Segment]:
    """The segments of the chosen rows, in their order, each with no more than the rows need."""
    end = 0
    for segment in rows.segments:
        begin, end = end, end + len(segment.places)
        if chosen[begin:end].any():
            yield segment.narrowed(chosen[begin:end])


def bar_windows(segment: Segment) -> Iterator[bytes]:
    """The bars of each row's window, as bytes."""
    bars = segment.bars
    prices = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.factor)
    columns = np.column_stack([bars.session_date.astype("datetime64[D]").astype(np.int64), *map(_bits, prices)])
    for begin, end in zip(segment.window_start().tolist(), segment.places.tolist(), strict=True):
        yield columns[begin : end + 1].tobytes()


def finite(values: Floats) -> Floats:
    """The values, NaN for what is not finite: the logarithm of a price of 0 says nothing."""
    return np.where(np.isfinite(values), values, np.nan)


def _segments(listing: int, bars: Bars, start: date) -> Iterator[Segment]:
    """The bars of a listing, and for each row that knew less than those before it, the bars that it knew.

    A bar that became known only after a later session's decision is not an input of that decision.
    """
    known = _microseconds(bars.knowledge_time)
    wanted = bars.session_date.astype("datetime64[D]") >= np.datetime64(start)
    knew_less = trailing_max(known, SESSIONS) > known
    if (wanted & ~knew_less).any():
        yield Segment(listing, bars, np.flatnonzero(wanted & ~knew_less))
    for place in np.flatnonzero(wanted & knew_less):
        chosen = np.flatnonzero(known[: place + 1] <= known[place])[-SESSIONS:]
        yield Segment(listing, bars.take(chosen), np.array([len(chosen) - 1]))


def _inputs(segment: Segment, known: Publications, articles: Articles) -> dict[str, NDArray[Any]]:
    """What went into each row of a segment, but for its peers: columns of `Rows`, and those of COMPARED."""
    bars, places = segment.bars, segment.places
    all_known = _known(bars, segment.listing, known, articles)
    decided = _decided(segment)
    first = segment.window_start()
    at = known.places(decided)
    counts = np.column_stack([column[places] for column in all_known.articles.values()])
    version = FEATURES_VERSION.encode()
    digests = [
        hashlib.sha256(version + window + known.digests[time] + count.tobytes()).digest()
        for window, time, count in zip(bar_windows(segment), at.tolist(), counts, strict=True)
    ]
    own = trailing_max(_microseconds(bars.knowledge_time), SESSIONS)[places]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        compared = {one.name: finite(one.compute(all_known)[places]) for one in FEATURES if one.name in COMPARED}
    return compared | {
        "listing_id": np.full(len(places), segment.listing),
        "session_date": bars.session_date[places].astype("datetime64[D]"),
        "window_start": bars.session_date[first].astype("datetime64[D]"),
        "newest": np.maximum(own, known.newest[at]),
        "own_digest": np.array([*digests, None], object)[:-1],  # no text that NumPy may strip of its zeros
    }


def _known(bars: Bars, listing: int, known: Publications, articles: Articles) -> Known:
    decided = bars.knowledge_time.astype(MICROSECONDS)
    at = known.places(decided)
    published = {name: values[at] for name, values in known.values.items()}
    return Known(bars, published, article_counts(articles, listing, decided))


def _times(segment: Segment) -> Times:
    return segment.bars.knowledge_time.astype(MICROSECONDS)


def _decided(segment: Segment) -> Times:
    return _times(segment)[segment.places]


def _microseconds(times: Times) -> Indices:
    return times.astype(MICROSECONDS).astype(np.int64)


def _bits(values: Floats) -> Indices:
    return np.ascontiguousarray(values).view(np.int64)
