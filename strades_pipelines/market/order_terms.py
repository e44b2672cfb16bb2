"""From a decision to the orders it may become."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.market.ids import base32_id

BY_PERSON = "person"  # the trigger of a decision that no strategy made


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order waits for and how long it stands; prices in the listing's currency.

    Args:
        limit: the worst price it takes.
        stop: the price that sets it off.
        trail: how far a stop stays behind the best price since.
        time_in_force: gtc, day (of UTC), ioc, or fok.
        auction: `open` or `close` of the next bar; None for any time.
        reduce_only: it never opens or turns a position.
        group: orders of one group cancel one another; the intent id of the first of them.
        parent_id: the intent id of the order whose fill it waits for.
        replaces: the intent id of the order in whose place it is to stand.
    """

    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: str = "gtc"
    auction: str | None = None
    reduce_only: bool = False
    group: str | None = None
    parent_id: str | None = None
    replaces: str | None = None

    @property
    def is_market(self) -> bool:
        """Whether it waits for nothing."""
        return self.limit is None and self.stop is None and self.trail is None and self.auction is None

    @property
    def order_type(self) -> str:
        """The field's word for it, as `trading.intents` keeps it."""
        if self.trail is not None:
            return "trailing_stop"
        if self.stop is not None:
            return "stop" if self.limit is None else "stop_limit"
        return "market" if self.limit is None else "limit"


MARKET = OrderTerms()


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order that a strategy asked for itself: signed units and terms. It stands beside the listing's target."""

    quantity: Decimal
    terms: OrderTerms


@dataclass(frozen=True, slots=True)
class TradingDecision:
    """A strategy's change of mind about one listing, decided at the trigger's knowledge time.

    It is to hold `target` units, or where there is a `request`, to have that order sent.
    `ordinal` counts the decisions on the listing at that instant.
    """

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
    request: OrderRequest | None = None

    @property
    def decision_id(self) -> str:
        """A function of its place, never of a counter over runs, and not of its trigger.

        A forecast that is made anew has another id; the decision for that instant it may not repeat.
        """
        return base32_id(*self._cause())

    @property
    def is_by_person(self) -> bool:
        """Whether a person asked for it."""
        return self.trigger_kind == BY_PERSON

    def intent_id(self, leg: int = 0) -> str:
        """The id of the decision's intent, which is the client order id at the venue."""
        return base32_id(*self._cause(), leg)

    def _cause(self) -> tuple[str | int | datetime, ...]:
        return self.wallet, self.strategy, self.listing_id, self.decided_at, self.ordinal


@dataclass(frozen=True, slots=True)
class Order:
    """An order for whole lots.

    Args:
        reserved: the cash it may take at the price it was sized with.
        is_for_target: whether it makes for a target; else a strategy, or a person, asked for it itself.
        strategy: what its decision has as its strategy, and whether a person decided.
    """

    intent_id: str
    decision_id: str
    i: int
    listing_id: int
    side: str
    quantity: Decimal
    decided_at: datetime
    reserved: Decimal
    terms: OrderTerms = MARKET
    is_for_target: bool = True
    strategy: str = ""
    is_by_person: bool = False

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
