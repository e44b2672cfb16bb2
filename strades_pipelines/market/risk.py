"""The gate between a decision and an order: sizes it, and refuses it with a reason."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import MARKET, Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.market.rounding import exact, to_lots


@dataclass(frozen=True, slots=True)
class Limits:
    """What a wallet allows. `max_notional` is the value of one position as a part of equity.

    In the state `active` it takes everything up, in `reducing` what makes no position larger, in `halted` only what a
    person sends to reduce a position, in any other nothing.
    """

    opened_at: datetime
    max_age: timedelta
    fee_rate: Decimal
    state: str = "active"
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
    available_at: datetime | None = None,
    held_back: GateError | None = None,
) -> Order | Refusal:
    """The order that the decision asks for, or the one that brings position and orders to its target, or why neither.

    Args:
        prices: the last known price by listing id; a listing that has none is absent.
        seen: intent ids that exist already.
        available_at: when its newest input could be had, which its age counts from; None: when it was decided.
        held_back: why no position may be made larger now.
    """
    try:
        check_admission(decision, now=now, limits=limits, seen=seen, available_at=available_at or decision.decided_at)
        if decision.request is not None:
            return _requested(decision, decision.request, listing, books, prices, limits, held_back)
        quantity = _quantity(decision, listing, books)
        price = _price(listing, prices, now)
        if held_back is not None and quantity > 0:
            raise held_back
        order = _order(decision, quantity, _cash_for(quantity, price, limits))
        check_order(order, listing, books, prices=prices, limits=limits)
    except GateError as refused:
        return Refusal(decision.decision_id, refused.code, refused.detail)
    return order


def _requested(
    decision: TradingDecision,
    request: OrderRequest,
    listing: Listing,
    books: Books,
    prices: Mapping[int, Decimal],
    limits: Limits,
    held_back: GateError | None,
) -> Order:
    """The order a strategy asked for itself, by the rules of the engine's gate (`strategy.gate.Gate.outcome`).

    Raises:
        GateError: when it cannot be sent.
    """
    terms = request.terms
    if not request.quantity.is_finite():
        raise GateError("not_finite", f"expected a finite quantity, was {request.quantity}")
    quantity = _lots(request.quantity, listing)
    if quantity == 0:
        raise GateError("lot_precision", f"expected a lot of {listing.lot} or more, was {request.quantity}")
    if decision.is_by_person:
        check_digits(request, listing)
    check_terms(terms, known=listing.listing_id in prices)
    if terms.parent_id is not None:
        if terms.parent_id not in books.open_orders:
            raise GateError("one_cancels_other", f"the order {terms.parent_id} that it waits for is over")
        return _order(decision, quantity, ZERO, terms)
    held = books.held(listing.listing_id) + books.pending(listing.listing_id)
    if terms.reduce_only and held * quantity >= 0:
        raise GateError("reduce_only", f"expected a position of the other side to reduce, was {held} of {listing.name}")
    after = held + quantity
    if terms.reduce_only or is_exit(held, quantity):
        return _order(decision, quantity, ZERO, terms)
    if after < 0:
        raise GateError("position_below_zero", f"it would leave {after} of {listing.name}; borrowing is not modelled")
    if held_back is not None:
        raise held_back
    price = terms.limit or terms.stop or prices[listing.listing_id]
    order = _order(decision, quantity, _cash_for(quantity, price, limits), terms)
    check_growth(order, listing, books, price=price, prices=prices, limits=limits)
    return order


def is_exit(held: Decimal, change: Decimal) -> bool:
    """Whether the change makes a position smaller, and does not turn it."""
    after = held + change
    return held * after >= 0 and abs(after) <= abs(held)


def check_digits(request: OrderRequest, listing: Listing) -> None:
    """Refuse a size or price that would have to be rounded: a person means the number that was typed.

    Raises:
        GateError: lot_precision or tick_precision.
    """
    if request.quantity % listing.lot:
        raise GateError("lot_precision", f"expected whole lots of {listing.lot}, was {request.quantity}")
    terms = request.terms
    for name, value in (("limit", terms.limit), ("stop", terms.stop), ("trail", terms.trail)):
        if value is not None and value.is_finite() and value % listing.tick:
            raise GateError("tick_precision", f"expected a {name} in ticks of {listing.tick}, was {value}")


def check_terms(terms: OrderTerms, *, known: bool) -> None:
    """Refuse terms that no venue could keep.

    Args:
        known: whether a price of the listing is known.

    Raises:
        GateError: not_positive, contradictory or no_price.
    """
    for name, value in (("limit", terms.limit), ("stop", terms.stop), ("trail", terms.trail)):
        if value is not None and not (value.is_finite() and value > 0):
            raise GateError("not_positive", f"expected a positive {name}, was {value}")
    if terms.auction is not None and (terms.stop is not None or terms.trail is not None):
        raise GateError("contradictory", "an order for an auction waits for no stop")
    if not known and (terms.trail is not None or (terms.limit is None and terms.stop is None)):
        raise GateError("no_price", "no price of the listing is known, and the order names none")


def _price(listing: Listing, prices: Mapping[int, Decimal], now: datetime) -> Decimal:
    if listing.listing_id not in prices:
        raise GateError("no_price", f"no price of {listing.name} is known at {now}")
    return prices[listing.listing_id]


def _cash_for(quantity: Decimal, price: Decimal, limits: Limits) -> Decimal:
    """The cash that a purchase may take, its fee too; a sale takes none."""
    return quantity * price + percent_fee(quantity, price, limits.fee_rate) if quantity > 0 else ZERO


def _order(decision: TradingDecision, quantity: Decimal, reserved: Decimal, terms: OrderTerms = MARKET) -> Order:
    return Order(
        intent_id=decision.intent_id(),
        decision_id=decision.decision_id,
        i=decision.i,
        listing_id=decision.listing_id,
        side="buy" if quantity > 0 else "sell",
        quantity=abs(quantity),
        decided_at=decision.decided_at,
        reserved=reserved,
        terms=terms,
        is_for_target=decision.request is None,
    )


def check_admission(
    decision: TradingDecision, *, now: datetime, limits: Limits, seen: Container[str], available_at: datetime
) -> None:
    """Refuse what a wallet may not take up at all.

    Raises:
        GateError: wallet_halted, before_opening, stale or duplicate.
    """
    age = now - available_at
    # A halt stops the strategies; to get out of a position by hand is what it may be for.
    exits_by_hand = decision.is_by_person and decision.request is not None and decision.request.terms.reduce_only
    if limits.state not in ("active", "reducing") and not (limits.state == "halted" and exits_by_hand):
        raise GateError(f"wallet_{limits.state}", f"the wallet is {limits.state}")
    if decision.decided_at < limits.opened_at:
        raise GateError("before_opening", f"decided at {decision.decided_at}, the wallet opened at {limits.opened_at}")
    if age > limits.max_age:
        raise GateError("stale", f"expected an age of at most {limits.max_age}, was {age}")
    if decision.intent_id() in seen:
        raise GateError("duplicate", f"the intent {decision.intent_id()} exists")


def check_order(order: Order, listing: Listing, books: Books, *, prices: Mapping[int, Decimal], limits: Limits) -> None:
    """Refuse a market order that the account cannot carry; what makes a position smaller passes the size limit.

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
    if order.side == "buy":
        check_growth(order, listing, books, price=price, prices=prices, limits=limits)


def check_growth(
    order: Order, listing: Listing, books: Books, *, price: Decimal, prices: Mapping[int, Decimal], limits: Limits
) -> None:
    """Refuse a purchase that cash or the size limit does not allow, if all that is under way were done first.

    Raises:
        GateError: cash_below_zero or notional_over_equity.
    """
    free = books.free_cash()
    if order.reserved > free:
        raise GateError("cash_below_zero", f"expected at most {free} {listing.currency}, was {order.reserved}")
    limit = limits.max_notional * books.equity(prices)
    held = books.held(order.listing_id) + books.pending(order.listing_id)
    value = (held + books.most_bought(order.listing_id) + order.quantity) * price
    if value > limit:
        raise GateError("notional_over_equity", f"expected at most {limit} {listing.currency}, was {value}")


def _quantity(decision: TradingDecision, listing: Listing, books: Books) -> Decimal:
    """Signed units still to trade, in whole lots, never zero."""
    try:
        target = exact(decision.target)
    except ValueError as error:
        raise GateError("not_finite", f"target: {error}") from None
    difference = target - books.held(listing.listing_id) - books.pending(listing.listing_id)
    quantity = _lots(difference, listing)
    if quantity == 0:
        raise GateError("already_at_target", f"held and ordered are within a lot of {target}")
    return quantity


def _lots(quantity: Decimal, listing: Listing) -> Decimal:
    try:
        return to_lots(quantity, listing.lot)
    except ValueError as error:
        raise GateError("lot_precision", str(error)) from None
