"""The engine: one strategy, its account, and the broker that fills its orders, stepped event by event.

Everything here is plain classes over numbers: run as it is for each event, compiled for many, to the bit the same.
"""

import math

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.margin_calls import Supervision
from strades_pipelines.engine.simulated_broker import OF_BAR, OF_QUOTE, OF_TRADE, RECORDED
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
from strades_pipelines.strategy.orders import AT_CLOSE, OPEN


class Engine(Supervision):
    """Steps one strategy through events in their total order.

    On a bar: the fills of its instrument's orders, each told to the strategy; then the bar itself; then a decision for
    what the strategy changed, and the orders it made. When the next instant begins: the timer, the decisions of all
    instruments, and the account's value. A target that was refused is not tried again until it changes, but for one
    that a tactic held back; where a
    position was to be turned and may only be closed, it is closed. Until `opened_at` (microseconds UTC) nothing is
    decided: the strategy warms up.
    """

    def on_bar(self, bar: Bar) -> None:
        """A final bar."""
        account = self.account
        i = bar.i
        if bar.time > account.now:
            self.advance(bar.time)
        if self.measures:
            self.measure(i, bar.volume)
        if account.waiting[i] > 0 and self.is_met(bar):
            self.fill_waiting(bar, OF_BAR)
        account.price[i] = bar.close
        account.price_time[i] = bar.time
        for tactic in self.tactics:
            tactic.on_bar(bar, account)
        self.strategy.on_aggregate_bar(bar, account)
        self.look(i, BAR)

    def is_busy(self, bar: Bar) -> bool:
        """Whether orders may be done on a bar or are to be looked at; compiled code keeps these bars apart."""
        return self.account.new_orders > 0 or self.account.waiting[bar.i] > 0

    def start(self) -> None:
        """Before the first event: the strategy makes its state; what it wants already waits for the first price."""
        self.strategy.on_start(self.account)

    def end_last_instant(self) -> None:
        """After the last event: its instant is over, and what still waits for a price is refused."""
        if self.account.now > BEGINNING:
            self.end_instant()
            self.waits_for_price = False
            self.end_requests()
            if self.account.wishes > 0:
                self.refuse_wishes()

    def stop(self) -> None:
        """After the end."""
        self.strategy.on_stop(self.account)

    def on_trade(self, trade: Trade) -> None:
        """A trade of others: it marks the price, and fills as a bar of this one price would."""
        account = self.account
        i = trade.i
        if trade.time > account.now:
            self.advance(trade.time)
        if self.measures:
            self.measure(i, trade.size)
        if account.waiting[i] > 0:
            price = trade.price
            self.fill_waiting(Bar(i, trade.time, trade.time, price, price, price, price, trade.size), OF_TRADE)
        account.price[i] = trade.price
        account.price_time[i] = trade.time
        self.strategy.on_trade(trade, account)
        self.look(i, TRADE)

    def on_quote(self, quote: Quote) -> None:
        """A quote: it marks the middle; purchases are done at the ask, sales at the bid."""
        account = self.account
        i = quote.i
        if quote.time > account.now:
            self.advance(quote.time)
        if self.measures:
            self.measure(i, min(quote.bid_size, quote.ask_size))
        if account.waiting[i] > 0:
            self.fill_from_quote(quote)
        account.price[i] = 0.5 * (quote.bid + quote.ask)
        account.price_time[i] = quote.time
        self.half_spread[i] = 0.5 * (quote.ask - quote.bid)
        self.quote_time[i] = quote.time
        self.strategy.on_quote(quote, account)
        self.look(i, QUOTE)

    def on_prediction(self, prediction: Prediction) -> None:
        """A forecast."""
        if prediction.time > self.account.now:
            self.advance(prediction.time)
        self.strategy.on_prediction(prediction, self.account)
        self.look(prediction.i, PREDICTION)

    def on_article(self, article: Article) -> None:
        """News."""
        if article.time > self.account.now:
            self.advance(article.time)
        self.strategy.on_article(article, self.account)
        self.look(article.i, ARTICLE)

    def on_gap(self, gap: Gap) -> None:
        """Bars are missing."""
        if gap.time > self.account.now:
            self.advance(gap.time)
        self.strategy.on_gap(gap, self.account)
        self.look(gap.i, GAP)

    def on_bar_revision(self, bar: BarRevision) -> None:
        """A past bar has another value: nothing is filled on it."""
        if bar.time > self.account.now:
            self.advance(bar.time)
        self.strategy.on_bar_revision(bar, self.account)
        self.look(bar.i, REVISION)

    def on_rate(self, rate: Rate) -> None:
        """What the currency of an instrument is worth: its fills of this instant know when they were done."""
        account = self.account
        i = rate.i
        if rate.time > account.now:
            self.advance(rate.time)
        self.opening_rate[i] = rate.opening
        self.closing_rate[i] = rate.closing
        self.use_rate(i, account.now)

    def on_corporate_action(self, action: CorporateAction) -> None:
        """A split, a dividend, or the end of a listing: the account and its orders change before the strategy hears."""
        account = self.account
        i = action.i
        if action.time > account.now:
            self.advance(action.time)
        if action.ratio != 1.0:
            self.split(i, action.ratio)
        if action.amount != 0.0:
            self.pay_dividend(i, action.amount)
        if action.ends != 0.0:
            self.delist(i)
        self.strategy.on_corporate_action(action, account)
        self.look(i, ACTION)

    @rarely
    def fill_from_quote(self, quote: Quote) -> None:
        """Purchases at the ask, then sales at the bid; decisions on the quote find what the smaller side has left."""
        account = self.account
        i = quote.i
        time = quote.time
        price = quote.ask
        self.side = 1
        if self.measures:
            self.measure(i, quote.ask_size)
        self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.ask_size), OF_QUOTE)
        asked = self.left[i]
        price = quote.bid
        self.side = -1
        if self.measures:
            self.measure(i, quote.bid_size)
        if account.waiting[i] > 0:
            self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.bid_size), OF_QUOTE)
        self.left[i] = min(self.left[i], asked)
        self.side = 0

    def on_recorded_fill(self, fill: RecordedFill) -> None:
        """What was really filled: the account takes it, the strategy hears of it."""
        account = self.account
        i = fill.i
        if fill.time > account.now:
            self.advance(fill.time)
        cost = (fill.quantity * fill.price * account.multiplier[i] + fill.fee) * account.rate[i]
        number = int(fill.order)
        if math.isnan(account.price[i]):
            account.price[i] = fill.price
        self.take(i, fill.quantity, fill.price, cost)
        self.done_elsewhere(i, number, fill.quantity, fill.price)
        self.tell(i, number, fill.quantity, fill.price, fill.fee, fill.filled_at)
        self.look(i, RECORDED_FILL)

    @rarely
    def done_elsewhere(self, i: int, number: int, quantity: float, price: float) -> None:
        """An order has less to do; one that is whole is over."""
        account = self.account
        if account.pending[i] != 0.0 and account.pending_number[i] == number:
            self.shrink_target(i, account.pending[i], quantity)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.number == number and order.state == OPEN:
                self.shrink(order, quantity)
                self.release(order, abs(quantity), price, AT_CLOSE, account.now)
        self.compact()

    @rarely
    def fill_waiting(self, bar: Bar, source: int) -> None:
        """Fill what the bar fills of its instrument's orders: the one for the target first."""
        account = self.account
        i = bar.i
        if self.broker.fill == RECORDED:
            return
        if account.pending[i] != 0.0:
            if account.pending_from[i] <= bar.open_time and self.side * account.pending[i] >= 0.0:
                self.fill_target(i, bar.open, bar.open_time)
            if account.waiting[i] > (1 if account.pending[i] != 0.0 else 0):
                self.match(bar, source)
        else:
            self.match(bar, source)
        if self.converts:
            self.use_rate(i, account.now)

    def look(self, i: int, trigger: int) -> None:
        """Take up what the strategy asked for in instrument `i`."""
        account = self.account
        if account.new_orders > 0:
            self.admit(trigger)
        target = account.target[i]
        if len(self.tactics) > 0:
            target = self.aimed(i)
        if target != account.decided[i]:
            self.decide(i, target, trigger)

    def advance(self, time: int) -> None:
        """Let the clock go on to a later instant; what belongs to the one before is done first."""
        account = self.account
        if account.now > BEGINNING:
            self.end_instant()
            if self.accrues:
                self.accrue(time)
        account.now = time

    def end_instant(self) -> None:
        """Every event of the instant is in: the timer, what it changed, and the account's value."""
        account = self.account
        if self.shares_cash and self.unpaid_count > 0:
            self.is_instant_over = True
            self.pay()
            self.is_instant_over = False
        self.strategy.on_timer(account.now, account)
        if self.looks_around and (len(self.tactics) > 0 or self.is_asked()):
            self.look_around()
        if account.new_orders > 0:
            self.admit(TIMER)
        if self.shares_cash and (self.postponed or self.unanswered > 0):
            self.end_requests()
        if account.now >= self.opened_at:
            self.value()

    @rarely
    def end_requests(self) -> None:
        """Every sale of the instant is known: what purchases waited for is there, or is not."""
        self.is_instant_over = True
        self.postponed = False
        self.look_around()
        if self.account.new_orders > 0:
            self.admit(TIMER)
        self.is_instant_over = False

    def is_asked(self) -> bool:
        """Whether a target is not the one decided on; one by one, since lists of the same NaN are equal to Python."""
        target = self.account.target
        decided = self.account.decided
        for i in range(self.account.size):  # noqa: SIM110 (what is compiled has plain loops)
            if target[i] != decided[i]:
                return True
        return False

    @rarely
    def look_around(self) -> None:
        """Take up what the strategy asked for in instruments whose own event had passed."""
        for i in range(self.account.size):
            if len(self.tactics) > 0 or self.account.target[i] != self.account.decided[i]:
                self.look(i, TIMER)
