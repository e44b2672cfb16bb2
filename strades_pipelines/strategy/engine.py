"""The engine: one strategy, its account, and the broker that fills its orders, stepped event by event.

Everything here is plain classes over numbers: run as it is for each event, compiled for many of them, to the bit the same.
"""

import math
from typing import ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.broker import SAME_CLOSE, SimulatedBroker
from strades_pipelines.strategy.compiler.rare import rarely
from strades_pipelines.strategy.events import (
    ACTION,
    ARTICLE,
    BAR,
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
from strades_pipelines.strategy.gate import Gate
from strades_pipelines.strategy.journal import Journal
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    ASKED_FOR,
    AT_TARGET,
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
    NEW,
    NO_PRICE,
    NOT_FINITE,
    NOT_IMMEDIATE,
    NOT_WHOLE,
    OPEN,
    OTHER_DONE,
    REJECTED,
    SUPERSEDED,
    WAITING,
    Order,
)
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic

DAY_LENGTH = 86_400_000_000
YEAR = 365.25 * DAY_LENGTH


class Engine:
    """Steps one strategy through events in their total order.

    On a bar: the fills of its instrument's orders, each told to the strategy; then the bar itself; then a decision for what
    the strategy changed. When the next instant begins: the timer, the decisions of all instruments, and the account's
    value. Until `opened_at` (microseconds UTC) nothing is decided: the strategy warms up.
    """

    constants: ClassVar = ("keeps_values", "accrues")

    def __init__(
        self,
        strategy: Strategy,
        account: Account,
        broker: SimulatedBroker,
        gate: Gate,
        *,
        tactics: tuple[Tactic, ...] = (),
        opened_at: int = 0,
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

    def on_bar(self, bar: Bar) -> None:
        """A final bar."""
        account = self.account
        i = bar.i
        if bar.time > account.now:
            self.advance(bar.time)
        if account.waiting[i] > 0:
            self.fill_waiting(bar)
        account.price[i] = bar.close
        account.price_time[i] = bar.time
        for tactic in self.tactics:
            tactic.on_bar(bar, account)
        self.strategy.on_aggregate_bar(bar, account)
        self.look(i, BAR)

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
        if account.waiting[i] > 0:
            price = trade.price
            self.fill_waiting(Bar(i, trade.time, trade.time, price, price, price, price, trade.size))
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
        if account.waiting[i] > 0:
            self.side = 1
            price = quote.ask
            self.fill_waiting(Bar(i, quote.time, quote.time, price, price, price, price, quote.ask_size))
            self.side = -1
            price = quote.bid
            if account.waiting[i] > 0:
                self.fill_waiting(Bar(i, quote.time, quote.time, price, price, price, price, quote.bid_size))
            self.side = 0
        account.price[i] = 0.5 * (quote.bid + quote.ask)
        account.price_time[i] = quote.time
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
            account.cash += account.position[i] * action.amount * account.unit[i]
        if action.ends != 0.0:
            self.delist(i)
        self.strategy.on_corporate_action(action, account)
        self.look(i, ACTION)

    @rarely
    def split(self, i: int, ratio: float) -> None:
        """Each unit becomes `ratio` units at as much less each; what is under way changes alike."""
        account = self.account
        account.position[i] *= ratio
        account.target[i] *= ratio
        account.decided[i] *= ratio
        account.pending[i] *= ratio
        account.price[i] /= ratio
        account.average[i] /= ratio
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i:
                order.quantity *= ratio
                order.limit /= ratio
                order.stop /= ratio
                order.trail /= ratio
                order.best /= ratio

    @rarely
    def delist(self, i: int) -> None:
        """The listing ends: its orders are cancelled, what is held is paid out at the last price."""
        account = self.account
        if account.pending[i] != 0.0:
            self.supersede(i)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state != FREE:
                self.end(order, CANCELLED, DELISTED)
        self.compact()
        held = account.position[i]
        if held != 0.0:
            cost = -held * account.price[i] * account.unit[i]
            self.take(i, -held, account.price[i], cost)
            self.journal.fill(0, i, -held, account.price[i], 0.0, account.now, account.now, account.cash)
        account.target[i] = 0.0
        account.decided[i] = 0.0

    def on_recorded_fill(self, fill: RecordedFill) -> None:
        """What was really filled: the account takes it, the strategy hears of it."""
        account = self.account
        i = fill.i
        if fill.time > account.now:
            self.advance(fill.time)
        cost = (fill.quantity * fill.price * account.multiplier[i] + fill.fee) * account.rate[i]
        self.take(i, fill.quantity, fill.price, cost)
        number = int(fill.order)
        self.journal.fill(number, i, fill.quantity, fill.price, fill.fee, fill.filled_at, fill.time, account.cash)
        self.strategy.on_fill(
            Fill(i, fill.time, number, fill.quantity, fill.price, fill.fee, fill.filled_at), account
        )
        self.look(i, RECORDED_FILL)

    @rarely
    def fill_waiting(self, bar: Bar) -> None:
        """Fill what the bar fills of its instrument's orders: the one for the target first."""
        account = self.account
        i = bar.i
        if account.pending[i] != 0.0:
            if account.pending_from[i] <= bar.open_time and self.side * account.pending[i] >= 0.0:
                self.fill_target(i, bar.open, bar.open_time, bar.volume)
            if account.waiting[i] > (1 if account.pending[i] != 0.0 else 0):
                self.match(bar)
        else:
            self.match(bar)

    def look(self, i: int, trigger: int) -> None:
        """Take up what the strategy asked for in instrument `i`."""
        account = self.account
        if account.new_orders > 0:
            self.admit(trigger)
        target = account.target[i]
        for tactic in self.tactics:
            target = tactic.aim(i, target, account)
        if target != account.decided[i]:
            self.decide(i, target, trigger)

    def advance(self, time: int) -> None:
        """Let the clock go on to a later instant; what belongs to the one before is done first."""
        account = self.account
        if account.now > 0:
            self.end_instant()
            if self.accrues:
                self.accrue(time)
        account.now = time

    def end_instant(self) -> None:
        """Every event of the instant is in: the timer, what it changed, and the account's value."""
        account = self.account
        self.strategy.on_timer(account.now, account)
        if account.size > 1 and account.target != account.decided and len(self.tactics) == 0:
            self.look_around()
        if account.new_orders > 0:
            self.admit(TIMER)
        if account.now >= self.opened_at:
            self.value()

    @rarely
    def look_around(self) -> None:
        """Take up what the strategy asked for in instruments whose own event had passed."""
        for i in range(self.account.size):
            if self.account.target[i] != self.account.decided[i]:
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
                owed -= (
                    account.position[i]
                    * account.price[i]
                    * account.unit[i]
                    * self.borrowing
                    * years
                )
        account.cash -= owed

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
        if account.pending[i] != 0.0:
            self.supersede(i)
        quantity = target - account.position[i]
        outcome = NOT_FINITE
        if math.isfinite(quantity):
            quantity = self.gate.in_lots(i, quantity)
            outcome = self.allowed(i, quantity)
        number = 0
        if outcome == ACCEPTED:
            number = account.next_number
            account.next_number += 1
            account.pending[i] = quantity
            account.pending_number[i] = number
            account.pending_from[i] = account.now + self.broker.latency
            account.waiting[i] += 1
        self.journal.decision(account.now, i, previous, target, number, outcome, trigger)
        if outcome == ACCEPTED:
            self.strategy.on_order(OrderChange(i, account.now, number, quantity, OPEN, ACCEPTED), account)
            if self.broker.fill == SAME_CLOSE and account.price_time[i] == account.now:
                self.fill_target(i, account.price[i], account.now, math.inf)

    def allowed(self, i: int, quantity: float) -> int:
        """ACCEPTED, or why no order for the target of instrument `i` is made."""
        account = self.account
        if quantity == 0.0:
            return AT_TARGET
        price = account.price[i]
        if math.isnan(price):
            return NO_PRICE
        held = account.position[i]
        after = held + quantity
        if after < 0.0 and not self.gate.allow_short:
            return BELOW_ZERO
        if abs(after) <= abs(held):
            return ACCEPTED
        outcome = ACCEPTED
        for tactic in self.tactics:
            if outcome == ACCEPTED:
                outcome = tactic.outcome(i, account)
        if outcome != ACCEPTED:
            return outcome
        unit = price * account.unit[i]
        reserved = 0.0
        if quantity > 0.0 and self.gate.leverage == 1.0:
            reserved = quantity * unit + self.broker.fee.estimate(quantity, unit)
        outcome = self.gate.carried(account, i, quantity, after, unit, reserved)
        if outcome == ACCEPTED:
            account.reserved += reserved
            account.pending_reserved[i] = reserved
        return outcome

    @rarely
    def supersede(self, i: int) -> None:
        """Take back the order for an older target."""
        account = self.account
        number = account.pending_number[i]
        self.journal.order(number, i, account.pending[i], account.now, CANCELLED, SUPERSEDED)
        self.free_pending(i)

    def free_pending(self, i: int) -> None:
        """The order for the target of instrument `i` is over."""
        account = self.account
        account.reserved -= account.pending_reserved[i]
        account.pending_reserved[i] = 0.0
        account.pending[i] = 0.0
        account.waiting[i] -= 1

    @rarely
    def fill_target(self, i: int, price: float, filled_at: int, volume: float) -> None:
        """Fill the order for the target of instrument `i` at `price`, as far as the volume allows."""
        account = self.account
        quantity = account.pending[i]
        if math.isfinite(self.broker.participation):
            size = self.gate.in_lots(i, min(abs(quantity), self.broker.participation * volume))
            if size <= 0.0:
                return
            quantity = size if quantity > 0.0 else -size
        number = account.pending_number[i]
        price = self.broker.worse(price, quantity, volume)
        fee = self.broker.fee.of(abs(quantity), price * account.multiplier[i], False)
        cost = (quantity * price * account.multiplier[i] + fee) * account.rate[i]
        if quantity > 0.0 and self.gate.leverage == 1.0 and cost > account.cash:
            self.journal.order(number, i, account.pending[i], account.now, REJECTED, INSUFFICIENT_CASH)
            self.free_pending(i)
            return
        rest = account.pending[i] - quantity
        self.free_pending(i)
        if rest != 0.0:
            account.pending[i] = rest
            account.waiting[i] += 1
        self.take(i, quantity, price, cost)
        self.journal.fill(number, i, quantity, price, fee, filled_at, account.now, account.cash)
        self.strategy.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)

    @rarely
    def admit(self, trigger: int) -> None:
        """Pass what the strategy ordered through the gate, and cancel what it wants cancelled."""
        account = self.account
        account.new_orders = 0
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.state == NEW:
                outcome = BEFORE_OPENING
                if account.now < self.opened_at:
                    self.end(order, REJECTED, BEFORE_OPENING)
                else:
                    lots = self.gate.in_lots(order.i, order.quantity)
                    order.quantity = lots if math.isfinite(order.quantity) else order.quantity
                    outcome = LOT_PRECISION if lots == 0.0 else self.open(order)
                    if lots == 0.0:
                        self.end(order, REJECTED, LOT_PRECISION)
                held = account.position[order.i]
                self.journal.decision(
                    account.now, order.i, held, held + order.quantity, order.number, outcome, trigger
                )
            elif order.cancel_asked:
                self.end(order, CANCELLED, ASKED_FOR)
        self.compact()

    @rarely
    def open(self, order: Order) -> int:
        """Open an order of the strategy's own when tactics and gate allow it; returns the outcome."""
        account = self.account
        i = order.i
        held = account.position[i] + account.pending[i]
        after = held + order.quantity
        larger = abs(after) > abs(held) and order.parent == 0
        outcome = self.gate.outcome(account, order)
        if larger and outcome == ACCEPTED:
            for tactic in self.tactics:
                if outcome == ACCEPTED:
                    outcome = tactic.outcome(i, account)
        if larger and outcome == ACCEPTED:
            unit = self.gate.unit_price(account, order)
            reserved = 0.0
            if order.quantity > 0.0 and self.gate.leverage == 1.0:
                reserved = order.quantity * unit + self.broker.fee.estimate(order.quantity, unit)
            outcome = self.gate.carried(account, i, order.quantity, after, unit, reserved)
            order.reserved = reserved
        if outcome != ACCEPTED:
            order.reserved = 0.0
            self.end(order, REJECTED, outcome)
            return outcome
        order.state = WAITING if order.parent != 0 else OPEN
        order.active_from = account.now + self.broker.latency
        account.waiting[i] += 1
        account.reserved += order.reserved
        self.change(order, order.state, ACCEPTED)
        return ACCEPTED

    def change(self, order: Order, state: int, reason: int) -> None:
        """Keep a change of an order, and tell the strategy."""
        now = self.account.now
        self.journal.order(order.number, order.i, order.quantity, now, state, reason)
        self.strategy.on_order(OrderChange(order.i, now, order.number, order.quantity, state, reason), self.account)

    def end(self, order: Order, state: int, reason: int) -> None:
        """End an order; its slot is free for another, and those that wait for it end too."""
        account = self.account
        if order.state == OPEN or order.state == WAITING:
            account.waiting[order.i] -= 1
            account.reserved -= order.reserved
        order.reserved = 0.0
        self.change(order, state, reason)
        number = order.number
        order.state = FREE
        if state != FILLED:
            for q in range(account.count):
                child = account.orders[account.queue[q]]
                if child.state == WAITING and child.parent == number:
                    account.waiting[child.i] -= 1
                    self.change(child, CANCELLED, OTHER_DONE)
                    child.state = FREE

    def compact(self) -> None:
        """Close the gaps that ended orders left in the queue; the others keep their turn."""
        account = self.account
        kept = 0
        for q in range(account.count):
            slot = account.queue[q]
            if account.orders[slot].state != FREE:
                account.queue[kept] = slot
                kept += 1
        account.count = kept

    # Fills.

    @rarely
    def match(self, bar: Bar) -> None:
        """Fill what the bar fills: what waits for the open, stops, limits, and stops of entries inside the bar."""
        account = self.account
        left = math.inf
        if math.isfinite(self.broker.participation):
            left = self.broker.participation * bar.volume
        for step in range(4):
            for q in range(account.count):
                order = account.orders[account.queue[q]]
                if order.i == bar.i and order.state == OPEN and self.is_turn(order, bar, step):
                    left = self.try_fill(order, bar, left, step)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == bar.i and order.state == OPEN and order.active_from <= bar.open_time:
                if order.time_in_force == IOC:
                    self.end(order, CANCELLED, NOT_IMMEDIATE)
                elif order.time_in_force == FOK:
                    self.end(order, CANCELLED, NOT_WHOLE)
        self.compact()

    def is_turn(self, order: Order, bar: Bar, step: int) -> bool:
        """Whether an order is looked at in this step of a bar; an order whose day is over ends here."""
        if order.active_from > bar.open_time or self.side * order.quantity < 0.0:
            return False
        if order.time_in_force == DAY:
            day = bar.open_time // DAY_LENGTH
            if order.day < 0:
                order.day = day
            if day > order.day:
                self.end(order, EXPIRED, DAY_OVER)
                return False
        if self.broker.is_stop(order):
            if self.broker.best_path:
                return step == 2
            return step == 1 or (step == 3 and order.fresh)
        if self.broker.is_limit(order) and not self.broker.within(order, bar.open):
            return step == 1 if self.broker.best_path else step == 2
        return step == 0

    def try_fill(self, order: Order, bar: Bar, left: float, step: int) -> float:
        """Fill of an order what the bar and its volume allow; returns the volume that is left."""
        account = self.account
        i = order.i
        at = self.broker.price(order, bar)
        order.fresh = False
        if math.isnan(at):
            return left
        size = abs(order.quantity)
        if order.reduce_only:
            if account.position[i] * order.quantity >= 0.0:
                self.end(order, CANCELLED, OTHER_DONE)
                return left
            size = min(size, abs(account.position[i]))
        size = self.gate.in_lots(i, min(size, left))
        if size <= 0.0 or (order.time_in_force == FOK and size < abs(order.quantity)):
            return left
        maker = self.broker.is_limit(order) and at == order.limit and at != bar.open
        quantity = size if order.quantity > 0.0 else -size
        price = self.broker.slipped(order, at, quantity, bar.volume, maker)
        filled_at = bar.open_time if at == bar.open else bar.time
        self.fill(order, quantity, price, maker, filled_at, step, bar.open_time)
        return left - size

    def fill(
        self, order: Order, quantity: float, price: float, maker: bool, filled_at: int, step: int, since: int
    ) -> None:
        """Take a fill into the account, end or shrink its order, and tell the strategy."""
        account = self.account
        i = order.i
        fee = self.broker.fee.of(abs(quantity), price * account.multiplier[i], maker)
        cost = (quantity * price * account.multiplier[i] + fee) * account.rate[i]
        if self.gate.leverage == 1.0 and quantity > 0.0 and cost > account.cash:
            self.end(order, REJECTED, INSUFFICIENT_CASH)
            return
        whole = abs(quantity) >= abs(order.quantity) or order.reduce_only
        account.reserved -= order.reserved
        order.reserved = 0.0
        self.take(i, quantity, price, cost)
        number = order.number
        self.journal.fill(number, i, quantity, price, fee, filled_at, account.now, account.cash)
        group = order.group
        if whole:
            self.end(order, FILLED, ACCEPTED)
        else:
            order.quantity -= quantity
        self.release(number, group, step, since)
        self.strategy.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)

    def take(self, i: int, quantity: float, price: float, cost: float) -> None:
        """Change cash, position and average price by a fill."""
        account = self.account
        held = account.position[i]
        after = held + quantity
        lot = self.gate.lot[i]
        if lot > 0.0:
            after = math.floor(after / lot + 0.5) * lot
        if held * quantity >= 0.0:
            account.average[i] = (account.average[i] * abs(held) + price * abs(quantity)) / (abs(held) + abs(quantity))
        elif held * after < 0.0:
            account.average[i] = price
        account.cash -= cost
        account.position[i] = after

    def release(self, number: int, group: int, step: int, since: int) -> None:
        """Open the orders that waited for this one, and cancel the others of its group."""
        account = self.account
        for q in range(account.count):
            other = account.orders[account.queue[q]]
            if other.state == WAITING and other.parent == number:
                other.state = OPEN
                other.active_from = since
                other.fresh = step > 0
                if step > 0 and self.broker.is_stop(other) == self.broker.best_path:
                    other.active_from = account.now
                other.best = account.price[other.i]
                self.change(other, OPEN, ACCEPTED)
            elif group != 0 and other.group == group and other.state == OPEN and other.number != number:
                self.end(other, CANCELLED, OTHER_DONE)


class Tally:
    """What a sweep keeps of an account's values: the last, the deepest fall, and the sums of the returns from day to day."""

    def __init__(self, equity: float) -> None:
        self.equity = float(equity)
        self.peak = float(equity)
        self.drawdown = 0.0
        self.floor = float(equity)
        self.day_equity = float(equity)
        self.next_day = 0
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
        if self.next_day > 0:
            change = self.equity / self.day_equity - 1.0
            self.total += change
            self.squares += change * change
            self.days += 1
        self.day_equity = self.equity
        self.next_day = (time // DAY_LENGTH + 1) * DAY_LENGTH
