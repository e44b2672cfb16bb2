"""The checks of the risk gate: each raises a `GateError` with a code and a reason."""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.market.books import Books
from strades_pipelines.market.exposure import Market, measure
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import LIMITS, WITHIN_LIMITS, Measured, exceeded
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms, TradingDecision
from strades_pipelines.market.rounding import EXACT
from strades_pipelines.market.wallet_limits import WalletLimits

MOST_DIGITS = 28  # of a price, before the point or behind it
BY_OUTCOME = {limit.outcome: limit for limit in LIMITS}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the risk gate holds the orders of one wallet to.

    `state` is that of the `holder`: the wallet, or one of several strategies in it. In `active` every order may pass,
    in `reducing` those that make no position larger, in `halted` only a person's that reduce one, in any other none.
    """

    opened_at: datetime
    max_age: timedelta
    fee_rate: Decimal
    state: str = "active"
    limits: WalletLimits = field(default_factory=WalletLimits)
    holder: str = "wallet"


class GateError(Exception):
    """Raised inside the gate, which makes a `Refusal` of it with this code and detail."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


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
            raise below_zero(after, listing, is_part=account is not books)
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


def below_zero(after: Decimal, listing: Listing, *, is_part: bool) -> GateError:
    """The refusal of a sale that would leave `after` units; `is_part`: of one strategy's part of the wallet."""
    because = "what other strategies of the wallet hold is theirs" if is_part else "borrowing is not modelled"
    detail = f"it would leave {after} of {listing.name} with what is on sale; {because}"
    return GateError("position_below_zero", detail)
