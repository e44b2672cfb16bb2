"""What a strategy sees of its account, and what it may ask for: plain numbers by the index of the instrument."""

import math
from typing import ClassVar

from strades_pipelines.strategy.events import BEGINNING
from strades_pipelines.strategy.orders import ANY, FREE, GTC, NEVER, NEW, NOT_GIVEN, OPEN, UNSET, Order

ORDERS = 64


class Account:
    """Targets and orders to write; positions, prices, cash and equity to read. All times are microseconds UTC.

    `target[i]` is in units; `price[i]` is the last close, NaN before the first, and `price_time[i]` its time; `cash` is
    in the account's currency, and `rate[i]` what one unit of the currency of instrument `i` is worth in it, NaN before
    that is known (see `rates`); `unit[i]` is multiplier times rate. `dividends` and `interest` are what was
    received and paid of them so far.
    """

    interleaved: ClassVar = (
        "target",
        "decided",
        "position",
        "price",
        "unit",
        "pending",
        "pending_reserved",
        "average",
        "multiplier",
        "rate",
        "price_time",
        "waiting",
        "pending_from",
        "pending_number",
    )

    def __init__(self, size: int, cash: float, orders: int = ORDERS) -> None:
        self.size = size
        self.cash = cash
        self.now = BEGINNING
        self.target = [0.0] * size
        self.decided = [0.0] * size
        self.position = [0.0] * size
        self.price = [math.nan] * size
        self.price_time = [BEGINNING] * size
        self.average = [0.0] * size
        self.pending = [0.0] * size
        self.pending_number = [0] * size
        self.pending_from = [0] * size
        self.pending_reserved = [0.0] * size
        # The instruments whose orders wait for a fill, as many as `busy_count`, in no order.
        self.busy = [0] * size
        self.busy_count = 0
        self.waiting = [0] * size
        self.multiplier = [1.0] * size
        self.rate = [1.0] * size
        self.unit = [1.0] * size
        self.converts = False  # whether an instrument is in another currency
        self.dividends = 0.0
        self.interest = 0.0
        self.capacity = orders
        self.orders = [Order() for _ in range(orders)]
        self.queue = [0] * orders
        self.count = 0
        self.new_orders = 0
        self.next_number = 1
        self.next_group = 1
        # What was asked for of instruments without a price: a weight or, where `wants_weight` is 0, an amount of money.
        self.wish = [math.nan] * size
        self.wants_weight = [0] * size
        self.wishes = 0

    @property
    def constants(self) -> tuple[str, ...]:
        """What compiled code takes as given: that there is one instrument, which makes it much shorter."""
        return ("size",) if self.size == 1 else ()

    @property
    def gross(self) -> float:
        """The value of all positions, short ones counted as positive."""
        total = 0.0
        for i in range(self.size):
            if self.position[i] != 0.0:
                total += abs(self.position[i] * self.price[i] * self.unit[i])
        return total

    @property
    def reserved(self) -> float:
        """The cash that open purchases may take, where cash limits them."""
        total = 0.0
        for k in range(self.busy_count):
            total += self.pending_reserved[self.busy[k]]
        for q in range(self.count):
            order = self.orders[self.queue[q]]
            if order.state <= OPEN:
                total += order.reserved
        return total

    @property
    def equity(self) -> float:
        """Cash and the positions at their last closes."""
        total = self.cash
        for i in range(self.size):
            if self.position[i] != 0.0:
                total += self.position[i] * self.price[i] * self.unit[i]
        return total

    def set_weight(self, i: int, weight: float) -> None:
        """Aim at `weight` of the equity in instrument `i`, in units at its last close; without one at its first."""
        if math.isnan(self.price[i] * self.unit[i]):
            self.wait_for_price(i, weight, 1)
            return
        self.target[i] = weight * self.equity / (self.price[i] * self.unit[i])

    def set_notional(self, i: int, notional: float) -> None:
        """Aim at so much money in instrument `i`, in units at its last close; without one at its first."""
        if math.isnan(self.price[i] * self.unit[i]):
            self.wait_for_price(i, notional, 0)
            return
        self.target[i] = notional / (self.price[i] * self.unit[i])

    def wait_for_price(self, i: int, wish: float, is_weight: int) -> None:
        """Keep what is wanted of instrument `i` until it has a price; a new wish takes the place of an old one."""
        self.new_orders += 1
        if math.isnan(self.wish[i]):
            self.wishes += 1
        self.wish[i] = wish
        self.wants_weight[i] = is_weight
        # A NaN that is asked for is refused as one: it waits for nothing.
        if math.isnan(wish):
            self.wishes -= 1
            self.target[i] = wish

    def grant(self, i: int) -> None:
        """Turn what was wanted of instrument `i` into a target once it has a price, unless it got one since."""
        wish = self.wish[i]
        if wish == wish and not math.isnan(self.price[i] * self.unit[i]):
            self.wish[i] = math.nan
            self.wishes -= 1
            if self.target[i] == 0.0:
                if self.wants_weight[i] != 0:
                    self.set_weight(i, wish)
                else:
                    self.set_notional(i, wish)

    def order(
        self,
        i: int,
        quantity: float,
        limit: float = NOT_GIVEN,
        stop: float = NOT_GIVEN,
        trail: float = NOT_GIVEN,
        on: int = ANY,
        time_in_force: int = GTC,
        reduce_only: bool = False,
        group: int = 0,
        parent: int = 0,
    ) -> int:
        """Ask for an order of `quantity` units, negative to sell; returns its number.

        It is taken up when the hook is over, and active from the next bar on. A market order unless there is a `limit`,
        a `stop` to wait for, both, or a `trail`: the distance a stop keeps behind the best price. `on` is ON_OPEN or
        ON_CLOSE for the next bar's; `time_in_force` GTC, DAY (of UTC), IOC or FOK (at the next open, or not at all).
        `reduce_only` never opens or turns a position. Orders of one `group` cancel one another; one with a `parent`
        waits for that order's fill. A number that is not finite is refused.

        Raises:
            ValueError: when the buffer of orders is full, or there is no such instrument.
        """
        if i < 0 or i >= self.size:
            raise ValueError("order: there is no instrument of this index")
        if self.count >= self.capacity:
            raise ValueError("the buffer of orders is full; cancel some, or give the account more")
        slot = self.free_slot()
        made = self.orders[slot]
        made.number = self.next_number
        made.i = i
        made.quantity = quantity
        made.limit = UNSET if limit == NOT_GIVEN else limit
        made.stop = UNSET if stop == NOT_GIVEN else stop
        made.trail = UNSET if trail == NOT_GIVEN else trail
        if wrong(limit) or wrong(stop) or wrong(trail):
            # The gate refuses a quantity that is not finite.
            made.quantity = math.nan
        made.best = self.price[i]
        made.reserved = 0.0
        made.time_in_force = time_in_force
        made.on = on
        made.group = group
        made.parent = parent
        made.reduce_only = reduce_only
        made.enlarges = False
        made.triggered = False
        made.decided_at = self.now
        made.active_from = self.now
        made.cancel_requested = False
        made.rested = False
        made.entered = UNSET
        made.heading = 0
        made.filled = 0.0
        made.filled_value = 0.0
        made.fees_paid = 0.0
        made.unpaid_price = UNSET
        made.turn = NEVER
        made.day = BEGINNING
        made.state = NEW
        self.queue[self.count] = slot
        self.count += 1
        self.new_orders += 1
        self.next_number += 1
        return made.number

    def bracket(self, i: int, quantity: float, stop: float, take_profit: float, limit: float = NOT_GIVEN) -> int:
        """An entry, and once it is filled a stop and a limit that cancel one another; returns the entry's number."""
        if not math.isfinite(stop) or not math.isfinite(take_profit):
            quantity = math.nan
        entry = self.order(i, quantity, limit=limit)
        group = self.new_group()
        self.order(i, -quantity, stop=stop, group=group, parent=entry, reduce_only=True)
        self.order(i, -quantity, limit=take_profit, group=group, parent=entry, reduce_only=True)
        return entry

    def new_group(self) -> int:
        """The number of a new group of orders of which one cancels the others."""
        group = self.next_group
        self.next_group += 1
        return group

    def cancel(self, number: int) -> None:
        """Cancel an order; one that is over stays what it is."""
        for q in range(self.count):
            order = self.orders[self.queue[q]]
            if order.number == number:
                order.cancel_requested = True
                self.new_orders += 1

    def cancel_all(self, i: int) -> None:
        """Cancel every order of instrument `i`."""
        for q in range(self.count):
            order = self.orders[self.queue[q]]
            if order.i == i:
                order.cancel_requested = True
                self.new_orders += 1

    def is_open(self, number: int) -> bool:
        """Whether an order is still under way."""
        for q in range(self.count):
            if self.orders[self.queue[q]].number == number and self.orders[self.queue[q]].state <= OPEN:
                return True
        return False

    def mark_busy(self, i: int) -> None:
        """One more order of instrument `i` waits for a fill."""
        if self.waiting[i] == 0:
            self.busy[self.busy_count] = i
            self.busy_count += 1
        self.waiting[i] += 1

    def clear_busy(self, i: int) -> None:
        """One order less of instrument `i` waits."""
        self.waiting[i] -= 1
        if self.waiting[i] == 0:
            self.busy_count -= 1
            last = self.busy[self.busy_count]
            for k in range(self.busy_count):
                if self.busy[k] == i:
                    self.busy[k] = last

    def free_slot(self) -> int:
        """A slot of the buffer that nobody uses."""
        for slot in range(self.capacity):
            if self.orders[slot].state == FREE:
                return slot
        raise ValueError("the buffer of orders is full; cancel some, or give the account more")


def wrong(condition: float) -> bool:
    """Whether an order's limit, stop or trail was given, and is no price."""
    return condition != NOT_GIVEN and not math.isfinite(condition)
