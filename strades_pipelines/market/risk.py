"""The gate between a decision and an order: sizes it, and refuses it with a reason."""

from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.exposure import Market
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import is_exit
from strades_pipelines.market.order_checks import (
    GateError,
    Rules,
    below_zero,
    check_admission,
    check_digits,
    check_limits,
    check_order,
    check_terms,
)
from strades_pipelines.market.order_terms import MARKET, Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.market.rounding import exact, to_lots


def gate(
    decision: TradingDecision,
    listing: Listing,
    books: Books,
    *,
    market: Market,
    now: datetime,
    rules: Rules,
    seen: Container[str],
    available_at: datetime | None = None,
    held_back: GateError | None = None,
    own: Books | None = None,
) -> Order | Refusal:
    """The order that the decision asks for, or the one that brings position and orders to its target, or why neither.

    Args:
        books: of the wallet, which cash and limits are measured with.
        own: of the owner that the decision is for, where several share the wallet: its position is what it trades
            from, and it sells and spends no more than its own. None where the wallet has one.
        seen: intent ids that exist already.
        available_at: when its newest input could be had, which its age counts from; None: when it was decided.
        held_back: why no position may be made larger now.
    """
    try:
        check_admission(decision, now=now, rules=rules, seen=seen, available_at=available_at or decision.decided_at)
        if decision.request is not None:
            return _requested(
                decision,
                decision.request,
                listing,
                books,
                own or books,
                market=market,
                now=now,
                rules=rules,
                held_back=held_back,
            )
        quantity = _quantity(decision, listing, own or books)
        price = _price(listing, market.prices, now)
        if held_back is not None and quantity > 0:
            raise held_back
        order = _order(decision, quantity, _cash_for(quantity, price, rules))
        check_order(order, listing, books, own, market=market, now=now, rules=rules)
    except GateError as refused:
        return Refusal(decision.decision_id, refused.code, refused.detail)
    return order


def _requested(
    decision: TradingDecision,
    request: OrderRequest,
    listing: Listing,
    books: Books,
    own: Books,
    *,
    market: Market,
    now: datetime,
    rules: Rules,
    held_back: GateError | None,
) -> Order:
    """The order a strategy asked for itself, by the rules of the engine's gate (`engine.gate.Gate.outcome`).

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
    check_terms(terms, known=listing.listing_id in market.prices)
    if terms.parent_id is not None and terms.parent_id not in own.open_orders:
        raise GateError("one_cancels_other", f"the order {terms.parent_id} that it waits for is over")
    order = _order(decision, quantity, ZERO, terms)
    accounts = (own, books) if own is not books else (own,)
    if terms.reduce_only:
        _check_reduces(order, listing, accounts)
        return order
    # An exit has to be one for the strategy and for the wallet: else limits of either are gone around.
    is_exit_for_all = True
    for account in accounts:
        left = _left(order, account)
        if quantity < 0 and left + quantity < 0:
            raise below_zero(left + quantity, listing, is_part=account is not books)
        is_exit_for_all = is_exit_for_all and is_exit(left, quantity)
    if is_exit_for_all:
        return order
    if held_back is not None:
        raise held_back
    price = terms.limit or terms.stop or market.prices[listing.listing_id]
    order = replace(order, reserved=_cash_for(quantity, price, rules))
    check_limits(order, listing, books, own, price=price, market=market, now=now, rules=rules)
    return order


def _left(order: Order, account: Books, *, at_market: bool = False) -> Decimal:
    """What an account holds of the order's listing once what is under way on its side is done, and its parent."""
    held = account.held(order.listing_id) + account.pending(order.listing_id)
    under_way = account.under_way(order.listing_id, order.side, group=order.terms.group, at_market=at_market)
    return held + under_way + account.by_parent(order, at_market=at_market)


def _check_reduces(order: Order, listing: Listing, accounts: tuple[Books, ...]) -> None:
    """Refuse an order that only reduces where there is nothing to reduce for its owner or for the wallet.

    A venue cuts it at the wallet's position at best. So beside other strategies all open sales of its owner count, also
    those that wait for a price or are to be cancelled: what they may still sell is not there to be sold again. A person
    who has a wallet with one strategy gets out of it also while a silent venue owes the end of a sale.

    Args:
        accounts: its owner's and the wallet's, or the one that is both.

    Raises:
        GateError: reduce_only or position_below_zero.
    """
    for account in accounts:
        left = _left(order, account.without_cancelling() if order.is_by_person else account, at_market=True)
        if left * order.signed >= 0:
            detail = f"expected a position of the other side to reduce, was {left} of {listing.name} after what is sold"
            raise GateError("reduce_only", detail)
    if len(accounts) > 1 and order.side == "sell":
        after = accounts[0].held(order.listing_id) - accounts[0].on_sale(order.listing_id) - order.quantity
        if after < 0:
            raise below_zero(after, listing, is_part=True)


def _price(listing: Listing, prices: Mapping[int, Decimal], now: datetime) -> Decimal:
    if listing.listing_id not in prices:
        raise GateError("no_price", f"no price of {listing.name} is known at {now}")
    return prices[listing.listing_id]


def _cash_for(quantity: Decimal, price: Decimal, rules: Rules) -> Decimal:
    """The cash that a purchase may take, its fee too; a sale takes none."""
    return quantity * price + percent_fee(quantity, price, rules.fee_rate) if quantity > 0 else ZERO


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
        strategy=decision.strategy,
        is_by_person=decision.is_by_person,
    )


def _quantity(decision: TradingDecision, listing: Listing, books: Books) -> Decimal:
    """Signed units still to trade, in whole lots, never zero."""
    try:
        # A strategy's target may be NaN or infinite.
        target = exact(decision.target)
    except ValueError as error:
        raise GateError("not_finite", f"target: {error}") from None
    difference = target - books.held(listing.listing_id) - books.pending(listing.listing_id)
    # Sales at the market that were asked for apart are as good as done: what they sell is not sold again.
    sold_apart = books.under_way(listing.listing_id, "sell", at_market=True)
    if difference < 0 and sold_apart:
        rest = books.held(listing.listing_id) + books.pending(listing.listing_id) + sold_apart
        difference = max(difference, min(-rest, ZERO))
    quantity = _lots(difference, listing)
    if quantity == 0:
        raise GateError("already_at_target", f"held and ordered are within a lot of {target}")
    return quantity


def _lots(quantity: Decimal, listing: Listing) -> Decimal:
    try:
        return to_lots(quantity, listing.lot)
    except ValueError as error:
        raise GateError("lot_precision", str(error)) from None
