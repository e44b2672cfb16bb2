"""The one way through time: backtest, replay, paper and live step through it, each with its own parts."""

import math
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from strades_pipelines.market.events import Bar, Event, Prediction, Timer, order_key, stamp
from strades_pipelines.market.orders import TradingDecision
from strades_pipelines.market.protocols import Broker, Clock, Feed, State
from strades_pipelines.strategy.account import Account

Result = TypeVar("Result")


class StrategyError(RuntimeError):
    """A strategy raised, or left targets that are no numbers; its session ends, nobody else's."""


class Session:
    """Steps one strategy through the events of a feed.

    For each event the broker reports its fills, the strategy hears of them and then of the event itself, and each
    target it changed becomes a decision for the broker to pursue. Until `state.opened_at` the strategy only warms up:
    its targets are put back to 0.
    """

    def __init__(self, feed: Feed, clock: Clock, broker: Broker, state: State) -> None:
        self._feed, self._clock, self._broker, self._state = feed, clock, broker, state
        self._account = Account(feed.listings, broker.books)
        self._targets = list(self._account.target)
        self._windows: list[deque[Bar]] = [deque(maxlen=max(1, state.strategy.lookback)) for _ in feed.listings]
        self._last: Event | None = None

    def run(self) -> None:
        """Step through every event the clock has reached.

        Raises:
            StrategyError: when the strategy raises.
            ValueError: when the feed is out of order.
        """
        strategy, account = self._state.strategy, self._account
        self._contain(None, strategy.on_start, account)
        account.target = list(self._targets)
        for event in self._feed.events():
            if not self._clock.has_reached(event.knowledge_time):
                break
            self._keep_order(event)
            self._step(event)
        if self._last is not None:
            self._end_instant(self._last.knowledge_time)
        self._contain(None, strategy.on_stop, account)

    def _keep_order(self, event: Event) -> None:
        last, self._last = self._last, event
        if last is None:
            return
        if order_key(event) <= order_key(last):
            raise ValueError(f"feed: expected events in total order, was {event.content_id} after {last.content_id}")
        if event.knowledge_time > last.knowledge_time:
            self._end_instant(last.knowledge_time)

    def _step(self, event: Event) -> None:
        strategy, account = self._state.strategy, self._account
        if isinstance(event, Bar):
            account.price[event.i] = event.close
            self._windows[event.i].append(event)
        for fill in self._broker.report(event):
            account.refresh(self._broker.books)
            self._state.filled(fill)
            self._act(fill, strategy.on_fill, fill)
        if isinstance(event, Bar):
            self._act(event, strategy.on_aggregate_bar, event)
        elif isinstance(event, Prediction):
            self._act(event, strategy.on_prediction, event)

    def _end_instant(self, time: datetime) -> None:
        self._act(Timer(time), self._state.strategy.on_timer, time)
        if time >= self._state.opened_at:
            self._state.valued(time, self._account.cash, self._account.equity, self._account.price)

    def _act(self, event: Event, hook: Callable[..., None], argument: Event | datetime) -> None:
        self._contain(event, hook, argument, self._account)
        targets = self._contain(event, self._account.read_targets)
        if targets == self._targets:
            return
        if event.knowledge_time < self._state.opened_at:
            self._account.target = list(self._targets)
            return
        for i, (before, after) in enumerate(zip(self._targets, targets, strict=True)):
            if before != after and not (math.isnan(before) and math.isnan(after)):
                decision = self._decision(event, i, after)
                self._targets[i] = after
                self._state.decided(decision)
                self._broker.pursue(decision, self._account.price)

    def _contain(self, event: Event | None, call: Callable[..., Result], *arguments: object) -> Result:
        try:
            return call(*arguments)
        except Exception as error:
            name, wallet = self._state.strategy.name, self._state.wallet
            where = f"{call.__name__} on {event.content_id}" if event else call.__name__
            raise StrategyError(f"strategy {name} of wallet {wallet}: {where}: {error!r}") from error

    def _decision(self, event: Event, i: int, target: float) -> TradingDecision:
        strategy = self._state.strategy
        explanation = self._contain(event, strategy.explain, event, i)
        inputs: dict[str, Any] = {"trigger": {"kind": event.kind, "id": event.content_id}}
        if strategy.lookback and self._windows[i]:
            inputs["bars"] = _window(self._windows[i])
        if explanation.prediction_id:
            inputs["prediction_id"] = explanation.prediction_id
        inputs["numbers"] = {name: _json(value) for name, value in explanation.numbers.items()}
        return TradingDecision(
            wallet=self._state.wallet,
            strategy=strategy.name,
            i=i,
            listing_id=self._feed.listings[i].listing_id,
            decided_at=event.knowledge_time,
            trigger_kind=event.kind,
            trigger_id=event.content_id,
            ordinal=0,  # a trigger changes the target of a listing once
            previous_target=self._targets[i],
            target=target,
            reason=explanation.reason,
            inputs=inputs,
        )


def _window(bars: "deque[Bar]") -> dict[str, Any]:
    first, last = bars[0], bars[-1]
    return {
        "listing_id": last.listing_id,
        "interval": last.interval,
        "first_open_time": stamp(first.open_time),
        "last_open_time": stamp(last.open_time),
    }


def _json(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)
