"""A session's journal that keeps, with each decision, what it was made of."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_steps import EVENT_HOOKS
from strades_pipelines.engine.journal import Journal
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.market.rounding import exact
from strades_pipelines.market.split_arithmetic import Split
from strades_pipelines.strategy.events import KINDS, TIMER, Article, Bar, Prediction, Timer, moment
from strades_pipelines.strategy.orders import ACCEPTED, ASKED_FOR, CANCELLED, ON_CLOSE, ON_OPEN, OUTCOMES
from strades_pipelines.strategy.orders import Order as EngineOrder

PredictionIds = dict[tuple[int, int, int], str]


class ForgottenOrder(RuntimeError):
    """Something is about an order from before the checkpoint that was over by then: step from the opening."""


EVENTS: dict[str, type[Any]] = {event.__name__: event for _, event, _ in EVENT_HOOKS.values()}
TIMES_IN_FORCE = ("gtc", "day", "ioc", "fok")
AUCTIONS = {ON_OPEN: "open", ON_CLOSE: "close"}


class DecisionJournal(Journal):
    """Makes a `TradingDecision` of each decision of an engine, at the moment it is made.

    `see` is the session's observer: called with each event before the engine handles it.

    Args:
        strategy: what its decisions have as their strategy; None: the strategy's title.
        every: what fills the bars, where they are made of trades: a decision then names the trades of its bars.
        prediction_ids: of each forecast, by instrument, time (microseconds UTC), and index among the strategy's models.
        splits: those whose new units the bars are in, and so what is decided.

    `prediction_ids` and `article_ids` (by the number of their events) are of the events that are stepped next.
    """

    def __init__(
        self,
        engine: Engine,
        listings: Sequence[Listing],
        *,
        wallet: str,
        interval: str,
        prediction_ids: PredictionIds,
        splits: Sequence[Split] = (),
        strategy: str | None = None,
        every: str = "",
    ) -> None:
        super().__init__()
        self.made: list[TradingDecision] = []
        self.quantities: list[float] = []
        # Of the strategy's own orders: the intent of each number, the number of each intent and of each decision, and
        # when the strategy cancelled what a decision asked for.
        self.intents: dict[int, str] = {}
        self.numbers: dict[str, int] = {}
        self.numbers_by_decision: dict[str, int] = {}
        self.cancelled: dict[str, int] = {}
        self.refused: dict[str, str] = {}  # why the engine refused an order, by the decision that asked for it
        self.fill_bars: list[int | None] = []
        self._engine, self._listings, self._wallet = engine, listings, wallet
        self._interval, self._is_of_trades = every or interval, bool(every)
        self.prediction_ids, self._splits, self._strategy = prediction_ids, splits, strategy
        self.article_ids: Mapping[float, str] = {}
        self._windows: list[deque[int]] = [deque(maxlen=max(1, engine.state.strategy.lookback)) for _ in listings]
        self._articles: list[deque[tuple[int, str]]] = [deque() for _ in listings]
        self._article_window = round(engine.state.strategy.article_window * 1_000_000)
        self._forecast: dict[int, str] = {}
        self._event: Any = None
        self._instant, self._ordinals = 0, [0] * len(listings)
        self._groups: dict[int, str] = {}
        self._group_of: dict[int, int] = {}
        self._decisions: dict[int, str] = {}
        # Orders and groups of lower numbers that are not known here were forgotten with a checkpoint.
        self._first_order, self._first_group = 1, 1

    def see(self, event: Any) -> None:
        """Note the event that is handled next."""
        # A bar joins the window with the event after it: while it is handled itself, `_window` adds it.
        if type(self._event) is Bar:  # and no revision, which is one
            self._windows[self._event.i].append(self._event.open_time)
        self._event = event
        if isinstance(event, Article):
            self._articles[event.i].append((event.time, self.article_ids[event.number]))
        if isinstance(event, Prediction):
            self._forecast[event.i] = self.prediction_ids[event.i, event.time, int(event.model)]

    def decision(
        self, time: int, i: int, previous: float, target: float, order: int, outcome: int, trigger: int
    ) -> None:
        """A decision, with its reason and inputs."""
        super().decision(time, i, previous, target, order, outcome, trigger)
        asked = self._find(order)
        self.quantities.append(asked.quantity if asked else self._engine.account.pending[i] if order else 0.0)
        strategy = self._engine.state.strategy
        explanation = strategy.explain(Timer(time) if trigger == TIMER else self._event, i)
        trigger_id = self._trigger_id(time, trigger)
        inputs: dict[str, Any] = {"trigger": {"kind": KINDS[trigger], "id": trigger_id}}
        opened = self._opened(time, i, trigger)
        if opened and strategy.lookback and not self._is_of_trades:
            inputs["bars"] = self._window(opened, i)
        if strategy.hears_trades() or self._is_of_trades:
            since = time - round(strategy.trade_window * 1_000_000)
            inputs["trades"] = self._heard(min([since, *opened]) if self._is_of_trades else since, time)
        if strategy.hears("on_quote"):
            inputs["quotes"] = self._heard(time - round(strategy.quote_window * 1_000_000), time)
        if strategy.models and i in self._forecast:
            inputs["prediction_id"] = self._forecast[i]
        if articles := self._articles_read(time, i):
            inputs["articles"] = articles
        inputs |= units_of(self._splits, self._listings[i].listing_id)
        inputs["numbers"] = {name: _json(value) for name, value in explanation.numbers.items()}
        made = TradingDecision(
            wallet=self._wallet,
            strategy=self._strategy or strategy.title(),
            i=i,
            listing_id=self._listings[i].listing_id,
            decided_at=moment(time),
            trigger_kind=KINDS[trigger],
            trigger_id=trigger_id,
            ordinal=self._next_ordinal(time, i),
            previous_target=previous,
            target=target,
            reason=explanation.reason,
            inputs=inputs,
        )
        if asked:
            made = self._with_request(made, asked)
            if outcome != ACCEPTED:
                self.refused[made.decision_id] = OUTCOMES[outcome]
        self.made.append(made)

    def order(self, order: int, i: int, quantity: float, time: int, state: int, reason: int) -> None:
        """A state of an order; those of the strategy's own that it cancelled are to be cancelled at the venue."""
        super().order(order, i, quantity, time, state, reason)
        if state == CANCELLED and reason == ASKED_FOR and order in self._decisions:
            self.cancelled[self._decisions[order]] = time

    def fill(
        self, order: int, i: int, quantity: float, price: float, fee: float, filled_at: int, time: int, cash: float
    ) -> None:
        """A fill, and when the bar opened that it was done in."""
        super().fill(order, i, quantity, price, fee, filled_at, time, cash)
        self.fill_bars.append(self._event.open_time if type(self._event) is Bar else None)

    def clear(self) -> None:
        """Forget the decisions and rows so far; what later ones are made of stays."""
        for rows in (self.made, self.quantities, self.fill_bars, self.fills, self.decisions, self.orders):
            rows.clear()
        del self.equity[:], self.gross[:]
        self.cancelled.clear()
        self.refused.clear()

    def memory(self) -> dict[str, Any]:
        """What it goes on from, as plain data; decisions and other rows are not in it."""
        event = self._event
        return {
            "event": event and [type(event).__name__, [getattr(event, name) for name in event.compiled_fields]],
            "windows": [list(window) for window in self._windows],
            "articles": [list(articles) for articles in self._articles],
            "forecast": [*self._forecast.items()],
            "instant": self._instant,
            "ordinals": list(self._ordinals),
            "orders": [
                [number, intent, self._decisions[number], self._group_of.get(number)]
                for number, intent in self.intents.items()
            ],
            "groups": [*self._groups.items()],
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from what `memory` gave; orders that are not in it are forgotten."""
        account = self._engine.account
        self._first_order, self._first_group = account.next_number, account.next_group
        if memory["event"] is not None:
            name, numbers = memory["event"]
            self._event = EVENTS[name](*numbers)
        for window, opened in zip(self._windows, memory["windows"], strict=True):
            window.extend(opened)
        for heard, articles in zip(self._articles, memory["articles"], strict=True):
            heard.extend((time, article) for time, article in articles)
        self._forecast = dict(memory["forecast"])
        self._instant, self._ordinals = memory["instant"], memory["ordinals"]
        self._groups = dict(memory["groups"])
        for number, intent, decision_id, group in memory["orders"]:
            self.intents[number], self.numbers[intent] = intent, number
            self._decisions[number], self.numbers_by_decision[decision_id] = decision_id, number
            if group is not None:
                self._group_of[number] = group

    def _find(self, number: int) -> EngineOrder | None:
        """The strategy's own order of that number; None where the number is that of an order for a target."""
        account = self._engine.account
        orders = (account.orders[account.queue[place]] for place in range(account.count))
        return next((order for order in orders if order.number == number), None) if number else None

    def _next_ordinal(self, time: int, i: int) -> int:
        if time != self._instant:
            self._instant, self._ordinals = time, [0] * len(self._listings)
        self._ordinals[i] += 1
        return self._ordinals[i] - 1

    def _with_request(self, made: TradingDecision, order: EngineOrder) -> TradingDecision:
        """The decision with its order in exact numbers; one whose size is no number was refused, and has none."""
        intent = self.intents[order.number] = made.intent_id()
        self.numbers[intent] = self.numbers_by_decision[made.decision_id] = order.number
        self._decisions[order.number] = made.decision_id
        group = self._group(order, intent) if order.group else None
        if not math.isfinite(order.quantity):
            return made
        terms = OrderTerms(
            limit=_price(order.limit),
            stop=_price(order.stop),
            trail=_price(order.trail),
            time_in_force=TIMES_IN_FORCE[order.time_in_force],
            auction=AUCTIONS.get(order.on),
            reduce_only=order.reduce_only,
            group=group,
            parent_id=self._parent(order.parent),
        )
        return replace(made, request=OrderRequest(exact(order.quantity), terms))

    def _group(self, order: EngineOrder, intent: str) -> str:
        if order.group not in self._groups and order.group < self._first_group:
            raise ForgottenOrder(f"group {order.group}")
        self._group_of[order.number] = order.group
        return self._groups.setdefault(order.group, intent)

    def _parent(self, number: int) -> str | None:
        if 0 < number < self._first_order and number not in self.intents:
            raise ForgottenOrder(f"order {number}")
        return self.intents.get(number)

    def _trigger_id(self, time: int, trigger: int) -> str:
        event = self._event
        if trigger == TIMER:
            return f"timer@{stamp(moment(time))}"
        if isinstance(event, Bar):
            return f"{self._interval}@{stamp(moment(event.open_time))}"
        if isinstance(event, Prediction):
            return self._forecast[event.i]
        return f"{KINDS[trigger]}@{stamp(moment(time))}"

    def _opened(self, time: int, i: int, trigger: int) -> list[int]:
        """When the bars opened that the strategy may have read of a listing; a timer comes after its instant's bars."""
        opened = list(self._windows[i])
        event = self._event
        # The timer fires when the next instant's first event is at hand, which is no part of it.
        if type(event) is Bar and event.i == i and (trigger != TIMER or event.time == time):
            opened.append(event.open_time)
        return opened[-max(1, self._engine.state.strategy.lookback) :]

    def _window(self, opened: Sequence[int], i: int) -> dict[str, Any]:
        """What a decision says of the bars that it read."""
        return {
            "listing_id": self._listings[i].listing_id,
            "interval": self._interval,
            "first_open_time": stamp(moment(opened[0])),
            "last_open_time": stamp(moment(opened[-1])),
        }

    def _articles_read(self, time: int, i: int) -> list[str]:
        """The articles of the listing that the strategy may have read, oldest first."""
        articles = self._articles[i]
        while articles and articles[0][0] < time - self._article_window:
            articles.popleft()
        return [article for _, article in articles]

    def _heard(self, since: int, time: int) -> dict[str, Any]:
        """The trades or quotes that the strategy may have read: those of all listings from a time to another."""
        return {
            "listing_ids": [listing.listing_id for listing in self._listings],
            "heard_from": stamp(moment(since)),
            "heard_to": stamp(moment(time)),
        }


def units_of(splits: Sequence[Split], listing_id: int) -> dict[str, int]:
    """What a decision's inputs say of the units that it is in: the count of the listing's splits that are taken in."""
    count = sum(split.listing_id == listing_id for split in splits)
    return {"splits": count} if count else {}


def _json(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


def _price(value: float) -> Decimal | None:
    return exact(value) if math.isfinite(value) else None
