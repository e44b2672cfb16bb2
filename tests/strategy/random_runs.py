"""Random events, terms and strategies; the shape of what is run is always the same, so that it is compiled once."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from hypothesis import strategies as st

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.gate import Gate
from strades_pipelines.market.fees import MakerTakerFee
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    Article,
    Bar,
    BarRevision,
    CorporateAction,
    Fill,
    Gap,
    OrderChange,
    Prediction,
    Quote,
    Rate,
    RecordedFill,
    Trade,
)
from strades_pipelines.strategy.orders import NOT_GIVEN
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.both import Terms
from tests.strategy.builders import MINUTE_US, START_US

SIZE = 3
# Fills that come as events are of orders that nobody made here.
RECORDED_FROM = 1000.0
# What a rule looks at, and what it does.
CHANGE, POSITION, CASH, COUNT, FORECAST, FILLED = range(6)
TARGET, WEIGHT, MARKET, LIMIT, STOP, TRAIL, BRACKET, CANCEL_ALL, PAIR = range(9)
HOOKS = 4
WIDTH = 10


class Rules(Strategy):
    """Rules as numbers: in a hook, when a feature is above a threshold, an action on an instrument.

    A rule is hook, feature, threshold, action, instrument, size, distance (a part of the price), time in force, when
    (any, on open, on close), reduce-only.
    """

    name: ClassVar[str] = "rules"

    def __init__(self, rules: list[tuple[float, ...]]) -> None:
        super().__init__()
        self.rules = [float(number) for rule in rules for number in rule] or [-1.0] * WIDTH
        self.count = len(self.rules) // WIDTH
        self.last = [1.0] * SIZE
        self.change = 0.0
        self.calls = 0
        self.forecast = 0.0
        self.filled = 0.0
        self.heard = 0.0

    def see(self, i: int, price: float) -> None:
        self.change = price / self.last[i] - 1.0
        self.last[i] = price

    def feature(self, which: float, i: int, account: Account) -> float:
        if which == CHANGE:
            return self.change
        if which == POSITION:
            return account.position[i]
        if which == CASH:
            return account.cash / 1000.0 - 1.0
        if which == COUNT:
            return float(self.calls % 3) - 1.0
        return self.forecast if which == FORECAST else self.filled

    @cold
    def play(self, hook: int, account: Account) -> None:
        self.calls += 1
        for k in range(self.count):
            r = k * WIDTH
            i = int(self.rules[r + 4])
            if self.rules[r] == hook and self.feature(self.rules[r + 1], i, account) > self.rules[r + 2]:
                self.act(r, i, account)

    @cold
    def act(self, r: int, i: int, account: Account) -> None:
        rules = self.rules
        action = rules[r + 3]
        size = rules[r + 5]
        price = account.price[i]
        away = price * rules[r + 6] * (1.0 if size > 0.0 else -1.0)
        force = int(rules[r + 7])
        on = int(rules[r + 8])
        less = rules[r + 9] != 0.0
        if action == TARGET:
            account.target[i] = size
        elif action == WEIGHT:
            account.set_weight(i, 0.2 * size)
        elif action == CANCEL_ALL:
            account.cancel_all(i)
        elif price != price or account.count > 8:
            self.heard += 1.0
        elif action == MARKET:
            account.order(i, size, time_in_force=force, on=on, reduce_only=less)
        elif action == LIMIT:
            account.order(i, size, limit=price - away, time_in_force=force, on=on, reduce_only=less)
        elif action == STOP:
            account.order(i, size, stop=price + away, limit=price + 2.0 * away, time_in_force=force, reduce_only=less)
        elif action == TRAIL:
            account.order(i, size, trail=abs(away) + 0.25, time_in_force=force, reduce_only=less)
        elif action == BRACKET:
            account.bracket(i, size, price - 2.0 * away, price + away, price - away if less else NOT_GIVEN)
        else:
            group = account.new_group()
            account.order(i, size, stop=price + away, group=group, time_in_force=force)
            account.order(i, -size, stop=price - away, group=group, time_in_force=force)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.see(bar.i, bar.close)
        self.play(0, account)

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.see(trade.i, trade.price)
        self.play(0, account)

    def on_quote(self, quote: Quote, account: Account) -> None:
        self.see(quote.i, quote.bid)
        self.play(0, account)

    def on_prediction(self, prediction: Prediction, account: Account) -> None:
        self.forecast = prediction.value
        self.play(0, account)

    def on_gap(self, gap: Gap, account: Account) -> None:
        self.heard += gap.count

    def on_article(self, article: Article, account: Account) -> None:
        self.heard += article.tone

    def on_bar_revision(self, bar: BarRevision, account: Account) -> None:
        self.heard += bar.close

    def on_corporate_action(self, action: CorporateAction, account: Account) -> None:
        self.play(0, account)

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.filled = fill.quantity
        self.play(1, account)

    def on_order(self, change: OrderChange, account: Account) -> None:
        self.heard += change.reason
        if self.calls % 4 == 0:
            self.play(2, account)
        else:
            self.calls += 1

    def on_timer(self, time: int, account: Account) -> None:
        self.play(3, account)


SIZES = (1.0, -1.0, 2.0, -3.0, 0.5, 0.0, 4.0, 40.0)
# What each number of a rule is chosen from.
RULE = (
    (0, 0, 0, 0, 1, 2, 3),
    (COUNT, CHANGE, CHANGE, POSITION, CASH, FORECAST, FILLED),
    (-2.0, -0.01, 0.0, 0.01, -0.5, 0.5),
    (TARGET, BRACKET, MARKET, LIMIT, STOP, TARGET, TRAIL, PAIR, WEIGHT, CANCEL_ALL),
    (0, 0, 0, 0, 1, 2),
    SIZES,
    (0.05, 0.01, 0.0, 0.2),
    (0, 0, 0, 1, 2, 3),
    (0, 0, 0, 1, 2),
    (0, 0, 0, 1),
)


class Choices:
    """Choices read from one whole number, the first from its last digits: 0 is the first of each.

    A number an event in place of one a choice: to draw them would take longer than to run them.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def of(self, values: Sequence[Any]) -> Any:
        """The next choice."""
        self.number, place = divmod(self.number, len(values))
        return values[place]


# Of bytes, which are drawn evenly; whole numbers of so wide a range mostly would be small.
CHOICES = st.binary(min_size=8, max_size=8).map(lambda drawn: Choices(int.from_bytes(drawn)))
RULES = st.lists(CHOICES.map(lambda chosen: tuple(map(chosen.of, RULE))), min_size=2, max_size=6)
PRICES = tuple(n / 4 for n in range(36, 45))
VOLUMES = (0.0, 2.0, 10.0, 100.0)
INDICES = (0, 0, 0, 0, 1, 2)
STEPS = (1, 1, 1, 1, 0, 2, 1, 1, 0, 2000)  # minutes from one event to the next


def _bar(cls: type, time: int, chosen: Choices) -> Any:
    i, volume = chosen.of(INDICES), chosen.of(VOLUMES) if cls is Bar else 1.0
    prices = [chosen.of(PRICES) for _ in range(4)]
    return cls(i, time, time - MINUTE_US, prices[0], max(prices), min(prices), prices[1], volume)


def _quote(time: int, chosen: Choices) -> Quote:
    i, price, spread, volume = (chosen.of(values) for values in (INDICES, PRICES, (0.0, 0.25, 0.5), VOLUMES))
    return Quote(i, time, price, volume, price + spread, 2 * volume)


def _action(time: int, chosen: Choices) -> CorporateAction:
    # One microsecond later than the others: what comes of it is told apart from the fills of its minute.
    ratio, amount, ends = (chosen.of(values) for values in ((1.0, 2.0, 0.5, 1.5), (0.0, 0.25), (0.0, 0.0, 0.0, 1.0)))
    return CorporateAction(chosen.of(INDICES), time + 1, ratio, amount, ends)


def _recorded(time: int, chosen: Choices) -> RecordedFill:
    i, quantity, price, n = (chosen.of(values) for values in (INDICES, (-2.0, 1.0, 3.0), PRICES, range(10)))
    return RecordedFill(i, time, time, RECORDED_FROM + n, quantity, price, 0.125)


MAKERS: dict[str, Callable[[int, Choices], Any]] = {
    "bar": lambda time, chosen: _bar(Bar, time, chosen),
    "trade": lambda time, chosen: Trade(chosen.of(INDICES), time, chosen.of(PRICES), chosen.of(VOLUMES), 1.0),
    "quote": _quote,
    "prediction": lambda time, chosen: Prediction(chosen.of(INDICES), time, chosen.of((-1.0, 0.0, 1.0)), 0.0),
    "gap": lambda time, chosen: Gap(chosen.of(INDICES), time, time - 5, 2.0),
    "article": lambda time, chosen: Article(chosen.of(INDICES), time, 0.5, 7.0),
    "revision": lambda time, chosen: _bar(BarRevision, time, chosen),
    "action": _action,
    "recorded": _recorded,
    "rate": lambda time, chosen: Rate(1, time, chosen.of((0.1, 0.125)), chosen.of((0.1, 0.2))),
}


@st.composite
def event_lists(draw: st.DrawFn, *kinds: str) -> list[Any]:
    """Up to 50 events, mostly bars, several at the same time; gaps of days between some."""
    makers = [MAKERS[kind] for kind in [*["bar"] * 8, *(kinds or tuple(MAKERS))]]
    time, events = START_US, []
    acted: set[tuple[int, int]] = set()
    for chosen in draw(st.lists(CHOICES, min_size=10, max_size=50)):
        time += chosen.of(STEPS) * MINUTE_US
        event = chosen.of(makers)(time, chosen)
        # One action of an instrument at a time, since the outcome of each is derived from its fills alone.
        if not (isinstance(event, CorporateAction) and (event.i, event.time) in acted):
            events.append(event)
        if isinstance(event, CorporateAction):
            acted.add((event.i, event.time))
    return events


def one_of_each_kind(time: int) -> list[Any]:
    """An event of each kind at a time after all others: so that code for every kind is compiled, once."""
    bar = 0, time, time - MINUTE_US, 10.0, 10.5, 9.5, 10.0, 5.0
    return [
        Trade(0, time, 10.0, 1.0, 1.0),
        Quote(0, time, 10.0, 1.0, 10.25, 1.0),
        Bar(*bar),
        BarRevision(*bar),
        Gap(0, time, time, 1.0),
        Prediction(0, time, 1.0, 0.0),
        Article(0, time, 1.0, 1.0),
        CorporateAction(0, time, 1.0, 0.0, 0.0),
        Rate(1, time, 0.1, 0.125),
        RecordedFill(0, time, time, RECORDED_FROM, 1.0, 10.0, 0.0),
    ]


def in_euros(account: Account, gate: Gate) -> None:
    """Instrument 1 is in another currency."""
    account.converts = True
    account.rate[1] = account.unit[1] = 0.1


ENDLESS = float("inf")
FILLS = {
    "fill": (0, 0, 0, 1, 2),
    "participation": (0.25, 1.0, 1e12),
    "spread": (0.0, 0.01),
    "impact": (0.0, 0.1),
    "latency": (0, 0, 1, MINUTE_US),
    "best_path": (False, True),
}
LIMITS = {
    "allow_short": (True, True, False),
    "leverage": (ENDLESS, 2.0, 1.0),
    "max_weight": (ENDLESS, ENDLESS, 0.5),
    "lot": (0.0, 0.1, 0.5),
    "margin": (0.0, 0.0, 0.5),
    "max_orders_per_minute": (ENDLESS, ENDLESS, 3.0),
    "price_collar": (ENDLESS, 0.1),
    "max_order_units": (ENDLESS, 3.0),
    "max_net": (ENDLESS, 500.0),
    "max_price_age": (ENDLESS, 3600.0),
    # Always some number: whether equity is tracked is a part of the code.
    "max_daily_loss": (1e9, 0.01),
    "max_drawdown": (1e9, 0.05),
}
REST = {"financing": (1e-9, 0.5), "borrowing": (0.0, 0.5)}


def terms(**fixed: Any) -> st.SearchStrategy[Terms]:
    """Terms of trade whose parts are always of the same classes; volume always counts."""

    def made(chosen: Choices) -> Terms:
        fills, limits, rest = (
            {name: chosen.of(values) for name, values in each.items()} for each in (FILLS, LIMITS, REST)
        )
        parts: dict[str, Any] = {
            "size": SIZE,
            "fills": fills,
            "limits": limits,
            "rest": rest,
            "prepare": in_euros,
        } | fixed
        return Terms(fee=lambda: MakerTakerFee(-0.0001, 0.001), **parts)

    return CHOICES.map(made)
