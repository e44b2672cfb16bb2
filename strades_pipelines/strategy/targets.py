"""From a target to the one order of an instrument that makes for it."""

import math

from strades_pipelines.market.limits import is_exit
from strades_pipelines.strategy.broker import SAME_CLOSE
from strades_pipelines.strategy.compiler.rare import rarely
from strades_pipelines.strategy.events import OrderChange
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
    SUPERSEDED,
)
from strades_pipelines.strategy.state import EngineState


class Targets(EngineState):
    """Decides, makes and fills the orders for targets."""

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
            quantity = self.gate.in_lots(i, self.gate.for_target(account, i, quantity))
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
        if held + quantity < 0.0 and not self.gate.allow_short:
            return BELOW_ZERO
        if is_exit(held, quantity):
            return ACCEPTED
        outcome = self.held_back(i)
        if outcome != ACCEPTED:
            self.retry[i] = 1
            return outcome
        unit = price * account.unit[i]
        reserved = 0.0
        if quantity > 0.0 and self.gate.is_cash_account:
            reserved = quantity * unit + self.broker.fee.estimate(quantity, unit)
        outcome = self.gate.carried(account, i, quantity, unit, reserved)
        if outcome == ACCEPTED:
            account.pending_reserved[i] = reserved
        return outcome

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
