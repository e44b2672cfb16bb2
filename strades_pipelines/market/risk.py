"""The gate between a decision and an order: sizes it, and refuses it with a reason."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.exposure import Market, measure
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import LIMITS, WITHIN_LIMITS, Measured, WalletLimits, exceeded, is_exit
from strades_pipelines.market.order_terms import MARKET, Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.market.rounding import EXACT, exact, to_lots

MOST_DIGITS = 28  # of a price, before the point or behind it
BY_OUTCOME = {limit.outcome: limit for limit in LIMITS}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate goes by for one wallet.

    The state is of the `holder`: the wallet, or one of several strategies in it. In the state `active` the gate takes
    everything up, in `reducing` what makes no position larger, in `halted` only what a person sends to reduce a
    position, in any other nothing.
    """

    opened_at: datetime
    max_age: timedelta
    fee_rate: Decimal
    state: str = "active"
    limits: WalletLimits = field(default_factory=WalletLimits)
    holder: str = "wallet"


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
    if terms.parent_id is not None:
        if terms.parent_id not in own.open_orders:
            raise GateError("one_cancels_other", f"the order {terms.parent_id} that it waits for is over")
        return _order(decision, quantity, ZERO, terms)
    order = _order(decision, quantity, ZERO, terms)
    accounts = (own, books) if own is not books else (own,)
    if terms.reduce_only:
        _check_reduces(order, listing, accounts)
        return order
    is_exit_for_all = True
    for account in accounts:
        left = _left(order, account)
        if quantity < 0 and left + quantity < 0:
            raise _below_zero(left + quantity, listing, is_part=account is not books)
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
    """What an account holds of the order's listing once what is under way on its side is done."""
    held = account.held(order.listing_id) + account.pending(order.listing_id)
    return held + account.under_way(order.listing_id, order.side, group=order.terms.group, at_market=at_market)


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
            raise _below_zero(after, listing, is_part=True)


def check_digits(request: OrderRequest, listing: Listing) -> None:
    """Refuse a size or price that would have to be rounded: a person means the number that was typed.

    Raises:
        GateError: lot_precision or tick_precision.
    """
    if EXACT.remainder(request.quantity, listing.lot):
        raise GateError("lot_precision", f"expected whole lots of {listing.lot}, was {request.quantity}")
    terms = request.terms
    for name, value in (("limit", terms.limit), ("stop", terms.stop), ("trail", terms.trail)):
        if value is not None and value.is_finite() and EXACT.remainder(value, listing.tick):
            raise GateError("tick_precision", f"expected a {name} in ticks of {listing.tick}, was {value}")


def check_terms(terms: OrderTerms, *, known: bool) -> None:
    """Refuse terms that no venue could keep.

    Args:
        known: whether a price of the listing is known.

    Raises:
        GateError: not_positive, tick_precision, contradictory or no_price.
    """
    for name, value in (("limit", terms.limit), ("stop", terms.stop), ("trail", terms.trail)):
        if value is not None and not (value.is_finite() and value > 0):
            raise GateError("not_positive", f"expected a positive {name}, was {value}")
        if value is not None and abs(value.adjusted()) > MOST_DIGITS:
            raise GateError("tick_precision", f"expected a {name} of at most {MOST_DIGITS} digits, was {value:.3e}")
    if terms.auction is not None and (terms.stop is not None or terms.trail is not None):
        raise GateError("contradictory", "an order for an auction waits for no stop")
    if not known and (terms.trail is not None or (terms.limit is None and terms.stop is None)):
        raise GateError("no_price", "no price of the listing is known, and the order names none")


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


def check_admission(
    decision: TradingDecision, *, now: datetime, rules: Rules, seen: Container[str], available_at: datetime
) -> None:
    """Refuse what a wallet may not take up at all.

    Raises:
        GateError: wallet_halted, before_opening, stale or duplicate.
    """
    age = now - available_at
    # A halt stops the strategies; to get out of a position by hand is what it may be for.
    exits_by_hand = decision.is_by_person and decision.request is not None and decision.request.terms.reduce_only
    if rules.state not in ("active", "reducing") and not (rules.state == "halted" and exits_by_hand):
        raise GateError(f"{rules.holder}_{rules.state}", f"the {rules.holder} is {rules.state}")
    if decision.decided_at < rules.opened_at:
        raise GateError("before_opening", f"decided at {decision.decided_at}, the wallet opened at {rules.opened_at}")
    if age > rules.max_age:
        raise GateError("stale", f"expected an age of at most {rules.max_age}, was {age}")
    if decision.intent_id() in seen:
        raise GateError("duplicate", f"the intent {decision.intent_id()} exists")


def check_order(
    order: Order,
    listing: Listing,
    books: Books,
    own: Books | None = None,
    *,
    market: Market,
    now: datetime,
    rules: Rules,
) -> None:
    """Refuse a market order that the account cannot carry; what makes a position smaller passes every limit.

    Raises:
        GateError: not_positive, lot_precision, position_below_zero, cash_below_zero, or the code of a limit.
    """
    price = market.prices[order.listing_id]
    if not (order.quantity.is_finite() and order.quantity > 0 and price.is_finite() and price > 0):
        raise GateError("not_positive", f"expected a positive quantity and price, was {order.quantity} at {price}")
    if order.quantity % listing.lot:
        raise GateError("lot_precision", f"expected whole lots of {listing.lot}, was {order.quantity}")
    for account in (own or books, books):
        after = account.held(order.listing_id) + account.pending(order.listing_id) + order.signed
        if after < 0:
            raise _below_zero(after, listing, is_part=account is not books)
    if order.side == "buy":
        check_limits(order, listing, books, own, price=price, market=market, now=now, rules=rules)


def check_limits(
    order: Order,
    listing: Listing,
    books: Books,
    own: Books | None,
    *,
    price: Decimal,
    market: Market,
    now: datetime,
    rules: Rules,
) -> None:
    """Refuse what makes a position larger and cash or a limit does not allow, with all that is under way at its worst.

    Args:
        price: of a unit: its limit or stop, else the last one.

    Raises:
        GateError: cash_below_zero, or the code of a limit.
    """
    free = min((own or books).free_cash(), books.free_cash())
    if order.reserved > free:
        raise GateError("cash_below_zero", f"expected at most {free} {listing.currency}, was {order.reserved}")
    if rules.limits.open_market_only and order.listing_id in market.closed:
        raise GateError("market_closed", f"the exchange of {listing.name} has no session at {now}")
    if market.choice is not None and listing.name not in market.choice.instruments:
        raise GateError("not_chosen", f"{listing.name} is not in {market.choice}")
    measured = measure(order, listing, books, price=price, market=market, now=now, restricted=rules.limits.restricted)
    outcome = exceeded(measured, rules.limits.numbers)
    if outcome != WITHIN_LIMITS:
        limit = BY_OUTCOME[outcome]
        raise GateError(limit.code, f"{limit.name} is {rules.limits.in_force(limit)}; {_figures(measured, listing)}")


def _figures(order: Measured[Decimal], listing: Listing) -> str:
    """What an order comes to, for the message of its refusal."""
    return (
        f"it is for {order.units} of {listing.name} at {order.unit}, of which {order.position} might be held; "
        f"gross {order.gross}, net {order.net}, equity {order.equity}"
    )


def _below_zero(after: Decimal, listing: Listing, *, is_part: bool) -> GateError:
    because = "what other strategies of the wallet hold is theirs" if is_part else "borrowing is not modelled"
    detail = f"it would leave {after} of {listing.name} with what is on sale; {because}"
    return GateError("position_below_zero", detail)


def _quantity(decision: TradingDecision, listing: Listing, books: Books) -> Decimal:
    """Signed units still to trade, in whole lots, never zero."""
    try:
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
