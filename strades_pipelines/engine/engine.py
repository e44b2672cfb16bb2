"""The engine: one strategy, its account, and the broker that fills its orders, stepped event by event.

Everything here is plain classes over numbers: run as it is for each event, compiled for many, to the bit the same.
"""

import math
from collections.abc import Callable

from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.corporate_action_effects import CorporateActionEffects
from strades_pipelines.engine.explicit_orders import ExplicitOrders
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.journal import Journal
from strades_pipelines.engine.margin_calls import MarginCalls
from strades_pipelines.engine.order_fills import OrderFills
from strades_pipelines.engine.quiet_bands import QuietBands
from strades_pipelines.engine.simulated_broker import OF_BAR, OF_TRADE, SimulatedBroker
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.strategy_requests import StrategyRequests
from strades_pipelines.engine.targets import Targets
from strades_pipelines.engine.valuation import Valuation
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import (
    ACTION,
    ARTICLE,
    BAR,
    BEGINNING,
    GAP,
    PREDICTION,
    QUOTE,
    RECORDED_FILL,
    REVISION,
    TIMER,
    TRADE,
    Article,
    Bar,
    BarRevision,
    CorporateAction,
    Gap,
    Prediction,
    Quote,
    Rate,
    RecordedFill,
    Trade,
)
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic


class Engine:
    """Steps one strategy through events in their total order.

    On a bar: the fills of its instrument's orders, each told to the strategy; then the bar itself; then a decision for
    what the strategy changed, and the orders it made. When the next instant begins: the timer, the decisions of all
    instruments, and the account's value. A target that was refused is not tried again until it changes, but for one
    that a tactic held back; where a position was to be turned and may only be closed, it is closed.

    Until `opened_at` (microseconds UTC) nothing is decided: the strategy warms up.

    It is made of parts over one state, each of which owns what it keeps: `docs/architecture.md` has the picture.

    Args:
        financing: interest a year on borrowed cash, as a part.
        borrowing: the fee a year for borrowed units, as a part of their value.
        keeps_values: whether the account's value at each instant goes into the journal.
        is_backtest: whether the rules of a backtest hold; replay and paper have those of the exact gate.
        targets: makes the part that decides on targets, where a session has another way to.
    """

    def __init__(
        self,
        strategy: Strategy,
        account: Account,
        broker: SimulatedBroker,
        gate: Gate,
        *,
        tactics: tuple[Tactic, ...] = (),
        opened_at: int = BEGINNING,
        financing: float = 0.0,
        borrowing: float = 0.0,
        keeps_values: bool = True,
        is_backtest: bool = False,
        targets: Callable[[EngineState, CashRules], Targets] = Targets,
    ) -> None:
        state = self.state = EngineState(
            strategy, account, broker, gate, tactics=tactics, opened_at=opened_at, waits_for_price=is_backtest
        )
        self.cash_rules = CashRules(state, is_backtest=is_backtest)
        self.targets = targets(state, self.cash_rules)
        self.quiet_bands = QuietBands(state)
        self.explicit_orders = ExplicitOrders(state, self.cash_rules, self.targets, self.quiet_bands)
        self.order_fills = OrderFills(state, self.cash_rules, self.targets, self.quiet_bands, self.explicit_orders)
        self.corporate_action_effects = CorporateActionEffects(
            state, self.targets, self.quiet_bands, self.explicit_orders
        )
        self.margin_calls = MarginCalls(
            state, self.targets, self.explicit_orders, is_supervised=is_backtest and account.cash > 0.0
        )
        self.valuation = Valuation(
            state, self.margin_calls, financing=financing, borrowing=borrowing, keeps_values=keeps_values
        )
        self.strategy_requests = StrategyRequests(state, self.cash_rules, self.targets, self.explicit_orders)

    @property
    def account(self) -> Account:
        """The account that is stepped."""
        return self.state.account

    @property
    def journal(self) -> Journal:
        """What was written down so far."""
        return self.state.journal

    def on_bar(self, bar: Bar) -> None:
        """A final bar."""
        state = self.state
        account = state.account
        i = bar.i
        if bar.time > account.now:
            self.advance(bar.time)
        if state.measures:
            state.measure_volume(i, bar.volume)
        # Orders fill before the strategy runs: a decision at this bar's close must not fill inside the bar.
        if account.waiting[i] > 0 and self.quiet_bands.touches_any_order(bar):
            self.order_fills.fill_waiting(bar, OF_BAR)
        account.price[i] = bar.close
        account.price_time[i] = bar.time
        for tactic in state.tactics:
            tactic.on_bar(bar, account)
        state.strategy.on_aggregate_bar(bar, account)
        self.strategy_requests.process(i, BAR)

    def is_busy(self, bar: Bar) -> bool:
        """Whether orders may be done on a bar or are to be looked at; compiled code keeps these bars apart."""
        state = self.state
        return state.account.new_orders > 0 or state.account.waiting[bar.i] > 0

    def start(self) -> None:
        """Before the first event: the strategy makes its state; what it wants already waits for the first price."""
        state = self.state
        state.strategy.on_start(state.account)

    def end_last_instant(self) -> None:
        """After the last event: its instant is over, and what still waits for a price is refused."""
        state = self.state
        if state.account.now > BEGINNING:
            self.end_instant()
            state.waits_for_price = False
            self.strategy_requests.process_postponed()
            if state.account.wishes > 0:
                self.targets.refuse_wishes()

    def stop(self) -> None:
        """After the end."""
        state = self.state
        state.strategy.on_stop(state.account)

    def on_trade(self, trade: Trade) -> None:
        """A trade of others: it marks the price, and fills as a bar of this one price would."""
        state = self.state
        account = state.account
        i = trade.i
        if trade.time > account.now:
            self.advance(trade.time)
        if state.measures:
            state.measure_volume(i, trade.size)
        if account.waiting[i] > 0:
            price = trade.price
            self.order_fills.fill_waiting(
                Bar(i, trade.time, trade.time, price, price, price, price, trade.size), OF_TRADE
            )
        account.price[i] = trade.price
        account.price_time[i] = trade.time
        state.strategy.on_trade(trade, account)
        self.strategy_requests.process(i, TRADE)

    def on_quote(self, quote: Quote) -> None:
        """A quote: it marks the middle; purchases are done at the ask, sales at the bid."""
        state = self.state
        account = state.account
        i = quote.i
        if quote.time > account.now:
            self.advance(quote.time)
        if state.measures:
            state.measure_volume(i, min(quote.bid_size, quote.ask_size))
        if account.waiting[i] > 0:
            self.order_fills.fill_from_quote(quote)
        account.price[i] = 0.5 * (quote.bid + quote.ask)
        account.price_time[i] = quote.time
        self.targets.half_spread[i] = 0.5 * (quote.ask - quote.bid)
        self.targets.quote_time[i] = quote.time
        state.strategy.on_quote(quote, account)
        self.strategy_requests.process(i, QUOTE)

    def on_prediction(self, prediction: Prediction) -> None:
        """A forecast."""
        state = self.state
        if prediction.time > state.account.now:
            self.advance(prediction.time)
        state.strategy.on_prediction(prediction, state.account)
        self.strategy_requests.process(prediction.i, PREDICTION)

    def on_article(self, article: Article) -> None:
        """News."""
        state = self.state
        if article.time > state.account.now:
            self.advance(article.time)
        state.strategy.on_article(article, state.account)
        self.strategy_requests.process(article.i, ARTICLE)

    def on_gap(self, gap: Gap) -> None:
        """Bars are missing."""
        state = self.state
        if gap.time > state.account.now:
            self.advance(gap.time)
        state.strategy.on_gap(gap, state.account)
        self.strategy_requests.process(gap.i, GAP)

    def on_bar_revision(self, bar: BarRevision) -> None:
        """A past bar has another value: nothing is filled on it."""
        state = self.state
        if bar.time > state.account.now:
            self.advance(bar.time)
        state.strategy.on_bar_revision(bar, state.account)
        self.strategy_requests.process(bar.i, REVISION)

    def on_rate(self, rate: Rate) -> None:
        """What the currency of an instrument is worth: its fills of this instant know when they were done."""
        state = self.state
        account = state.account
        i = rate.i
        if rate.time > account.now:
            self.advance(rate.time)
        state.opening_rate[i] = rate.opening
        state.closing_rate[i] = rate.closing
        state.use_rate(i, account.now)

    def on_corporate_action(self, action: CorporateAction) -> None:
        """A split, a dividend, or the end of a listing: the account and its orders change before the strategy hears."""
        state = self.state
        account = state.account
        i = action.i
        if action.time > account.now:
            self.advance(action.time)
        # The split first: the dividend of the same event is per unit after it.
        if action.ratio != 1.0:
            self.corporate_action_effects.split(i, action.ratio)
        if action.amount != 0.0:
            self.corporate_action_effects.pay_dividend(i, action.amount)
        if action.ends != 0.0:
            self.corporate_action_effects.delist(i)
        state.strategy.on_corporate_action(action, account)
        self.strategy_requests.process(i, ACTION)

    def on_recorded_fill(self, fill: RecordedFill) -> None:
        """What was really filled: the account takes it, the strategy hears of it."""
        state = self.state
        account = state.account
        i = fill.i
        if fill.time > account.now:
            self.advance(fill.time)
        cost = (fill.quantity * fill.price * account.multiplier[i] + fill.fee) * account.rate[i]
        number = int(fill.order)
        # Without any price yet, the position would be worth NaN, and with it the whole account.
        if math.isnan(account.price[i]):
            account.price[i] = fill.price
        state.apply_fill(i, fill.quantity, fill.price, cost)
        self.explicit_orders.reduce_by_recorded_fill(i, number, fill.quantity, fill.price)
        state.publish_fill(i, number, fill.quantity, fill.price, fill.fee, fill.filled_at)
        self.strategy_requests.process(i, RECORDED_FILL)

    def advance(self, time: int) -> None:
        """Let the clock go on to a later instant; what belongs to the one before is done first."""
        state = self.state
        account = state.account
        if account.now > BEGINNING:
            self.end_instant()
            if self.valuation.accrues:
                self.valuation.accrue(time)
        account.now = time

    def end_instant(self) -> None:
        """Every event of the instant is in: the timer, what it changed, and the account's value."""
        state = self.state
        account = state.account
        cash_rules = self.cash_rules
        if cash_rules.shares_cash and cash_rules.unpaid_count > 0:
            cash_rules.is_instant_over = True
            self.order_fills.pay()
            cash_rules.is_instant_over = False
        state.strategy.on_timer(account.now, account)
        if self.strategy_requests.are_for_any and (len(state.tactics) > 0 or self.strategy_requests.are_new()):
            self.strategy_requests.process_all()
        if account.new_orders > 0:
            self.explicit_orders.admit(TIMER)
        if cash_rules.shares_cash and (self.targets.postponed or self.explicit_orders.unanswered > 0):
            self.strategy_requests.process_postponed()
        if account.now >= state.opened_at:
            self.valuation.record()
