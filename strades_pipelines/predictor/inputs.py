"""What features are computed from: a listing's sessions and the euro's rates, as arrays."""

from dataclasses import dataclass, fields, replace

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

    def take(self, chosen: NDArray[np.bool_]) -> "Bars":
        """The bars a mask of shape (n,) chooses."""
        return replace(self, **{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class Rates:
    """A published series: arrays of shape (m,), in the order of event_time (each once); times are UTC."""

    event_time: Times
    knowledge_time: Times
    value: Floats

    def __post_init__(self) -> None:
        if np.any(self.event_time[1:] <= self.event_time[:-1]):
            raise ValueError("expected rates in the order of their days, each day once")


def last_known(rates: Rates, decision_time: Times, *, count: int, max_age: np.timedelta64) -> Indices:
    """The places of the last `count` rates that were known at each decision.

    Args:
        decision_time: shape (n,), in any order.
        max_age: how long before the decision the last rate's day may be; a series that ended is not known for ever.

    Returns:
        Shape (n, count), oldest first; -1 for what was not known, and a whole row of it where the last was too old.
    """
    if np.all(rates.knowledge_time[1:] >= rates.knowledge_time[:-1]):
        known = np.searchsorted(rates.knowledge_time, decision_time, side="right")
        places = known[:, None] - count + np.arange(count)
    else:
        places = np.array([_last_places(rates, time, count) for time in decision_time]).reshape(-1, count)
    places = np.where(places < 0, MISSING, places).astype(np.int64)
    if len(rates.event_time):
        stale = decision_time - rates.event_time[places[:, -1]] > max_age
        places[stale] = MISSING
    return places


def _last_places(rates: Rates, decision_time: np.datetime64, count: int) -> Indices:
    known = np.flatnonzero(rates.knowledge_time <= decision_time)[-count:]
    return np.concatenate([np.full(count - len(known), MISSING), known])
