"""From a decision to the one order it may become."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.market.ids import base32_id


@dataclass(frozen=True, slots=True)
class TradingDecision:
    """A strategy's change of mind about one listing: hold `target` units, decided at the trigger's knowledge time."""

    wallet: str
    strategy: str
    i: int
    listing_id: int
    decided_at: datetime
    trigger_kind: str
    trigger_id: str
    ordinal: int
    previous_target: float
    target: float
    reason: str
    inputs: dict[str, Any]

    @property
    def decision_id(self) -> str:
        """A function of what caused it, never of a counter over runs."""
        return base32_id(*self._cause())

    def intent_id(self, leg: int = 0) -> str:
        """The id of the decision's intent, which is the client order id at the venue."""
        return base32_id(*self._cause(), leg)

    def _cause(self) -> tuple[str | int | datetime, ...]:
        return self.wallet, self.strategy, self.listing_id, self.decided_at, self.trigger_id, self.ordinal


@dataclass(frozen=True, slots=True)
class Order:
    """A market order for whole lots. `reserved` is the cash it may take at the price it was sized with."""

    intent_id: str
    decision_id: str
    i: int
    listing_id: int
    side: str
    quantity: Decimal
    decided_at: datetime
    reserved: Decimal

    @property
    def signed(self) -> Decimal:
        """The change of the position when it is filled."""
        return self.quantity if self.side == "buy" else -self.quantity


@dataclass(frozen=True, slots=True)
class Refusal:
    """A decision that will never become an order, and why."""

    decision_id: str
    code: str
    detail: str
