"""From a target to the one order of an instrument that makes for it."""

import math

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.simulated_broker import SAME_CLOSE
from strades_pipelines.engine.state import EngineState
from strades_pipelines.market.limits import is_exit
from strades_pipelines.strategy.events import TIMER, OrderChange
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


class Targets(EngineState):
    """Decides, makes and fills the orders for targets."""

    @rarely
    def decide(self, i: int, target: float, trigger: int) -> None:
        """Make the order for what is missing to `target` units, or keep why there is none.

        It takes the place of one that was not done yet, unless it would be the same: an instrument has one order for
        its target at a time. A target without a price yet waits for it; a purchase that a sale of the same instant may
        pay for, for the instant's end.
        """
        account = self.account
        previous = account.decided[i]
        if math.isnan(target) and math.isnan(previous):
            return
        if account.now < self.opened_at:
            account.target[i] = previous
            return
        if self.unpaid_count > 0 and self.unpaid[i] != 0:
            self.postponed = True
            return
        quantity = target - account.position[i]
        if self.waits_for_price and math.isfinite(quantity) and math.isnan(account.price[i] * account.unit[i]):
            return
        account.decided[i] = target
        self.retry[i] = 0
        if account.pending[i] != 0.0:
            if self.is_pending(i, target, quantity):
                self.journal.decision(account.now, i, previous, target, 0, AT_TARGET, trigger)
                return
            self.end_target(i, CANCELLED, SUPERSEDED)
        outcome = NOT_FINITE
        turned = False
        if math.isfinite(quantity):
            if abs(quantity) <= SAME * max(abs(target), abs(account.position[i])):
                quantity = 0.0
            quantity = self.gate.in_lots(i, self.gate.for_target(account, i, quantity))
            if self.gate.fits_cash:
                quantity = self.fitted(i, quantity)
            outcome = self.allowed(i, quantity)
            if self.waits_for_sales(outcome):
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
            account.pending_from[i] = account.now + self.broker.latency
            self.done[i] = 0.0
            self.worth[i] = 0.0
            self.paid[i] = 0.0
            account.waits(i)
            self.gate.count_order(account.now)
        self.journal.decision(account.now, i, previous, target, number, outcome, trigger)
        if number != 0:
            self.strategy.on_order(OrderChange(i, account.now, number, quantity, OPEN, ACCEPTED), account)
            if self.broker.fill == SAME_CLOSE and account.price_time[i] == account.now and self.broker.latency == 0:
                price = account.price[i]
                if self.quote_time[i] == account.now:
                    price += self.half_spread[i] if quantity > 0.0 else -self.half_spread[i]
                self.fill_target(i, price, account.now)

    @rarely
    def refuse_wishes(self) -> None:
        """Refuse each weight or amount of money that has had no price: NaN units, since nobody can say how many."""
        account = self.account
        if account.now >= self.opened_at:
            for i in range(account.size):
                if account.wish[i] == account.wish[i]:
                    self.journal.decision(account.now, i, account.decided[i], math.nan, 0, NO_PRICE, TIMER)

    def is_pending(self, i: int, target: float, quantity: float) -> bool:
        """Whether the order that waits for a fill is for the `quantity` to `target`, as the gate of a wallet counts."""
        account = self.account
        wanted = self.gate.in_lots(i, self.gate.for_target(account, i, quantity))
        return abs(wanted - account.pending[i]) <= SAME * max(abs(target), abs(account.position[i]))

    def is_turn_refused(self, i: int, quantity: float, outcome: int) -> bool:
        """Whether a position was to be turned and may not: then it is closed at least."""
        held = self.account.position[i]
        by_limit = outcome != ACCEPTED and outcome != AT_TARGET and outcome != NO_PRICE and outcome != BELOW_ZERO
        return by_limit and held * (held + quantity) < 0.0

    @rarely
    def allowed(self, i: int, quantity: float) -> int:
        """ACCEPTED, or why no order for the target of instrument `i` is made."""
        account = self.account
        if quantity == 0.0:
            return AT_TARGET
        price = account.price[i]
        if math.isnan(price * account.unit[i]):
            return NO_PRICE
        held = account.position[i]
        if held + quantity < 0.0 and not self.gate.allow_short:
            return BELOW_ZERO
        if is_exit(held, quantity):
            account.pending_reserved[i] = self.proceeds(i, quantity)
            return ACCEPTED
        if self.is_ruined:
            return RUINED
        outcome = self.held_back(i)
        if outcome != ACCEPTED:
            self.retry[i] = 1
            return outcome
        unit = price * account.unit[i]
        reserved = 0.0
        if quantity > 0.0 and self.gate.is_cash_account:
            fee = self.broker.fee.estimate(quantity, price * account.multiplier[i])
            reserved = quantity * unit + fee * account.rate[i]
        outcome = self.gate.carried(account, i, quantity, unit, reserved)
        if outcome == ACCEPTED:
            account.pending_reserved[i] = reserved
        return outcome

    @rarely
    def fitted(self, i: int, quantity: float) -> float:
        """A purchase for a target, or what of it cash and fee allow at the last price."""
        account = self.account
        price = account.price[i]
        held = account.position[i]
        if quantity <= 0.0 or not self.gate.is_cash_account or (held < 0.0 and held + quantity <= 0.0):
            return quantity
        cash = account.cash
        account.cash -= account.reserved
        if self.is_overdrawn(i, quantity, price) and not self.may_be_paid(i):
            quantity = self.affordable(i, quantity, price)
        account.cash = cash
        return quantity

    def held_back(self, i: int) -> int:
        """ACCEPTED, or why a tactic refuses a larger position in instrument `i` now."""
        outcome = ACCEPTED
        for tactic in self.tactics:
            if outcome == ACCEPTED:
                outcome = tactic.outcome(i, self.account)
        return outcome

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
        account.waits_no_more(i)

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
        if self.converts:
            self.use_rate(i, filled_at)
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
        at = price
        price = self.gate.in_ticks(i, self.broker.worse(at, quantity, self.volume[i]))
        is_cut = self.is_overdrawn(i, quantity, price)
        if is_cut:
            if self.may_be_paid(i):
                self.unpaid[i] = 1
                self.unpaid_price[i] = at
                self.unpaid_at[i] = filled_at
                self.unpaid_count += 1
                return
            quantity = self.affordable(i, quantity, price)
            if quantity <= 0.0:
                self.cut(i, REJECTED)
                return
        worth = price * account.multiplier[i]
        fee = self.broker.fee.of_part(abs(quantity), worth, False, self.done[i], self.worth[i], self.paid[i])
        self.done[i] += abs(quantity)
        self.worth[i] += abs(quantity) * worth
        self.paid[i] += fee
        self.shrink_target(i, wanted, quantity)
        self.left[i] -= abs(quantity)
        self.take(i, quantity, price, (quantity * worth + fee) * account.rate[i])
        self.tell(i, number, quantity, price, fee, filled_at)
        if is_cut and account.pending[i] != 0.0 and account.pending_number[i] == number:
            self.cut(i, CANCELLED)

    @rarely
    def cut(self, i: int, state: int) -> None:
        """Of the order for a target the cash pays no more: the rest ends, or waits for a sale that is under way."""
        if not (self.shares_cash and self.has_sales(i)):
            self.end_target(i, state, INSUFFICIENT_CASH)
