"""From a target to the one order of an instrument that makes for it."""

import math
from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.simulated_broker import SAME_CLOSE
from strades_pipelines.engine.state import EngineState
from strades_pipelines.market.limits import is_exit
from strades_pipelines.strategy.events import BEGINNING, TIMER, OrderChange
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    AT_TARGET,
    BELOW_ZERO,
    CANCELLED,
    INSUFFICIENT_CASH,
    NO_PRICE,
    NOT_FINITE,
    OPEN,
    REJECTED,
    RUINED,
    SUPERSEDED,
)

# A change of a target by less than this part of it is what rounding made of the same number.
SAME = 1e-9


class Targets:
    """Decides, makes and fills the orders for targets.

    By instrument: `retry`, whether a tactic held the target back; `filled`, `filled_value` and `fees_paid`, the units,
    notional and fee that were filled of its order (see `Fee.of_part`); `unpaid`, whether it waits for the sales of its
    instant, and the open that is its own then; `half_spread` and the time of the last quote. `postponed`: whether a
    target waits for the instant's end.
    """

    references: ClassVar = ("state", "cash_rules")

    def __init__(self, state: EngineState, cash_rules: CashRules) -> None:
        self.state = state
        self.cash_rules = cash_rules
        size = state.account.size
        self.retry = [0] * size
        self.filled = [0.0] * size
        self.filled_value = [0.0] * size
        self.fees_paid = [0.0] * size
        self.unpaid = [0] * size
        self.unpaid_price = [0.0] * size
        self.unpaid_at = [0] * size
        self.half_spread = [0.0] * size
        self.quote_time = [BEGINNING] * size
        self.postponed = False

    @cold
    def decide(self, i: int, target: float, trigger: int) -> None:
        """Make the order for what is missing to `target` units, or keep why there is none.

        It takes the place of one that was not done yet, unless it would be the same: an instrument has one order for
        its target at a time. A target without a price yet waits for it; a purchase that a sale of the same instant may
        pay for, for the instant's end.
        """
        state = self.state
        account = state.account
        previous = account.decided[i]
        # NaN is no target yet: a strategy that sets none must not be refused as not finite.
        if math.isnan(target) and math.isnan(previous):
            return
        if account.now < state.opened_at:
            account.target[i] = previous
            return
        if self.cash_rules.unpaid_count > 0 and self.unpaid[i] != 0:
            self.postponed = True
            return
        quantity = target - account.position[i]
        if state.waits_for_price and math.isfinite(quantity) and math.isnan(account.price[i] * account.unit[i]):
            return
        account.decided[i] = target
        self.retry[i] = 0
        if account.pending[i] != 0.0:
            if self.is_pending(i, target, quantity):
                state.journal.decision(account.now, i, previous, target, 0, AT_TARGET, trigger)
                return
            self.end_target(i, CANCELLED, SUPERSEDED)
        outcome = NOT_FINITE
        turned = False
        if math.isfinite(quantity):
            if abs(quantity) <= SAME * max(abs(target), abs(account.position[i])):
                quantity = 0.0
            quantity = state.gate.in_lots(i, state.gate.for_target(account, i, quantity))
            if state.gate.fits_cash:
                quantity = self.fitted(i, quantity)
            outcome = self.allowed(i, quantity)
            if self.cash_rules.waits_for_sales(outcome):
                account.decided[i] = previous
                self.postponed = True
                return
            turned = self.is_turn_refused(i, quantity, outcome)
            if turned:
                quantity = -account.position[i]
        number = 0
        if outcome == ACCEPTED or turned:
            number = account.next_number
            account.next_number += 1
            account.pending[i] = quantity
            account.pending_number[i] = number
            account.pending_from[i] = account.now + state.broker.latency
            self.filled[i] = 0.0
            self.filled_value[i] = 0.0
            self.fees_paid[i] = 0.0
            account.mark_busy(i)
            state.gate.count_order(account.now)
        state.journal.decision(account.now, i, previous, target, number, outcome, trigger)
        # Journal first: `on_order` may decide again, and its decision must come after this one.
        if number != 0:
            state.strategy.on_order(OrderChange(i, account.now, number, quantity, OPEN, ACCEPTED), account)
            if state.broker.fill == SAME_CLOSE and account.price_time[i] == account.now and state.broker.latency == 0:
                price = account.price[i]
                if self.quote_time[i] == account.now:
                    price += self.half_spread[i] if quantity > 0.0 else -self.half_spread[i]
                self.fill_target(i, price, account.now)

    @cold
    def refuse_wishes(self) -> None:
        """Refuse each weight or amount of money that has had no price: NaN units, since nobody can say how many."""
        state = self.state
        account = state.account
        if account.now >= state.opened_at:
            for i in range(account.size):
                if account.wish[i] == account.wish[i]:
                    state.journal.decision(account.now, i, account.decided[i], math.nan, 0, NO_PRICE, TIMER)

    def is_pending(self, i: int, target: float, quantity: float) -> bool:
        """Whether the order that waits for a fill is for the `quantity` to `target`, as the gate of a wallet counts."""
        state = self.state
        account = state.account
        wanted = state.gate.in_lots(i, state.gate.for_target(account, i, quantity))
        return abs(wanted - account.pending[i]) <= SAME * max(abs(target), abs(account.position[i]))

    def is_turn_refused(self, i: int, quantity: float, outcome: int) -> bool:
        """Whether a position was to be turned and may not: then it is closed at least."""
        held = self.state.account.position[i]
        by_limit = outcome != ACCEPTED and outcome != AT_TARGET and outcome != NO_PRICE and outcome != BELOW_ZERO
        return by_limit and held * (held + quantity) < 0.0

    @cold
    def allowed(self, i: int, quantity: float) -> int:
        """ACCEPTED, or why no order for the target of instrument `i` is made."""
        state = self.state
        account = state.account
        if quantity == 0.0:
            return AT_TARGET
        price = account.price[i]
        if math.isnan(price * account.unit[i]):
            return NO_PRICE
        held = account.position[i]
        if held + quantity < 0.0 and not state.gate.allow_short:
            return BELOW_ZERO
        # What closes a position is never held back.
        if is_exit(held, quantity):
            account.pending_reserved[i] = self.cash_rules.reserved_by_sale(i, quantity)
            return ACCEPTED
        if state.is_ruined:
            return RUINED
        outcome = self.held_back(i)
        if outcome != ACCEPTED:
            self.retry[i] = 1
            return outcome
        unit = price * account.unit[i]
        reserved = 0.0
        if quantity > 0.0 and state.gate.is_cash_account:
            fee = state.broker.fee.estimate(quantity, price * account.multiplier[i])
            reserved = quantity * unit + fee * account.rate[i]
        outcome = state.gate.check_limits(account, i, quantity, unit, reserved)
        if outcome == ACCEPTED:
            account.pending_reserved[i] = reserved
        return outcome

    @cold
    def fitted(self, i: int, quantity: float) -> float:
        """A purchase for a target, or what of it cash and fee allow at the last price."""
        account = self.state.account
        price = account.price[i]
        held = account.position[i]
        if quantity <= 0.0 or not self.state.gate.is_cash_account or (held < 0.0 and held + quantity <= 0.0):
            return quantity
        cash = account.cash
        # What other orders reserve is not there for this one.
        account.cash -= account.reserved
        if self.cash_rules.is_overdrawn(i, quantity, price) and not self.cash_rules.may_be_paid_later(i):
            quantity = self.cash_rules.affordable(i, quantity, price)
        account.cash = cash
        return quantity

    def held_back(self, i: int) -> int:
        """ACCEPTED, or why a tactic refuses a larger position in instrument `i` now."""
        outcome = ACCEPTED
        for tactic in self.state.tactics:
            if outcome == ACCEPTED:
                outcome = tactic.outcome(i, self.state.account)
        return outcome

    @cold
    def aimed(self, i: int) -> float:
        """What the tactics make of the strategy's target; before the opening they are not asked."""
        state = self.state
        account = state.account
        if account.now < state.opened_at:
            account.target[i] = account.decided[i]
        target = account.target[i]
        if account.now >= state.opened_at and target == target:
            for tactic in state.tactics:
                target = tactic.aim(i, target, account)
            if self.retry[i] != 0 and target != account.position[i] and self.held_back(i) == ACCEPTED:
                self.retry[i] = 0
                account.decided[i] = account.position[i]
        return target

    @cold
    def end_target(self, i: int, new_state: int, reason: int) -> None:
        """End the order for the target of instrument `i` before it is done."""
        state = self.state
        account = state.account
        number = account.pending_number[i]
        quantity = account.pending[i]
        self.free_pending(i)
        state.journal.order(number, i, quantity, account.now, new_state, reason)
        state.strategy.on_order(OrderChange(i, account.now, number, quantity, new_state, reason), account)

    def free_pending(self, i: int) -> None:
        """The order for the target of instrument `i` is over."""
        account = self.state.account
        account.pending_reserved[i] = 0.0
        account.pending[i] = 0.0
        account.clear_busy(i)

    def shrink_target(self, i: int, wanted: float, quantity: float) -> None:
        """Of the `wanted` units of the order for a target `quantity` are done."""
        account = self.state.account
        rest = self.state.gate.in_lots(i, wanted - quantity)
        if rest == 0.0 or rest * wanted < 0.0:
            self.free_pending(i)
        else:
            account.pending_reserved[i] *= rest / wanted
            account.pending[i] = rest

    @cold
    def fill_target(self, i: int, price: float, filled_at: int) -> None:
        """Fill the order for the target of instrument `i` at `price`, as far as the volume allows."""
        state = self.state
        account = state.account
        if state.converts:
            state.use_rate(i, filled_at)
        wanted = account.pending[i]
        if wanted < 0.0 and not state.gate.allow_short:
            wanted = -min(-wanted, max(account.position[i], 0.0))
        if wanted == 0.0:
            self.end_target(i, REJECTED, BELOW_ZERO)
            return
        quantity = wanted
        if state.measures:
            size = state.gate.in_lots(i, min(abs(wanted), state.remaining_volume[i]))
            if size <= 0.0:
                return
            quantity = size if wanted > 0.0 else -size
        number = account.pending_number[i]
        at = price
        price = state.gate.in_ticks(i, state.broker.worse(at, quantity, state.volume[i]))
        is_cut = self.cash_rules.is_overdrawn(i, quantity, price)
        if is_cut:
            if self.cash_rules.may_be_paid_later(i):
                self.unpaid[i] = 1
                self.unpaid_price[i] = at
                self.unpaid_at[i] = filled_at
                self.cash_rules.unpaid_count += 1
                return
            quantity = self.cash_rules.affordable(i, quantity, price)
            if quantity <= 0.0:
                self.cut(i, REJECTED)
                return
        unit_value = price * account.multiplier[i]
        fee = state.broker.fee.of_part(
            abs(quantity), unit_value, False, self.filled[i], self.filled_value[i], self.fees_paid[i]
        )
        self.filled[i] += abs(quantity)
        self.filled_value[i] += abs(quantity) * unit_value
        self.fees_paid[i] += fee
        self.shrink_target(i, wanted, quantity)
        state.remaining_volume[i] -= abs(quantity)
        state.apply_fill(i, quantity, price, (quantity * unit_value + fee) * account.rate[i])
        state.publish_fill(i, number, quantity, price, fee, filled_at)
        if is_cut and account.pending[i] != 0.0 and account.pending_number[i] == number:
            self.cut(i, CANCELLED)

    @cold
    def cut(self, i: int, new_state: int) -> None:
        """Of the order for a target the cash pays no more: the rest ends, or waits for a sale that is under way."""
        if not (self.cash_rules.shares_cash and self.cash_rules.has_open_sales(i)):
            self.end_target(i, new_state, INSUFFICIENT_CASH)
