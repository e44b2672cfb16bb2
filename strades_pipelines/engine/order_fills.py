"""What a bar, trade or quote fills of the explicit orders, each in its turn."""

import math

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.explicit_orders import OwnOrders
from strades_pipelines.engine.simulated_broker import OF_BAR
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH, Bar
from strades_pipelines.strategy.orders import (
    ANY,
    AT_CLOSE,
    AT_OPEN,
    AUCTION_OVER,
    CANCELLED,
    DAY,
    DAY_OVER,
    EXPIRED,
    FOK,
    GTC,
    INSUFFICIENT_CASH,
    IOC,
    NEVER,
    NOT_IMMEDIATE,
    NOT_REDUCING,
    NOT_WHOLE,
    OPEN,
    REJECTED,
    UNSET,
    Order,
)


class Matching(OwnOrders):
    """Fills explicit orders; see `SimulatedBroker` for when and at what price."""

    @rarely
    def match(self, bar: Bar, source: int) -> None:
        """Fill what the bar fills, each order in its turn; see `SimulatedBroker.turn`."""
        account = self.account
        self.calm_low[bar.i] = math.inf
        first = NEVER
        changes = False
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            order.turn = NEVER
            if order.i == bar.i and order.state == OPEN:
                if self.is_due(order, bar):
                    order.turn = self.broker.turn(order, bar, source)
                    first = min(first, order.turn)
                    changes = changes or not self.broker.is_settled(order)
                else:
                    changes = changes or order.state != OPEN
        if self.measures:
            self.put_exits_first(bar.i)
        if first == NEVER and not changes:
            if source == OF_BAR:
                self.calm(bar)
            return
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

    @rarely
    def put_exits_first(self, i: int) -> None:
        """What is left of an entry does not take the volume that a stop of its own needs, which ends it when done."""
        account = self.account
        for q in range(account.count):
            child = account.orders[account.queue[q]]
            if child.i == i and child.parent != 0 and child.turn != NEVER and self.broker.is_stop(child):
                for p in range(account.count):
                    parent = account.orders[account.queue[p]]
                    if parent.number == child.parent and parent.state == OPEN:
                        parent.turn = NEVER

    def is_met(self, bar: Bar) -> bool:
        """Whether a bar may fill or change an order of its instrument."""
        if self.account.pending[bar.i] != 0.0:
            return True
        low = self.calm_low[bar.i]
        high = self.calm_high[bar.i]
        return not (low < bar.low and bar.high < high and low < bar.open < high)

    def calm(self, bar: Bar) -> None:
        """Keep between which prices bars leave the orders of an instrument alone, until one of its orders changes.

        Asked when each order that is due would be left as it is by the end of a bar.
        """
        account = self.account
        low = -math.inf
        high = math.inf
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == bar.i and order.state == OPEN:
                level = order.stop if self.broker.is_stop(order) else order.limit
                if order.active_from > bar.open_time or order.time_in_force == DAY or math.isnan(level):
                    return
                if self.broker.is_stop(order) == (order.quantity > 0.0):
                    high = min(high, level)
                else:
                    low = max(low, level)
        self.calm_low[bar.i] = low
        self.calm_high[bar.i] = high

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
        elif not self.broker.within(order, bar.close):
            order.rested = True
        order.entered = UNSET

    @rarely
    def try_fill(self, order: Order, bar: Bar, source: int) -> None:
        """Fill of an order what the bar and its volume allow."""
        i = order.i
        step = order.turn
        if self.converts:
            self.use_rate(i, bar.open_time if step == AT_OPEN else self.account.now)
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
        is_cut = self.is_overdrawn(i, quantity, price)
        if is_cut:
            if self.gate.is_at_market(order) and self.may_be_paid(i):
                order.unpaid_price = at
                order.unpaid_at = bar.open_time
                self.unpaid_count += 1
                return
            quantity = 0.0 if order.time_in_force == FOK else self.affordable(i, quantity, price)
            if quantity <= 0.0:
                self.cut_order(order, REJECTED)
                return
        self.fill(order, quantity, price, maker, bar, source)
        if is_cut and order.state == OPEN:
            self.cut_order(order, CANCELLED)

    @rarely
    def cut_order(self, order: Order, state: int) -> None:
        """Of an order the cash pays no more: the rest ends, or waits for a sale that is under way."""
        waits = self.shares_cash and self.gate.is_at_market(order) and order.time_in_force == GTC
        if not (waits and self.has_sales(order.i)):
            self.end(order, state, INSUFFICIENT_CASH)

    @rarely
    def pay(self) -> None:
        """The instant is over: fill at their open what waited for the sales of the instant, as far as the cash goes."""
        account = self.account
        self.unpaid_count = 0
        for i in range(account.size):
            if self.unpaid[i] != 0:
                self.unpaid[i] = 0
                if account.pending[i] > 0.0:
                    self.fill_target(i, self.unpaid_price[i], self.unpaid_at[i])
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            price = order.unpaid_price
            i = order.i
            if order.state == OPEN and price == price:
                order.unpaid_price = UNSET
                order.turn = AT_OPEN
                at = order.unpaid_at
                self.try_fill(order, Bar(i, account.now, at, price, price, price, price, self.volume[i]), OF_BAR)
        self.compact()
        if self.converts:
            for i in range(account.size):
                self.use_rate(i, account.now)

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
        worth = price * account.multiplier[i]
        fee = self.broker.fee.of_part(abs(quantity), worth, maker, order.done, order.worth, order.paid)
        order.done += abs(quantity)
        order.worth += abs(quantity) * worth
        order.paid += fee
        self.left[i] -= abs(quantity)
        self.take(i, quantity, price, (quantity * worth + fee) * account.rate[i])
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
