"""A session's journal that keeps, with each decision, what it was made of."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

from strades_pipelines.market.events import stamp
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import TradingDecision
from strades_pipelines.strategy.engine import Engine
from strades_pipelines.strategy.events import KINDS, TIMER, Bar, Prediction, Timer, moment
from strades_pipelines.strategy.journal import Journal

PredictionIds = dict[tuple[int, int, int], str]


class DecisionJournal(Journal):
    """Makes a `TradingDecision` of each decision of an engine, at the moment it is made.

    `see` is the session's observer: called with each event before the engine handles it.

    Args:
        prediction_ids: of each forecast, by instrument, time (microseconds UTC), and index among the strategy's models.
    """

    def __init__(
        self, engine: Engine, listings: Sequence[Listing], *, wallet: str, interval: str, prediction_ids: PredictionIds
    ) -> None:
        super().__init__()
        self.made: list[TradingDecision] = []
        self.quantities: list[float] = []
        self._engine, self._listings, self._wallet, self._interval = engine, listings, wallet, interval
        self._prediction_ids = prediction_ids
        self._windows: list[deque[int]] = [deque(maxlen=max(1, engine.strategy.lookback)) for _ in listings]
        self._forecast: dict[int, str] = {}
        self._event: Any = None

    def see(self, event: Any) -> None:
        """Note the event that is handled next."""
        if isinstance(self._event, Bar):
            self._windows[self._event.i].append(self._event.open_time)
        self._event = event
        if isinstance(event, Prediction):
            self._forecast[event.i] = self._prediction_ids[event.i, event.time, int(event.model)]

    def decision(
        self, time: int, i: int, previous: float, target: float, order: int, outcome: int, trigger: int
    ) -> None:
        """A decision, with its reason and inputs."""
        super().decision(time, i, previous, target, order, outcome, trigger)
        self.quantities.append(self._engine.account.pending[i] if order else 0.0)
        strategy = self._engine.strategy
        explanation = strategy.explain(Timer(time) if trigger == TIMER else self._event, i)
        trigger_id = self._trigger_id(time, trigger)
        inputs: dict[str, Any] = {"trigger": {"kind": KINDS[trigger], "id": trigger_id}}
        if strategy.lookback and (window := self._window(time, i, trigger)):
            inputs["bars"] = window
        if strategy.models and i in self._forecast:
            inputs["prediction_id"] = self._forecast[i]
        inputs["numbers"] = {name: _json(value) for name, value in explanation.numbers.items()}
        self.made.append(
            TradingDecision(
                wallet=self._wallet,
                strategy=strategy.title(),
                i=i,
                listing_id=self._listings[i].listing_id,
                decided_at=moment(time),
                trigger_kind=KINDS[trigger],
                trigger_id=trigger_id,
                ordinal=0,  # a trigger changes the target of a listing once
                previous_target=previous,
                target=target,
                reason=explanation.reason,
                inputs=inputs,
            )
        )

    def _trigger_id(self, time: int, trigger: int) -> str:
        event = self._event
        if trigger == TIMER:
            return f"timer@{stamp(moment(time))}"
        if isinstance(event, Bar):
            return f"{self._interval}@{stamp(moment(event.open_time))}"
        if isinstance(event, Prediction):
            return self._forecast[event.i]
        return f"{KINDS[trigger]}@{stamp(moment(time))}"

    def _window(self, time: int, i: int, trigger: int) -> dict[str, Any] | None:
        """The bars of the listing that the strategy may have read; the timer of an instant comes after its bars."""
        opened = list(self._windows[i])
        event = self._event
        # The timer fires when the next instant's first event is at hand, which is no part of it.
        if isinstance(event, Bar) and event.i == i and (trigger != TIMER or event.time == time):
            opened.append(event.open_time)
        opened = opened[-self._engine.strategy.lookback :]
        if not opened:
            return None
        return {
            "listing_id": self._listings[i].listing_id,
            "interval": self._interval,
            "first_open_time": stamp(moment(opened[0])),
            "last_open_time": stamp(moment(opened[-1])),
        }


def _json(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)
