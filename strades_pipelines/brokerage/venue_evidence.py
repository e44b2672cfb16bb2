"""What of a venue's answer is kept with a finding, as plain data."""

from strades_pipelines.brokerage.brokers.venue import AccountFill, AccountOrder
from strades_pipelines.brokerage.trading_rows import request_to_json
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_terms import OrderRequest


def fill_evidence(one: AccountFill) -> dict[str, object]:
    """A fill, with the ids by which the venue knows it and its order."""
    fill = one.fill
    return {
        "venue_fill_id": fill.venue_fill_id,
        "venue_order_id": one.venue_order_id,
        "client_order_id": one.client_order_id,
        "side": one.side,
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "fee_currency": fill.fee_currency,
        "filled_at": stamp(fill.filled_at),
    }


def order_evidence(one: AccountOrder) -> dict[str, object]:
    """An order with its terms; `order_request` is None where they are not known."""
    order, request = one.order, None
    if one.terms is not None and order.quantity is not None:
        request = request_to_json(OrderRequest(order.quantity if order.side == "buy" else -order.quantity, one.terms))
    return {
        "venue_order_id": order.venue_order_id,
        "client_order_id": order.client_order_id,
        "order_request": request,
        "filled": None if order.filled is None else plain(order.filled),
    }
