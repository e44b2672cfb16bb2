"""What a strategy asks for in its hooks, taken up when they are over: targets that changed, and explicit orders."""

from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.cash_rules import CashRules
from strades_pipelines.engine.explicit_orders import ExplicitOrders
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.strategy.events import TIMER
from strades_pipelines.strategy.strategy import Strategy


class StrategyRequests:
    """Passes requests on to the parts that decide on them.

    `are_for_any`: whether a hook may change the target of another instrument than the one whose event it is about.
    """

    constants: ClassVar = ("are_for_any",)
    references: ClassVar = ("state", "cash_rules", "targets", "explicit_orders")

    def __init__(
        self, state: EngineState, cash_rules: CashRules, targets: Targets, explicit_orders: ExplicitOrders
    ) -> None:
        self.state = state
        self.cash_rules = cash_rules
        self.targets = targets
        self.explicit_orders = explicit_orders
        self.are_for_any = state.account.size > 1 or _has_hooks_of_no_instrument(state.strategy)

    def process(self, i: int, trigger: int) -> None:
        """Take up what was asked for in instrument `i`, and explicit orders in any; `trigger` is a kind of event."""
        state = self.state
        account = state.account
        if account.new_orders > 0:
            self.explicit_orders.admit(trigger)
        target = account.target[i]
        if len(state.tactics) > 0:
            target = self.targets.aimed(i)
        if target != account.decided[i]:
            self.targets.decide(i, target, trigger)

    def are_new(self) -> bool:
        """Whether a target is not the one decided on; one by one, since lists of the same NaN are equal to Python."""
        account = self.state.account
        target = account.target
        decided = account.decided
        for i in range(account.size):  # noqa: SIM110 (what is compiled has plain loops)
            if target[i] != decided[i]:
                return True
        return False

    @cold
    def process_all(self) -> None:
        """Take up what was asked for in instruments whose own event had passed."""
        state = self.state
        account = state.account
        for i in range(account.size):
            if len(state.tactics) > 0 or account.target[i] != account.decided[i]:
                self.process(i, TIMER)

    @cold
    def process_postponed(self) -> None:
        """Take up what waited for the sales of the instant: what they paid is there, or is not."""
        self.cash_rules.is_instant_over = True
        self.targets.postponed = False
        self.process_all()
        if self.state.account.new_orders > 0:
            self.explicit_orders.admit(TIMER)
        self.cash_rules.is_instant_over = False


def _has_hooks_of_no_instrument(strategy: Strategy) -> bool:
    """Whether a strategy has hooks in which it may change the target of an instrument whose own event has passed."""
    hooks = ("on_timer", "on_fill", "on_order")
    return any(getattr(type(strategy), hook) is not getattr(Strategy, hook) for hook in hooks)
