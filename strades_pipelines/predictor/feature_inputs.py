"""What features are computed from: listings' sessions, published series and articles, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.predictor.windows import Floats

Times = NDArray[np.datetime64]
Indices = NDArray[np.int64]
MISSING = -1


@dataclass(frozen=True)
class Bars:
    """A listing's daily bars: arrays of shape (n,), one entry a session, in the order of session_date (each date once).

    Prices are the listing's own, volume NaN where unknown; `factor` is the total return factor; times are UTC.
    """

    session_date: Times
    knowledge_time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    factor: Floats

    def __post_init__(self) -> None:
        if np.any(self.session_date[1:] <= self.session_date[:-1]):
            raise ValueError("expected bars in the order of their sessions, each session once")

    def __len__(self) -> int:
        return len(self.session_date)

    @property
    def growth(self) -> Floats:
        """Price and dividends together: the ratio of two entries is a holder's total return between them."""
        return self.close * self.factor

    def take(self, chosen: NDArray[np.bool_] | Indices) -> "Bars":
        """The bars that a mask of shape (n,), or places in their order, choose."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class Series:
    """A published series: arrays of shape (m,), in the order of event_time and knowledge_time; times are UTC.

    A value that was revised has an entry for each version, known from its own knowledge_time on.
    """

    event_time: Times
    knowledge_time: Times
    value: Floats

    def __post_init__(self) -> None:
        earlier, later = self.event_time[:-1], self.event_time[1:]
        again = (later == earlier) & (self.knowledge_time[1:] > self.knowledge_time[:-1])
        if not np.all((later > earlier) | again):
            raise ValueError("expected values in the order of their days, each version known later than the one before")


@dataclass(frozen=True)
class Articles:
    """Articles in the order of knowledge_time, arrays of shape (k,); `about` says which listings each one mentions."""

    knowledge_time: Times
    positive: Indices  # words of the list in title and summary
    negative: Indices
    about: Mapping[int, NDArray[np.bool_]]  # by listing_id; one that is not there is not mentioned
    _running: dict[tuple[int | None, str], tuple[Times, Indices]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        if np.any(self.knowledge_time[1:] < self.knowledge_time[:-1]):
            raise ValueError("expected articles in the order in which they were known")

    def running(self, listing: int | None, words: str) -> tuple[Times, Indices]:
        """When the articles about a listing (all of them for None) were known, and how many there were before each.

        Args:
            words: "" counts articles, "positive" and "negative" their words.

        Returns:
            Shape (m,) and (m + 1,), the last entry for all m.
        """
        key = (listing, words)
        if key not in self._running:
            weights = {
                "": np.ones(len(self.knowledge_time), np.int64),
                "positive": self.positive,
                "negative": self.negative,
            }
            about = (
                slice(None) if listing is None else self.about.get(listing, np.zeros(len(self.knowledge_time), bool))
            )
            running = np.concatenate([[0], np.cumsum(weights[words][about])])
            self._running[key] = (self.knowledge_time[about], running)
        return self._running[key]


@dataclass(frozen=True)
class Market:
    """Everything that features are computed from; bars and venues by listing_id, series by name."""

    bars: Mapping[int, Bars]
    venues: Mapping[int, str]
    published: Mapping[str, Series]
    articles: Articles


@dataclass(frozen=True)
class Known:
    """What one listing's features are computed from, session by session."""

    bars: Bars
    published: Mapping[str, Floats]  # by series: the last values known at each session, shape (n, count), oldest first
    articles: Mapping[str, Floats]  # counts at each session, shape (n,): see families/news.py


def last_known(series: Series, decision_time: Times, *, count: int, max_age: np.timedelta64) -> Indices:
    """The places of the last `count` values that were known at each decision, each day in its newest known version.

    Args:
        decision_time: shape (n,), in any order.
        max_age: how long before the decision the last value's day may be; a series that ended is not known for ever.

    Returns:
        Shape (n, count), oldest first; -1 for what was not known, and a whole row of it where the last was too old.
    """
    in_order = np.all(series.knowledge_time[1:] >= series.knowledge_time[:-1])
    if in_order and np.all(series.event_time[1:] > series.event_time[:-1]):
        known = np.searchsorted(series.knowledge_time, decision_time, side="right")
        places = known[:, None] - count + np.arange(count)
    else:
        places = np.array([_last_places(series, time, count) for time in decision_time]).reshape(-1, count)
    places = np.where(places < 0, MISSING, places).astype(np.int64)
    if len(series.event_time):
        stale = decision_time - series.event_time[places[:, -1]] > max_age
        places[stale] = MISSING
    return places


def _last_places(series: Series, decision_time: np.datetime64, count: int) -> Indices:
    known = np.flatnonzero(series.knowledge_time <= decision_time)
    days = series.event_time[known]
    newest = np.append(days[1:] != days[:-1], True)[: len(known)]
    last = known[newest][-count:]
    return np.concatenate([np.full(count - len(last), MISSING), last])
