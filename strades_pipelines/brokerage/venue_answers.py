"""What a venue's answer means beside what we know of an order: pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.brokerage.order_book import OpenOrder
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import REPORTED, OrderState, is_allowed
from strades_pipelines.market.order_terms import Order


def contradiction(known: OpenOrder, found: VenueOrder) -> str | None:
    """What is wrong with what a venue says of an order; None where it makes sense."""
    order = known.order
    if found.client_order_id != order.intent_id:
        return f"the venue answered with another order, {found.client_order_id}"
    if not _is_order(order, found):
        return f"the venue has it as {found.side} {found.quantity}, it is {order.side} {order.quantity}"
    if found.state not in REPORTED:
        return f"the venue names a state that is not known: {found.reason}"
    total, size = found.filled_by_fills, found.quantity or order.quantity
    if found.filled is not None and not 0 <= found.filled <= size:
        return f"the venue says that {found.filled} of {size} are filled"
    if len({part.venue_fill_id for part in found.fills}) < len(found.fills):
        return "the venue tells two fills under one id"
    if found.filled is not None and total > found.filled:
        return f"the venue says that {found.filled} are filled, and tells fills of {total}"
    if total > order.quantity or total < known.filled or any(part.quantity <= 0 for part in found.fills):
        return f"the venue filled {total} of {order.quantity}, of which {known.filled} are recorded"
    if found.state is OrderState.REJECTED and total:
        return f"the venue rejected the order and filled {total} of it"
    after = state_with(known, found.state, total)
    if after != known.state and not is_allowed(known.state, after):
        return f"the venue says {found.state.value} of an order that is {known.state.value}"
    return None


def fill_fault(known: OpenOrder, found: VenueOrder, new: Sequence[VenueFill]) -> tuple[VenueFill, str] | None:
    """A fill that cannot be the order's, and why, in one line; None where all can.

    Where the answer as a whole is of another order, or of another size, nothing is said of its fills.

    Args:
        new: its fills that are not recorded yet, in the order in which they would be.
    """
    order = known.order
    if found.client_order_id != order.intent_id or not _is_order(order, found):
        return None
    filled = known.filled
    for part in new:
        filled += part.quantity
        if part.side not in (None, order.side):
            return part, f"the venue tells fill {part.venue_fill_id} as a {part.side}"
        if part.symbol is not None and found.symbol is not None and part.symbol != found.symbol:
            return part, f"the venue tells fill {part.venue_fill_id} of {part.symbol}"
        if filled > order.quantity:
            return part, f"the venue filled {filled} of {order.quantity}, of which {known.filled} are recorded"
    return None


def _is_order(order: Order, found: VenueOrder) -> bool:
    """Whether side and size are the order's, where the venue says them."""
    return found.side in (None, order.side) and _is_size_of(order, found.quantity)


def as_intended(known: OpenOrder, found: VenueOrder) -> VenueOrder:
    """What a venue says of an order that was sent for less than was meant, since the one it replaces was filled.

    Such an order is not filled, by its intent, when the venue calls it so: the rest of it is no longer wanted.
    """
    is_shorter = found.quantity is not None and found.quantity < known.order.quantity
    if found.state is OrderState.FILLED and is_shorter and known.order.terms.replaces is not None:
        reason = "the order that it replaces was filled for the rest"
        return replace(found, state=OrderState.CANCELLED, reason=reason)
    return found


def _is_size_of(order: Order, quantity: Decimal | None) -> bool:
    """Whether a venue's size is the order's; one that replaces another may have been sent for less."""
    if quantity is None or quantity == order.quantity:
        return True
    return order.terms.replaces is not None and 0 < quantity < order.quantity


def state_with(known: OpenOrder, state: OrderState, filled: Decimal) -> OrderState:
    """A venue's state beside the fills that it told: they may come after the word, or before it."""
    if filled == known.order.quantity:
        return OrderState.FILLED
    if known.state.is_over:
        return known.state  # a fill that is told after the end makes it no other order
    if state not in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED):
        return state
    if known.state is OrderState.CANCELLING:
        return OrderState.CANCELLING  # the venue has not got to it yet
    return OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED


def fill_id(order: Order, part: VenueFill) -> str:
    """A function of the order and the venue's own id, so that a fill that is told again is the same."""
    return base32_id(order.intent_id, part.venue_fill_id)


def new_fill(order: Order, part: VenueFill, listing: Listing, currency: str, now: datetime) -> Fill:
    """A venue's fill as our books keep it, known at `now`.

    A fee in what was traded was taken out of it: the position changes by so much less.

    Args:
        currency: of the wallet, which the price is in.
    """
    return Fill(
        i=order.i,
        listing_id=order.listing_id,
        content_id=fill_id(order, part),
        intent_id=order.intent_id,
        side=order.side,
        quantity=part.quantity,
        price=part.price,
        fee=part.fee,
        currency=currency,
        filled_at=part.filled_at,
        knowledge_time=now,
        bar_interval=part.bar_interval,
        bar_open_time=part.bar_open_time,
        fee_currency=None if part.fee_currency == currency else part.fee_currency,
        fee_in_units=part.fee_currency is not None and part.fee_currency == listing.base,
        venue_fill_id=part.venue_fill_id,
    )
