"""The gate between a decision and an order: sizes it, and refuses it with a reason."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.market.books import Books
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import Order, Refusal, TradingDecision
from strades_pipelines.market.rounding import exact, to_lots


@dataclass(frozen=True, slots=True)
class Limits:
    """What a wallet allows. `max_notional` is the value of one position as a part of equity."""

    opened_at: datetime
    max_age: timedelta
    fee_rate: Decimal
    active: bool = True
    max_notional: Decimal = Decimal(1)


class GateError(Exception):
    """The gate's answer, on its way out."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


def gate(
    decision: TradingDecision,
    listing: Listing,
    books: Books,
    *,
    prices: Mapping[int, Decimal],
    now: datetime,
    limits: Limits,
    seen: Container[str],
    held_back: GateError | None = None,
) -> Order | Refusal:
    """The order that brings position and open orders to the decision's target, or why there is none.

    Args:
        prices: the last known price by listing id; a listing that has none is absent.
        seen: intent ids that exist already.
        held_back: why no position may be made larger now.
    """
    try:
        check_admission(decision, now=now, limits=limits, seen=seen)
        quantity = _quantity(decision, listing, books)
        if listing.listing_id not in prices:
            raise GateError("no_price", f"no price of {listing.name} is known at {now}")
        if held_back is not None and quantity > 0:
            raise held_back
        price = prices[listing.listing_id]
        reserved = quantity * price + percent_fee(quantity, price, limits.fee_rate) if quantity > 0 else Decimal(0)
        side = "buy" if quantity > 0 else "sell"
        order = Order(
            intent_id=decision.intent_id(),
            decision_id=decision.decision_id,
            i=decision.i,
            listing_id=listing.listing_id,
            side=side,
            quantity=abs(quantity),
            decided_at=decision.decided_at,
            reserved=reserved,
        )
        check_order(order, listing, books, prices=prices, limits=limits)
    except GateError as refused:
        return Refusal(decision.decision_id, refused.code, refused.detail)
    return order


def check_admission(decision: TradingDecision, *, now: datetime, limits: Limits, seen: Container[str]) -> None:
    """Refuse what a wallet may not take up at all.

    Raises:
        GateError: wallet_halted, before_opening, stale or duplicate.
    """
    age = now - decision.decided_at
    if not limits.active:
        raise GateError("wallet_halted", "the wallet is halted")
    if decision.decided_at < limits.opened_at:
        raise GateError("before_opening", f"decided at {decision.decided_at}, the wallet opened at {limits.opened_at}")
    if age > limits.max_age:
        raise GateError("stale", f"expected an age of at most {limits.max_age}, was {age}")
    if decision.intent_id() in seen:
        raise GateError("duplicate", f"the intent {decision.intent_id()} exists")


def check_order(order: Order, listing: Listing, books: Books, *, prices: Mapping[int, Decimal], limits: Limits) -> None:
    """Refuse an order that the account cannot carry; what makes a position smaller always passes the size limit.

    Raises:
        GateError: not_positive, lot_precision, position_below_zero, cash_below_zero or notional_over_equity.
    """
    price = prices[order.listing_id]
    if not (order.quantity.is_finite() and order.quantity > 0 and price.is_finite() and price > 0):
        raise GateError("not_positive", f"expected a positive quantity and price, was {order.quantity} at {price}")
    if order.quantity % listing.lot:
        raise GateError("lot_precision", f"expected whole lots of {listing.lot}, was {order.quantity}")
    after = books.held(order.listing_id) + books.pending(order.listing_id) + order.signed
    if after < 0:
        raise GateError("position_below_zero", f"it would leave {after} of {listing.name}; borrowing is not modelled")
    if order.side == "sell":
        return
    free = books.free_cash()
    if order.reserved > free:
        raise GateError("cash_below_zero", f"expected at most {free} {listing.currency}, was {order.reserved}")
    limit = limits.max_notional * books.equity(prices)
    if after * price > limit:
        raise GateError("notional_over_equity", f"expected at most {limit} {listing.currency}, was {after * price}")


def _quantity(decision: TradingDecision, listing: Listing, books: Books) -> Decimal:
    """Signed units still to trade, in whole lots, never zero."""
    try:
        target = exact(decision.target)
    except ValueError as error:
        raise GateError("not_finite", f"target: {error}") from None
    difference = target - books.held(listing.listing_id) - books.pending(listing.listing_id)
    try:
        quantity = to_lots(difference, listing.lot)
    except ValueError as error:
        raise GateError("lot_precision", str(error)) from None
    if quantity == 0:
        raise GateError("already_at_target", f"held and ordered are within a lot of {target}")
    return quantity
