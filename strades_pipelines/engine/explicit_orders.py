"""Explicit orders: how they are taken up, and what hangs on each other when one is done or ends."""

import math
from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.order_exposure import is_at_market, left_for
from strades_pipelines.engine.quiet_bands import QuietBands
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.market.limits import is_exit
from strades_pipelines.strategy.events import OrderChange
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    ASKED_FOR,
    AT_CLOSE,
    AT_OPEN,
    BEFORE_OPENING,
    CANCELLED,
    FILLED,
    FREE,
    LOT_PRECISION,
    NEW,
    NO_PRICE,
    NOT_REDUCING,
    OPEN,
    OTHER_DONE,
    REJECTED,
    RUINED,
    UNSET,
    WAITING,
    Order,
)


class ExplicitOrders:
    """Admits, ends, shrinks and releases the orders that a strategy makes itself.

    `unanswered` is how many of them wait for a price or for the sales of their instant.
    """

    references: ClassVar = ("state", "cash_rules", "targets", "quiet_bands")

    def __init__(self, state: EngineState, cash_rules: CashRules, targets: Targets, quiet_bands: QuietBands) -> None:
        self.state = state
        self.cash_rules = cash_rules
        self.targets = targets
        self.quiet_bands = quiet_bands
        self.unanswered = 0

    @cold
    def admit(self, trigger: int) -> None:
        """Pass what the strategy ordered through the gate, and cancel what it wants cancelled, until it asks no more.

        Orders without a price yet, and purchases that a sale of the same instant may pay for, stay new.

        Raises:
            ValueError: when it never ends.
        """
        account = self.state.account
        rounds = 0
        if account.wishes > 0:
            for i in range(account.size):
                account.grant(i)
        while account.new_orders > 0:
            account.new_orders = 0
            self.unanswered = 0
            rounds += 1
            if rounds > account.capacity:
                raise ValueError("on_order answers every order with another one")
            # Up to the count of now: what `on_order` adds meanwhile is taken up in the next round.
            for q in range(account.count):
                order = account.orders[account.queue[q]]
                if order.state == NEW:
                    self.admit_one(order, trigger)
                if order.cancel_requested and order.state <= OPEN:
                    self.end(order, CANCELLED, ASKED_FOR)
            self.compact()
        # They are asked for again with the next event, and when the instant ends.
        account.new_orders = self.unanswered + account.wishes

    @cold
    def admit_one(self, order: Order, trigger: int) -> None:
        """Open or refuse one new order; either is a decision."""
        state = self.state
        account = state.account
        held = account.position[order.i]
        outcome = BEFORE_OPENING
        wanted = order.quantity
        if account.now >= state.opened_at:
            order.quantity = state.gate.in_lots(order.i, wanted)
            order.limit = state.gate.limit_in_ticks(order.i, order.limit, wanted > 0.0)
            if math.isnan(order.best):
                order.best = account.price[order.i]
            outcome = self.admission(order) if order.quantity != 0.0 else LOT_PRECISION
        if (outcome == NO_PRICE and state.waits_for_price) or self.cash_rules.waits_for_sales(outcome):
            order.quantity = wanted
            order.reserved = 0.0
            self.unanswered += 1
            return
        state.journal.decision(account.now, order.i, held, held + wanted, order.number, outcome, trigger)
        if outcome != ACCEPTED:
            order.reserved = 0.0
            self.end(order, REJECTED, outcome)
            return
        order.state = WAITING if order.parent != 0 else OPEN
        order.active_from = account.now + state.broker.latency
        account.mark_busy(order.i)
        state.gate.count_order(account.now)
        self.change(order, order.state, ACCEPTED)

    def admission(self, order: Order) -> int:
        """What tactics and gate make of an order of the strategy's own; sets aside the cash that it may take."""
        state = self.state
        account = state.account
        i = order.i
        left = left_for(account, order, False)
        outcome = state.gate.outcome(account, order)
        if outcome != ACCEPTED or order.reduce_only or is_exit(left, order.quantity):
            if outcome == ACCEPTED and order.parent == 0 and is_at_market(order):
                order.reserved = self.cash_rules.reserved_by_sale(i, order.quantity)
            return outcome
        outcome = RUINED if state.is_ruined else self.targets.held_back(i)
        if outcome == ACCEPTED:
            unit = state.gate.unit_price(account, order)
            reserved = 0.0
            if order.quantity > 0.0 and state.gate.is_cash_account:
                fee = state.broker.fee.estimate(order.quantity, unit / account.rate[i])  # in the instrument's currency
                reserved = order.quantity * unit + fee * account.rate[i]
            outcome = state.gate.check_limits(
                account, i, order.quantity, unit, reserved, state.gate.distance(account, order)
            )
            order.reserved = reserved
            order.enlarges = order.parent != 0
        return outcome

    def change(self, order: Order, new_state: int, reason: int) -> None:
        """Write a change of an order into the journal, and call the strategy's `on_order`."""
        state = self.state
        now = state.account.now
        self.quiet_bands.forget(order.i)
        state.journal.order(order.number, order.i, order.quantity, now, new_state, reason)
        state.strategy.on_order(
            OrderChange(order.i, now, order.number, order.quantity, new_state, reason), state.account
        )

    @cold
    def end(self, order: Order, new_state: int, reason: int) -> None:
        """End an order; those that wait for it end too. Its slot is free once the queue is compact."""
        account = self.state.account
        if order.state == OPEN or order.state == WAITING:
            account.clear_busy(order.i)
        order.state = new_state
        self.change(order, new_state, reason)
        if new_state != FILLED:
            for q in range(account.count):
                child = account.orders[account.queue[q]]
                if child.state == WAITING and child.parent == order.number:
                    account.clear_busy(child.i)
                    child.state = CANCELLED
                    self.change(child, CANCELLED, OTHER_DONE)

    def compact(self) -> None:
        """Close the gaps that ended orders left in the queue; the others keep their turn."""
        account = self.state.account
        kept = 0
        for q in range(account.count):
            slot = account.queue[q]
            if account.orders[slot].state <= OPEN:
                account.queue[kept] = slot
                kept += 1
            else:
                account.orders[slot].state = FREE
        account.count = kept

    def shrink(self, order: Order, quantity: float) -> None:
        """Of an order `quantity` is done. It ends when nothing is left; without a position to reduce its rest does."""
        account = self.state.account
        rest = self.state.gate.in_lots(order.i, order.quantity - quantity)
        if rest * order.quantity <= 0.0:
            order.reserved = 0.0
            self.end(order, FILLED, ACCEPTED)
        elif order.reduce_only and account.position[order.i] == 0.0:
            order.reserved = 0.0
            self.end(order, CANCELLED, NOT_REDUCING)
        else:
            order.reserved *= rest / order.quantity
            order.quantity = rest

    @cold
    def release(self, order: Order, size: float, price: float, step: int, since: int) -> None:
        """After a fill: its children open, its parent's rest is taken back, the others of its group shrink or end."""
        account = self.state.account
        for q in range(account.count):
            other = account.orders[account.queue[q]]
            if other.state == WAITING and other.parent == order.number:
                other.state = OPEN
                other.active_from = account.now if step == AT_CLOSE else since
                other.entered = price if AT_OPEN < step < AT_CLOSE else UNSET
                other.heading = self.heading(order)
                other.best = price
                self.change(other, OPEN, ACCEPTED)
            elif other.state == OPEN and other.number == order.parent:
                self.end(other, CANCELLED, OTHER_DONE)
            elif order.group != 0 and other.group == order.group and other.number != order.number:
                self.one_cancels(order, other, size)

    @cold
    def heading(self, order: Order) -> int:
        """Which extreme of the bar surely comes after an order's fill inside it: 1 the high, -1 the low, 0 neither."""
        stops = not math.isnan(order.stop) or not math.isnan(order.trail)
        if stops and not math.isnan(order.limit):
            return 0
        heading = 1 if (order.quantity > 0.0) == stops else -1
        return heading if math.isnan(order.entered) or order.heading == heading else 0

    def one_cancels(self, order: Order, other: Order, size: float) -> None:
        """Another of the same group has as much less to do; nothing when this one is done."""
        if other.state != OPEN and other.state != WAITING:
            return
        rest = self.state.gate.in_lots(other.i, abs(other.quantity) - size)
        if order.state != OPEN or rest <= 0.0 or order.quantity * other.quantity < 0.0:
            self.end(other, CANCELLED, OTHER_DONE)
        else:
            other.reserved *= rest / abs(other.quantity)
            other.quantity = rest if other.quantity > 0.0 else -rest

    @cold
    def reduce_by_recorded_fill(self, i: int, number: int, quantity: float, price: float) -> None:
        """Of the order of this `number`, for a target or explicit, `quantity` units were filled elsewhere."""
        account = self.state.account
        if account.pending[i] != 0.0 and account.pending_number[i] == number:
            self.targets.shrink_target(i, account.pending[i], quantity)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.number == number and order.state == OPEN:
                self.shrink(order, quantity)
                self.release(order, abs(quantity), price, AT_CLOSE, account.now)
        self.compact()
