"""The engine: one strategy, its account, and the broker that fills its orders, stepped event by event.

Everything here is plain classes over numbers: run as it is for each event, compiled for many, to the bit the same.
"""

import math
from typing import ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.broker import (
    OF_BAR,
    OF_QUOTE,
    OF_TRADE,
    RECORDED,
    SAME_CLOSE,
    SimulatedBroker,
)
from strades_pipelines.strategy.compiler.rare import rarely
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
    Fill,
    Gap,
    OrderChange,
    Prediction,
    Quote,
    RecordedFill,
    Trade,
)
from strades_pipelines.strategy.gate import SLACK, Gate, multiple
from strades_pipelines.strategy.journal import Journal
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    ANY,
    ASKED_FOR,
    AT_CLOSE,
    AT_OPEN,
    AT_TARGET,
    AUCTION_OVER,
    BEFORE_OPENING,
    BELOW_ZERO,
    CANCELLED,
    DAY,
    DAY_OVER,
    DELISTED,
    EXPIRED,
    FILLED,
    FOK,
    FREE,
    INSUFFICIENT_CASH,
    IOC,
    LOT_PRECISION,
    NEVER,
    NEW,
    NO_PRICE,
    NOT_FINITE,
    NOT_IMMEDIATE,
    NOT_REDUCING,
    NOT_WHOLE,
    OPEN,
    OTHER_DONE,
    REJECTED,
    SUPERSEDED,
    UNSET,
    WAITING,
    Order,
)
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic

DAY_LENGTH = 86_400_000_000
YEAR = 365.25 * DAY_LENGTH


class Engine:
    """Steps one strategy through events in their total order.

    On a bar: the fills of its instrument's orders, each told to the strategy; then the bar itself; then a decision for
    what the strategy changed, and the orders it made. When the next instant begins: the timer, the decisions of all
    instruments, and the account's value. A target that was refused is not tried again until it changes, but for one
    that a tactic held back; where a
    position was to be turned and may only be closed, it is closed. Until `opened_at` (microseconds UTC) nothing is
    decided: the strategy warms up.
    """

    constants: ClassVar = ("keeps_values", "accrues", "measures", "converts", "looks_around")

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
    ) -> None:
        self.strategy = strategy
        self.account = account
        self.broker = broker
        self.gate = gate
        self.tactics = tactics
        self.journal = Journal()
        self.tally = Tally(account.cash)
        self.opened_at = opened_at
        self.financing = float(financing)
        self.borrowing = float(borrowing)
        self.accrues = financing > 0.0 or borrowing > 0.0
        self.keeps_values = keeps_values
        self.side = 0
        self.measures = broker.measures
        self.converts = any(account.converts)
        self.looks_around = account.size > 1 or _listens(strategy)
        size = account.size
        self.left = [math.inf] * size
        self.volume = [math.inf] * size
        self.half_spread = [0.0] * size
        self.quote_time = [BEGINNING] * size
        self.retry = [0] * size

    def on_bar(self, bar: Bar) -> None:
        """A final bar."""
        account = self.account
        i = bar.i
        if bar.time > account.now:
            self.advance(bar.time)
        if self.measures:
            self.measure(i, bar.volume)
        if account.waiting[i] > 0:
            self.fill_waiting(bar, OF_BAR)
        account.price[i] = bar.close
        account.price_time[i] = bar.time
        if self.converts:
            self.convert(i, bar.close)
        for tactic in self.tactics:
            tactic.on_bar(bar, account)
        self.strategy.on_aggregate_bar(bar, account)
        self.look(i, BAR)

    def is_busy(self, bar: Bar) -> bool:
        """Whether orders may be done on a bar or are to be looked at; compiled code keeps these bars apart."""
        return self.account.new_orders > 0 or self.account.waiting[bar.i] > 0

    def start(self) -> None:
        """Before the first event: the strategy makes its state."""
        self.strategy.on_start(self.account)
        for i in range(self.account.size):
            self.account.target[i] = 0.0

    def stop(self) -> None:
        """After the last event."""
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
        if self.converts:
            self.convert(i, trade.price)
        self.strategy.on_trade(trade, account)
        self.look(i, TRADE)

    def on_quote(self, quote: Quote) -> None:
        """A quote: it marks the middle; purchases are done at the ask, sales at the bid."""
        account = self.account
        i = quote.i
        if quote.time > account.now:
            self.advance(quote.time)
        if account.waiting[i] > 0:
            self.fill_from_quote(quote)
        account.price[i] = 0.5 * (quote.bid + quote.ask)
        account.price_time[i] = quote.time
        self.half_spread[i] = 0.5 * (quote.ask - quote.bid)
        self.quote_time[i] = quote.time
        if self.converts:
            self.convert(i, account.price[i])
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
        """Purchases at the ask, then sales at the bid."""
        account = self.account
        i = quote.i
        time = quote.time
        price = quote.ask
        self.side = 1
        if self.measures:
            self.measure(i, quote.ask_size)
        self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.ask_size), OF_QUOTE)
        price = quote.bid
        self.side = -1
        if self.measures:
            self.measure(i, quote.bid_size)
        if account.waiting[i] > 0:
            self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.bid_size), OF_QUOTE)
        self.side = 0

    @rarely
    def convert(self, i: int, price: float) -> None:
        """Where instrument `i` is a pair of currencies, its price is the rate of what is quoted in the other one."""
        account = self.account
        code = account.converts[i]
        if code != 0:
            rate = price if code > 0 else 1.0 / price
            for j in range(account.size):
                if account.currency[j] == abs(code):
                    account.rate[j] = rate
                    account.unit[j] = account.multiplier[j] * rate

    def measure(self, i: int, volume: float) -> None:
        """Keep the volume of what is traded on now, and how much of it fills may take."""
        self.volume[i] = volume
        if math.isfinite(self.broker.participation):
            self.left[i] = self.broker.participation * volume

    @rarely
    def pay_dividend(self, i: int, amount: float) -> None:
        """`amount` a unit, in the instrument's currency; whoever is short pays it."""
        account = self.account
        if account.position[i] != 0.0:
            paid = account.position[i] * amount * account.unit[i]
            account.cash += paid
            account.dividends += paid

    @rarely
    def split(self, i: int, ratio: float) -> None:
        """Each unit becomes `ratio` units at as much less each; what is under way changes alike.

        What is no whole lot then is paid out at the price, as a fill of no order; an order that comes to no lot ends.
        """
        account = self.account
        account.position[i] *= ratio
        account.target[i] *= ratio
        account.decided[i] *= ratio
        account.price[i] /= ratio
        account.average[i] /= ratio
        self.half_spread[i] /= ratio
        for tactic in self.tactics:
            tactic.on_split(i, ratio)
        if account.pending[i] != 0.0:
            account.pending[i] = self.gate.in_lots(i, account.pending[i] * ratio)
            if account.pending[i] == 0.0:
                self.end_target(i, CANCELLED, LOT_PRECISION)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                order.quantity = self.gate.in_lots(i, order.quantity * ratio)
                order.limit /= ratio
                order.stop /= ratio
                order.trail /= ratio
                order.best /= ratio
                if order.quantity == 0.0:
                    self.end(order, CANCELLED, LOT_PRECISION)
        self.compact()
        whole = self.gate.in_lots(i, account.position[i])
        if whole != account.position[i]:
            self.pay_out(i, account.position[i] - whole)

    @rarely
    def pay_out(self, i: int, quantity: float) -> None:
        """So many units of what is held are taken for their price."""
        account = self.account
        price = account.price[i]
        self.take(i, -quantity, price, -quantity * price * account.unit[i])
        self.tell(i, 0, -quantity, price, 0.0, account.now)

    @rarely
    def delist(self, i: int) -> None:
        """The listing ends: its orders are cancelled, what is held is paid out at the last price, which ends too."""
        account = self.account
        if account.pending[i] != 0.0:
            self.end_target(i, CANCELLED, DELISTED)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                self.end(order, CANCELLED, DELISTED)
        self.compact()
        account.target[i] = 0.0
        account.decided[i] = 0.0
        if account.position[i] != 0.0:
            self.pay_out(i, account.position[i])
        account.price[i] = math.nan

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
            account.price_time[i] = fill.filled_at
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

    @rarely
    def aimed(self, i: int) -> float:
        """What the tactics make of the strategy's target; before the opening they are not asked."""
        account = self.account
        if account.now < self.opened_at:
            account.target[i] = account.decided[i]
        target = account.target[i]
        if account.now >= self.opened_at and target == target:
            for tactic in self.tactics:
                target = tactic.aim(i, target, account)
            if self.retry[i] != 0 and target != account.position[i] and self.held_back(i) == ACCEPTED:
                self.retry[i] = 0
                account.decided[i] = account.position[i]
        return target

    def held_back(self, i: int) -> int:
        """ACCEPTED, or why a tactic refuses a larger position in instrument `i` now."""
        outcome = ACCEPTED
        for tactic in self.tactics:
            if outcome == ACCEPTED:
                outcome = tactic.outcome(i, self.account)
        return outcome

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
        self.strategy.on_timer(account.now, account)
        if self.looks_around and (len(self.tactics) > 0 or account.target != account.decided):
            self.look_around()
        if account.new_orders > 0:
            self.admit(TIMER)
        if account.now >= self.opened_at:
            self.value()

    @rarely
    def look_around(self) -> None:
        """Take up what the strategy asked for in instruments whose own event had passed."""
        for i in range(self.account.size):
            if len(self.tactics) > 0 or self.account.target[i] != self.account.decided[i]:
                self.look(i, TIMER)

    def value(self) -> None:
        """Keep what the account is worth."""
        account = self.account
        equity = account.cash
        gross = 0.0
        for i in range(account.size):
            if account.position[i] != 0.0:
                worth = account.position[i] * account.price[i] * account.unit[i]
                equity += worth
                gross += abs(worth)
        if self.keeps_values:
            self.journal.value(equity, gross)
        else:
            self.tally.value(account.now, equity)

    @rarely
    def accrue(self, time: int) -> None:
        """Interest on borrowed cash and the fee for borrowed units, from the last instant to `time`."""
        account = self.account
        years = (time - account.now) / YEAR
        owed = 0.0
        if account.cash < 0.0:
            owed -= account.cash * self.financing * years
        for i in range(account.size):
            if account.position[i] < 0.0:
                owed -= account.position[i] * account.price[i] * account.unit[i] * self.borrowing * years
        account.cash -= owed
        account.interest += owed

    # Decisions.

    @rarely
    def decide(self, i: int, target: float, trigger: int) -> None:
        """Make the order for what is missing to `target` units, or keep why there is none.

        It takes the place of one that was not done yet: an instrument has one order for its target at a time.
        """
        account = self.account
        previous = account.decided[i]
        if math.isnan(target) and math.isnan(previous):
            return
        if account.now < self.opened_at:
            account.target[i] = previous
            return
        account.decided[i] = target
        self.retry[i] = 0
        if account.pending[i] != 0.0:
            self.end_target(i, CANCELLED, SUPERSEDED)
        quantity = target - account.position[i]
        outcome = NOT_FINITE
        turned = False
        if math.isfinite(quantity):
            quantity = self.gate.in_lots(i, quantity)
            outcome = self.allowed(i, quantity)
            turned = self.is_turn_refused(i, quantity, outcome)
            if turned:
                quantity = -account.position[i]
        number = 0
        if outcome == ACCEPTED or turned:
            number = account.next_number
            account.next_number += 1
            account.pending[i] = quantity
            account.pending_number[i] = number
            account.pending_from[i] = account.now + self.broker.latency
            account.waiting[i] += 1
        self.journal.decision(account.now, i, previous, target, number, outcome, trigger)
        if number != 0:
            self.strategy.on_order(OrderChange(i, account.now, number, quantity, OPEN, ACCEPTED), account)
            if self.broker.fill == SAME_CLOSE and account.price_time[i] == account.now and self.broker.latency == 0:
                price = account.price[i]
                if self.quote_time[i] == account.now:
                    price += self.half_spread[i] if quantity > 0.0 else -self.half_spread[i]
                self.fill_target(i, price, account.now)

    def is_turn_refused(self, i: int, quantity: float, outcome: int) -> bool:
        """Whether a position was to be turned and may not: then it is closed at least."""
        held = self.account.position[i]
        by_limit = outcome != ACCEPTED and outcome != AT_TARGET and outcome != NO_PRICE and outcome != BELOW_ZERO
        return by_limit and held * (held + quantity) < 0.0

    def allowed(self, i: int, quantity: float) -> int:
        """ACCEPTED, or why no order for the target of instrument `i` is made."""
        account = self.account
        if quantity == 0.0:
            return AT_TARGET
        price = account.price[i]
        if math.isnan(price * account.unit[i]):
            return NO_PRICE
        held = account.position[i]
        after = held + quantity
        if after < 0.0 and not self.gate.allow_short:
            return BELOW_ZERO
        if held * after >= 0.0 and abs(after) <= abs(held):
            return ACCEPTED
        outcome = self.held_back(i)
        if outcome != ACCEPTED:
            self.retry[i] = 1
            return outcome
        unit = price * account.unit[i]
        reserved = 0.0
        if quantity > 0.0 and self.gate.leverage == 1.0:
            reserved = quantity * unit + self.broker.fee.estimate(quantity, unit)
        outcome = self.gate.carried(account, i, quantity, unit, reserved)
        if outcome == ACCEPTED:
            account.pending_reserved[i] = reserved
        return outcome

    @rarely
    def end_target(self, i: int, state: int, reason: int) -> None:
        """End the order for the target of instrument `i` before it is done."""
        account = self.account
        number = account.pending_number[i]
        quantity = account.pending[i]
        self.free_pending(i)
        self.journal.order(number, i, quantity, account.now, state, reason)
        self.strategy.on_order(OrderChange(i, account.now, number, quantity, state, reason), account)

    def free_pending(self, i: int) -> None:
        """The order for the target of instrument `i` is over."""
        account = self.account
        account.pending_reserved[i] = 0.0
        account.pending[i] = 0.0
        account.waiting[i] -= 1

    def shrink_target(self, i: int, wanted: float, quantity: float) -> None:
        """Of the `wanted` units of the order for a target `quantity` are done."""
        account = self.account
        rest = self.gate.in_lots(i, wanted - quantity)
        if rest == 0.0 or rest * wanted < 0.0:
            self.free_pending(i)
        else:
            account.pending_reserved[i] *= rest / wanted
            account.pending[i] = rest

    @rarely
    def fill_target(self, i: int, price: float, filled_at: int) -> None:
        """Fill the order for the target of instrument `i` at `price`, as far as the volume allows."""
        account = self.account
        wanted = account.pending[i]
        if wanted < 0.0 and not self.gate.allow_short:
            wanted = -min(-wanted, max(account.position[i], 0.0))
        if wanted == 0.0:
            self.end_target(i, REJECTED, BELOW_ZERO)
            return
        quantity = wanted
        if self.measures:
            size = self.gate.in_lots(i, min(abs(wanted), self.left[i]))
            if size <= 0.0:
                return
            quantity = size if wanted > 0.0 else -size
        number = account.pending_number[i]
        price = self.gate.in_ticks(i, self.broker.worse(price, quantity, self.volume[i]))
        if self.is_overdrawn(i, quantity, price):
            self.end_target(i, REJECTED, INSUFFICIENT_CASH)
            return
        fee = self.broker.fee.of(abs(quantity), price * account.multiplier[i], False)
        self.shrink_target(i, wanted, quantity)
        self.left[i] -= abs(quantity)
        self.take(i, quantity, price, (quantity * price * account.multiplier[i] + fee) * account.rate[i])
        self.tell(i, number, quantity, price, fee, filled_at)

    def is_overdrawn(self, i: int, quantity: float, price: float) -> bool:
        """Whether cash would go below zero by what makes a position larger, where the account may not borrow."""
        account = self.account
        held = account.position[i]
        if quantity <= 0.0 or self.gate.leverage != 1.0 or (held < 0.0 and held + quantity <= 0.0):
            return False
        paid = price * account.multiplier[i]
        fee = self.broker.fee.estimate(quantity, paid)
        return (quantity * paid + fee) * account.rate[i] > account.cash * SLACK

    @rarely
    def tell(self, i: int, number: int, quantity: float, price: float, fee: float, filled_at: int) -> None:
        """Keep a fill, and tell the tactics and the strategy."""
        account = self.account
        self.journal.fill(number, i, quantity, price, fee, filled_at, account.now, account.cash)
        for tactic in self.tactics:
            tactic.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)
        self.strategy.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)

    @rarely
    def admit(self, trigger: int) -> None:
        """Pass what the strategy ordered through the gate, and cancel what it wants cancelled, until it asks no more.

        Raises:
            ValueError: when it never ends.
        """
        account = self.account
        rounds = 0
        while account.new_orders > 0:
            account.new_orders = 0
            rounds += 1
            if rounds > account.capacity:
                raise ValueError("on_order answers every order with another one")
            for q in range(account.count):
                order = account.orders[account.queue[q]]
                if order.state == NEW:
                    self.admit_one(order, trigger)
                if order.cancel_asked and order.state <= OPEN:
                    self.end(order, CANCELLED, ASKED_FOR)
            self.compact()

    def admit_one(self, order: Order, trigger: int) -> None:
        """Open or refuse one new order; either is a decision."""
        account = self.account
        held = account.position[order.i]
        outcome = BEFORE_OPENING
        wanted = order.quantity
        if account.now >= self.opened_at:
            order.quantity = self.gate.in_lots(order.i, wanted)
            outcome = self.admission(order) if order.quantity != 0.0 else LOT_PRECISION
        self.journal.decision(account.now, order.i, held, held + wanted, order.number, outcome, trigger)
        if outcome != ACCEPTED:
            order.reserved = 0.0
            self.end(order, REJECTED, outcome)
            return
        order.state = WAITING if order.parent != 0 else OPEN
        order.active_from = account.now + self.broker.latency
        account.waiting[order.i] += 1
        self.change(order, order.state, ACCEPTED)

    def admission(self, order: Order) -> int:
        """What tactics and gate make of an order of the strategy's own; sets aside the cash that it may take."""
        account = self.account
        i = order.i
        held = account.position[i] + account.pending[i]
        after = held + order.quantity
        outcome = self.gate.outcome(account, order)
        if outcome == ACCEPTED and order.parent != 0:
            return self.waits_for(order.parent)
        if outcome != ACCEPTED or order.reduce_only or (held * after >= 0.0 and abs(after) <= abs(held)):
            return outcome
        outcome = self.held_back(i)
        if outcome == ACCEPTED:
            unit = self.gate.unit_price(account, order)
            reserved = 0.0
            if order.quantity > 0.0 and self.gate.leverage == 1.0:
                reserved = order.quantity * unit + self.broker.fee.estimate(order.quantity, unit)
            outcome = self.gate.carried(account, i, order.quantity, unit, reserved)
            order.reserved = reserved
        return outcome

    def waits_for(self, parent: int) -> int:
        """ACCEPTED when the order that another waits for is under way; else it would wait for ever."""
        return ACCEPTED if self.account.is_open(parent) else OTHER_DONE

    def change(self, order: Order, state: int, reason: int) -> None:
        """Keep a change of an order, and tell the strategy."""
        now = self.account.now
        self.journal.order(order.number, order.i, order.quantity, now, state, reason)
        self.strategy.on_order(OrderChange(order.i, now, order.number, order.quantity, state, reason), self.account)

    @rarely
    def end(self, order: Order, state: int, reason: int) -> None:
        """End an order; those that wait for it end too. Its slot is free once the queue is compact."""
        account = self.account
        if order.state == OPEN or order.state == WAITING:
            account.waiting[order.i] -= 1
        order.state = state
        self.change(order, state, reason)
        if state != FILLED:
            for q in range(account.count):
                child = account.orders[account.queue[q]]
                if child.state == WAITING and child.parent == order.number:
                    account.waiting[child.i] -= 1
                    child.state = CANCELLED
                    self.change(child, CANCELLED, OTHER_DONE)

    def compact(self) -> None:
        """Close the gaps that ended orders left in the queue; the others keep their turn."""
        account = self.account
        kept = 0
        for q in range(account.count):
            slot = account.queue[q]
            if account.orders[slot].state <= OPEN:
                account.queue[kept] = slot
                kept += 1
            else:
                account.orders[slot].state = FREE
        account.count = kept

    # Fills.

    @rarely
    def match(self, bar: Bar, source: int) -> None:
        """Fill what the bar fills, each order in its turn; see `SimulatedBroker.turn`."""
        account = self.account
        first = NEVER
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            order.turn = NEVER
            if order.i == bar.i and order.state == OPEN and self.is_due(order, bar):
                order.turn = self.broker.turn(order, bar, source)
                first = min(first, order.turn)
        for step in range(first, NEVER):
            for q in range(account.count):
                order = account.orders[account.queue[q]]
                if order.turn == step and order.state == OPEN:
                    self.try_fill(order, bar, source)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == bar.i and order.state == OPEN and self.is_due(order, bar):
                self.settle(order, bar, source)
        self.compact()

    def is_due(self, order: Order, bar: Bar) -> bool:
        """Whether an order was there at the bar's open; one whose day is over ends here."""
        if order.active_from > bar.open_time or self.side * order.quantity < 0.0:
            return False
        if order.time_in_force == DAY:
            day = bar.open_time // DAY_LENGTH
            if order.day == BEGINNING:
                order.day = day
            if day > order.day:
                self.end(order, EXPIRED, DAY_OVER)
                return False
        return True

    def settle(self, order: Order, bar: Bar, source: int) -> None:
        """A bar is over for an order that it left open."""
        if order.on != ANY:
            if source == OF_BAR:
                self.end(order, CANCELLED, AUCTION_OVER)
        elif self.broker.is_stop(order):
            if not math.isnan(order.trail):
                self.broker.follow(order, bar)
        elif order.time_in_force == IOC:
            self.end(order, CANCELLED, NOT_IMMEDIATE)
        elif order.time_in_force == FOK:
            self.end(order, CANCELLED, NOT_WHOLE)
        else:
            order.rested = True
        order.entered = UNSET

    @rarely
    def try_fill(self, order: Order, bar: Bar, source: int) -> None:
        """Fill of an order what the bar and its volume allow."""
        i = order.i
        step = order.turn
        resting = self.broker.is_limit(order)
        at = self.broker.price(order, bar, source)
        if math.isnan(at):
            # The open passed its stop and lies beyond its limit, which the bar may come back to.
            order.turn = self.broker.turn(order, bar, source) if step == AT_OPEN and order.on == ANY else NEVER
            return
        wanted = self.fillable(order)
        if wanted == 0.0:
            self.end(order, CANCELLED, NOT_REDUCING)
            return
        size = self.gate.in_lots(i, min(wanted, self.left[i]))
        if size <= 0.0 or (order.time_in_force == FOK and size < wanted):
            return
        inside = step != AT_OPEN and step != AT_CLOSE and at != order.entered
        maker = resting and at == order.limit and (inside or (source != OF_BAR and order.rested))
        quantity = size if order.quantity > 0.0 else -size
        price = self.gate.in_ticks(i, self.broker.slipped(order, at, quantity, self.volume[i], maker))
        if self.is_overdrawn(i, quantity, price):
            self.end(order, REJECTED, INSUFFICIENT_CASH)
            return
        self.fill(order, quantity, price, maker, bar, source)

    def fillable(self, order: Order) -> float:
        """How many units of an order may be done: what reduces, or sells, never goes through zero where it must not."""
        held = self.account.position[order.i]
        size = abs(order.quantity)
        if order.reduce_only:
            return min(size, abs(held)) if held * order.quantity < 0.0 else 0.0
        if order.quantity < 0.0 and not self.gate.allow_short:
            return min(size, max(held, 0.0))
        return size

    @rarely
    def fill(self, order: Order, quantity: float, price: float, maker: bool, bar: Bar, source: int) -> None:
        """Take a fill into the account, end or shrink its order and those that hang on it, and tell the strategy."""
        account = self.account
        i = order.i
        step = order.turn
        fee = self.broker.fee.of(abs(quantity), price * account.multiplier[i], maker)
        self.left[i] -= abs(quantity)
        self.take(i, quantity, price, (quantity * price * account.multiplier[i] + fee) * account.rate[i])
        self.shrink(order, quantity)
        self.release(order, abs(quantity), price, step, bar.open_time)
        for q in range(account.count):
            child = account.orders[account.queue[q]]
            if child.state == OPEN and child.parent == order.number and child.turn == NEVER and child.i == i:
                self.place_child(child, step, bar, source)
        self.tell(i, order.number, quantity, price, fee, bar.open_time if step == AT_OPEN else bar.time)

    def place_child(self, child: Order, step: int, bar: Bar, source: int) -> None:
        """When in the rest of the bar a child of what was just filled has its turn."""
        if step == AT_CLOSE or not self.is_due(child, bar):
            return
        if step == AT_OPEN:
            child.turn = self.broker.turn(child, bar, source)
        else:
            child.turn = max(step, self.broker.fresh_turn(child, bar))

    def shrink(self, order: Order, quantity: float) -> None:
        """Of an order `quantity` is done; it ends when nothing is left, of it or of what it reduces."""
        account = self.account
        rest = self.gate.in_lots(order.i, order.quantity - quantity)
        if rest * order.quantity <= 0.0 or (order.reduce_only and account.position[order.i] == 0.0):
            order.reserved = 0.0
            self.end(order, FILLED, ACCEPTED)
        else:
            order.reserved *= rest / order.quantity
            order.quantity = rest

    @rarely
    def release(self, order: Order, size: float, price: float, step: int, since: int) -> None:
        """After a fill: its children open, its parent's rest is taken back, the others of its group shrink or end."""
        account = self.account
        for q in range(account.count):
            other = account.orders[account.queue[q]]
            if other.state == WAITING and other.parent == order.number:
                other.state = OPEN
                other.active_from = account.now if step == AT_CLOSE else since
                other.entered = price if AT_OPEN < step < AT_CLOSE else UNSET
                other.best = price
                self.change(other, OPEN, ACCEPTED)
            elif other.state == OPEN and other.number == order.parent:
                self.end(other, CANCELLED, OTHER_DONE)
            elif order.group != 0 and other.group == order.group and other.number != order.number:
                self.one_cancels(order, other, size)

    def one_cancels(self, order: Order, other: Order, size: float) -> None:
        """Another of the same group has as much less to do; nothing when this one is done."""
        if other.state != OPEN and other.state != WAITING:
            return
        rest = self.gate.in_lots(other.i, abs(other.quantity) - size)
        if order.state != OPEN or rest <= 0.0 or order.quantity * other.quantity < 0.0:
            self.end(other, CANCELLED, OTHER_DONE)
        else:
            other.reserved *= rest / abs(other.quantity)
            other.quantity = rest if other.quantity > 0.0 else -rest

    def take(self, i: int, quantity: float, price: float, cost: float) -> None:
        """Change cash, position and average price by a fill."""
        account = self.account
        held = account.position[i]
        after = held + quantity
        lot = self.gate.lot[i]
        if lot > 0.0 and abs(after) < 9.0e15 * lot:
            whole = multiple(math.floor(after / lot + 0.5), lot)
            if abs(after - whole) < 1e-6 * lot:
                after = whole
        if after == 0.0:
            account.average[i] = 0.0
        elif held * quantity >= 0.0:
            account.average[i] = (account.average[i] * abs(held) + price * abs(quantity)) / (abs(held) + abs(quantity))
        elif held * after < 0.0:
            account.average[i] = price
        account.cash -= cost
        account.position[i] = after


def _listens(strategy: Strategy) -> bool:
    """Whether a strategy has hooks in which it may change the target of an instrument whose own event has passed."""
    hooks = ("on_timer", "on_fill", "on_order")
    return any(getattr(type(strategy), hook) is not getattr(Strategy, hook) for hook in hooks)


class Tally:
    """What a sweep keeps of an account's values: the last, the deepest fall, the sums of daily returns."""

    def __init__(self, equity: float) -> None:
        self.equity = float(equity)
        self.peak = float(equity)
        self.drawdown = 0.0
        self.floor = float(equity)
        self.day_equity = float(equity)
        self.next_day = BEGINNING
        self.total = 0.0
        self.squares = 0.0
        self.days = 0

    def value(self, time: int, equity: float) -> None:
        """Take in the account's value at one more instant."""
        if time >= self.next_day:
            self.new_day(time)
        self.equity = equity
        if equity > self.peak:
            self.peak = equity
            self.floor = equity * (1.0 - self.drawdown)
        elif equity < self.floor:
            self.drawdown = 1.0 - equity / self.peak
            self.floor = equity

    @rarely
    def new_day(self, time: int) -> None:
        """Close the day before: its return is from its first instant's day to this one, of UTC."""
        if self.next_day > BEGINNING:
            change = self.equity / self.day_equity - 1.0
            self.total += change
            self.squares += change * change
            self.days += 1
        self.day_equity = self.equity
        self.next_day = (time // DAY_LENGTH + 1) * DAY_LENGTH
