"""How a market order is filled from bars: at the open of the first bar that opens once it was there."""

from datetime import datetime
from decimal import Decimal

from strades_pipelines.market.events import Bar, Fill
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import Order
from strades_pipelines.market.rounding import to_ticks


def fill_at_open(order: Order, bar: Bar, listing: Listing, *, placed_at: datetime, fee_rate: Decimal) -> Fill:
    """The whole order at the bar's open, in ticks; known when the bar is.

    Raises:
        ValueError: when the bar opened before the order was there, which would be a price of the past.
    """
    if bar.open_time < placed_at:
        raise ValueError(f"order {order.intent_id}: expected an open at {placed_at} or later, was {bar.open_time}")
    price = to_ticks(bar.open, listing.tick)
    return Fill(
        i=order.i,
        listing_id=order.listing_id,
        content_id=base32_id(order.intent_id, bar.content_id),
        intent_id=order.intent_id,
        side=order.side,
        quantity=order.quantity,
        price=price,
        fee=percent_fee(order.quantity, price, fee_rate),
        currency=listing.currency,
        filled_at=bar.open_time,
        knowledge_time=bar.knowledge_time,
        bar_interval=bar.interval,
        bar_open_time=bar.open_time,
    )
