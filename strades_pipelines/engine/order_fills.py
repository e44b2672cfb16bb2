"""What a bar, trade or quote fills of the explicit orders, each in its turn."""

import math
from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.explicit_orders import ExplicitOrders
from strades_pipelines.engine.order_exposure import is_at_market
from strades_pipelines.engine.quiet_bands import QuietBands
from strades_pipelines.engine.simulated_broker import OF_BAR, OF_QUOTE, RECORDED
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH, Bar, Quote
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


class OrderFills:
    """Fills orders; see `SimulatedBroker` for when and at what price.

    `side` is 1 while only purchases may be filled, as at a quote's ask, -1 for sales, 0 for both.
    """

    references: ClassVar = ("state", "cash_rules", "targets", "quiet_bands", "explicit_orders")

    def __init__(
        self,
        state: EngineState,
        cash_rules: CashRules,
        targets: Targets,
        quiet_bands: QuietBands,
        explicit_orders: ExplicitOrders,
    ) -> None:
        self.state = state
        self.cash_rules = cash_rules
        self.targets = targets
        self.quiet_bands = quiet_bands
        self.explicit_orders = explicit_orders
        self.side = 0

    @cold
    def fill_waiting(self, bar: Bar, source: int) -> None:
        """Fill what the bar fills of its instrument's orders: the one for the target first."""
        state = self.state
        account = state.account
        i = bar.i
        if state.broker.fill == RECORDED:
            return
        if account.pending[i] != 0.0:
            # An order placed after the bar's open did not see that price: it waits for the next bar.
            if account.pending_from[i] <= bar.open_time and self.side * account.pending[i] >= 0.0:
                self.targets.fill_target(i, bar.open, bar.open_time)
            if account.waiting[i] > (1 if account.pending[i] != 0.0 else 0):
                self.match(bar, source)
        else:
            self.match(bar, source)
        if state.converts:
            state.use_rate(i, account.now)

    @cold
    def fill_from_quote(self, quote: Quote) -> None:
        """Purchases at the ask, then sales at the bid; decisions on the quote find what the smaller side has left."""
        state = self.state
        i = quote.i
        time = quote.time
        price = quote.ask
        self.side = 1
        if state.measures:
            state.measure_volume(i, quote.ask_size)
        self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.ask_size), OF_QUOTE)
        left_at_ask = state.remaining_volume[i]
        price = quote.bid
        self.side = -1
        if state.measures:
            state.measure_volume(i, quote.bid_size)
        if state.account.waiting[i] > 0:
            self.fill_waiting(Bar(i, time, time, price, price, price, price, quote.bid_size), OF_QUOTE)
        state.remaining_volume[i] = min(state.remaining_volume[i], left_at_ask)
        self.side = 0

    @cold
    def match(self, bar: Bar, source: int) -> None:
        """Fill what the bar fills, each order in its turn; see `SimulatedBroker.turn`."""
        state = self.state
        account = state.account
        # Orders may change now: a band is kept again only where none does.
        self.quiet_bands.forget(bar.i)
        first = NEVER
        changes = False
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            order.turn = NEVER
            if order.i == bar.i and order.state == OPEN:
                if self.is_active(order, bar):
                    order.turn = state.broker.turn(order, bar, source)
                    first = min(first, order.turn)
                    changes = changes or not state.broker.is_settled(order)
                else:
                    changes = changes or order.state != OPEN
        if state.measures:
            self.put_exits_first(bar.i)
        if first == NEVER and not changes:
            if source == OF_BAR:
                self.quiet_bands.keep(bar)
            return
        # A fill may give another order a later turn: each step looks at all of them.
        for step in range(first, NEVER):
            for q in range(account.count):
                order = account.orders[account.queue[q]]
                if order.turn == step and order.state == OPEN:
                    self.try_fill(order, bar, source)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == bar.i and order.state == OPEN and self.is_active(order, bar):
                self.settle(order, bar, source)
        self.explicit_orders.compact()

    @cold
    def put_exits_first(self, i: int) -> None:
        """What is left of an entry does not take the volume that a stop of its own needs, which ends it when done."""
        account = self.state.account
        for q in range(account.count):
            child = account.orders[account.queue[q]]
            if child.i == i and child.parent != 0 and child.turn != NEVER and self.state.broker.is_stop(child):
                for p in range(account.count):
                    parent = account.orders[account.queue[p]]
                    if parent.number == child.parent and parent.state == OPEN:
                        parent.turn = NEVER

    def is_active(self, order: Order, bar: Bar) -> bool:
        """Whether an order was there at the bar's open; one whose day is over ends here."""
        if order.active_from > bar.open_time or self.side * order.quantity < 0.0:
            return False
        if order.time_in_force == DAY:
            day = bar.open_time // DAY_LENGTH
            if order.day == BEGINNING:
                order.day = day
            if day > order.day:
                self.explicit_orders.end(order, EXPIRED, DAY_OVER)
                return False
        return True

    def settle(self, order: Order, bar: Bar, source: int) -> None:
        """A bar is over for an order that it left open."""
        state = self.state
        if order.on != ANY:
            if source == OF_BAR:
                self.explicit_orders.end(order, CANCELLED, AUCTION_OVER)
        elif state.broker.is_stop(order):
            if not math.isnan(order.trail):
                state.broker.follow(order, bar)
        elif order.time_in_force == IOC:
            self.explicit_orders.end(order, CANCELLED, NOT_IMMEDIATE)
        elif order.time_in_force == FOK:
            self.explicit_orders.end(order, CANCELLED, NOT_WHOLE)
        elif not state.broker.within(order, bar.close):
            order.rested = True
        order.entered = UNSET

    @cold
    def try_fill(self, order: Order, bar: Bar, source: int) -> None:
        """Fill of an order what the bar and its volume allow."""
        state = self.state
        i = order.i
        step = order.turn
        if state.converts:
            state.use_rate(i, bar.open_time if step == AT_OPEN else state.account.now)
        resting = state.broker.is_limit(order)
        at = state.broker.price(order, bar, source)
        if math.isnan(at):
            # The open passed its stop and lies beyond its limit, which the bar may come back to.
            order.turn = state.broker.turn(order, bar, source) if step == AT_OPEN and order.on == ANY else NEVER
            return
        wanted = self.fillable(order)
        if wanted == 0.0:
            self.explicit_orders.end(order, CANCELLED, NOT_REDUCING)
            return
        size = state.gate.in_lots(i, min(wanted, state.remaining_volume[i]))
        if size <= 0.0 or (order.time_in_force == FOK and size < wanted):
            return
        inside = step != AT_OPEN and step != AT_CLOSE and at != order.entered
        maker = resting and at == order.limit and (inside or (source != OF_BAR and order.rested))
        quantity = size if order.quantity > 0.0 else -size
        price = state.gate.in_ticks(i, state.broker.slipped(order, at, quantity, state.volume[i], maker))
        is_cut = self.cash_rules.is_overdrawn(i, quantity, price)
        if is_cut:
            if is_at_market(order) and self.cash_rules.may_be_paid_later(i):
                order.unpaid_price = at
                order.unpaid_at = bar.open_time
                self.cash_rules.unpaid_count += 1
                return
            quantity = 0.0 if order.time_in_force == FOK else self.cash_rules.affordable(i, quantity, price)
            if quantity <= 0.0:
                self.cut_order(order, REJECTED)
                return
        self.fill(order, quantity, price, maker, bar, source)
        if is_cut and order.state == OPEN:
            self.cut_order(order, CANCELLED)

    @cold
    def cut_order(self, order: Order, new_state: int) -> None:
        """Of an order the cash pays no more: the rest ends, or waits for a sale that is under way."""
        waits = self.cash_rules.shares_cash and is_at_market(order) and order.time_in_force == GTC
        if not (waits and self.cash_rules.has_open_sales(order.i)):
            self.explicit_orders.end(order, new_state, INSUFFICIENT_CASH)

    @cold
    def pay(self) -> None:
        """The instant is over: fill at their open what waited for the sales of the instant, as far as the cash goes."""
        state = self.state
        account = state.account
        self.cash_rules.unpaid_count = 0
        for i in range(account.size):
            if self.targets.unpaid[i] != 0:
                self.targets.unpaid[i] = 0
                if account.pending[i] > 0.0:
                    self.targets.fill_target(i, self.targets.unpaid_price[i], self.targets.unpaid_at[i])
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            price = order.unpaid_price
            i = order.i
            # NaN, where nothing is to be paid, is not itself.
            if order.state == OPEN and price == price:
                order.unpaid_price = UNSET
                order.turn = AT_OPEN
                at = order.unpaid_at
                self.try_fill(order, Bar(i, account.now, at, price, price, price, price, state.volume[i]), OF_BAR)
        self.explicit_orders.compact()
        if state.converts:
            for i in range(account.size):
                state.use_rate(i, account.now)

    def fillable(self, order: Order) -> float:
        """How many units of an order may be done: what reduces, or sells, never goes through zero where it must not."""
        held = self.state.account.position[order.i]
        size = abs(order.quantity)
        # By the position now, not the one at placing: another fill may have closed it since.
        if order.reduce_only:
            return min(size, abs(held)) if held * order.quantity < 0.0 else 0.0
        if order.quantity < 0.0 and not self.state.gate.allow_short:
            return min(size, max(held, 0.0))
        return size

    @cold
    def fill(self, order: Order, quantity: float, price: float, maker: bool, bar: Bar, source: int) -> None:
        """Take a fill into the account, end or shrink its order and those that hang on it, and tell the strategy."""
        state = self.state
        account = state.account
        i = order.i
        step = order.turn
        unit_value = price * account.multiplier[i]
        fee = state.broker.fee.of_part(
            abs(quantity), unit_value, maker, order.filled, order.filled_value, order.fees_paid
        )
        order.filled += abs(quantity)
        order.filled_value += abs(quantity) * unit_value
        order.fees_paid += fee
        state.remaining_volume[i] -= abs(quantity)
        state.apply_fill(i, quantity, price, (quantity * unit_value + fee) * account.rate[i])
        self.explicit_orders.shrink(order, quantity)
        self.explicit_orders.release(order, abs(quantity), price, step, bar.open_time)
        for q in range(account.count):
            child = account.orders[account.queue[q]]
            if child.state == OPEN and child.parent == order.number and child.turn == NEVER and child.i == i:
                self.place_child(child, step, bar, source)
        state.publish_fill(i, order.number, quantity, price, fee, bar.open_time if step == AT_OPEN else bar.time)

    def place_child(self, child: Order, step: int, bar: Bar, source: int) -> None:
        """When in the rest of the bar a child of what was just filled has its turn."""
        if step == AT_CLOSE or not self.is_active(child, bar):
            return
        if step == AT_OPEN:
            child.turn = self.state.broker.turn(child, bar, source)
        else:
            child.turn = max(step, self.state.broker.fresh_turn(child, bar))
