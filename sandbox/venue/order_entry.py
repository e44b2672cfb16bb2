"""Order entry: place, cancel, replace, amend. Refusals are raised here; `execution` does the rest."""

from dataclasses import replace as changed
from decimal import Decimal

from sandbox.venue import linked_orders
from sandbox.venue.checks import check, check_prices, check_size, check_spot
from sandbox.venue.decimals import plain
from sandbox.venue.exchange import Exchange, Replacement
from sandbox.venue.orders import FINISHED, Order, OrderClass, OrderRefused, OrderType, Reason, Status, Ticket

# As Alpaca documents for `PATCH /v2/orders/{id}`.
UNCHANGEABLE = FINISHED | {Status.ACCEPTED, Status.PENDING_NEW, Status.PENDING_CANCEL, Status.PENDING_REPLACE}


def place(exchange: Exchange, key: str, ticket: Ticket) -> Order:
    """Accept an order and its linked orders; the next `execution.advance` matches them.

    Raises:
        OrderRefused: if a check fails.
    """
    check(exchange, exchange.accounts[key], ticket)
    if not ticket.client_order_id:
        ticket = changed(ticket, client_order_id=exchange.rules.default_client_id(len(exchange.orders) + 1))
    order = exchange.add(key, ticket)
    linked_orders.add_legs(exchange, order)
    return order


def request_cancel(exchange: Exchange, order: Order) -> None:
    """Request a cancel; a print before the next step can still fill the order.

    Raises:
        OrderRefused: if it is finished or being replaced.
    """
    if order.status in FINISHED or order.status is Status.PENDING_REPLACE:
        raise _finished(order)
    order.status = Status.PENDING_CANCEL
    exchange.changed[order.id] = order


def request_replace(
    exchange: Exchange,
    order: Order,
    *,
    quantity: Decimal | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    trail: Decimal | None = None,
    client_order_id: str = "",
) -> Order:
    """Request a replacement by a new order, as Alpaca does. `quantity` includes what is filled already.

    Returns:
        The new order, for the quantity that is left.

    Raises:
        OrderRefused: if the old order is finished or pending, or the new one fails a check.
    """
    _check_replaceable(order, quantity, limit_price, stop_price)
    if order.ticket.quantity is None:
        raise OrderRefused(Reason.FRACTION, "notional orders cannot be replaced")
    left = (quantity if quantity is not None else order.ticket.quantity) - order.filled
    ticket = changed(
        order.ticket,
        quantity=left,
        limit_price=limit_price if limit_price is not None else order.ticket.limit_price,
        stop_price=stop_price if stop_price is not None else order.ticket.stop_price,
        client_order_id=client_order_id or exchange.rules.default_client_id(len(exchange.orders) + 1),
    )
    if trail is not None:
        is_price = ticket.trail_price is not None
        ticket = changed(ticket, trail_price=trail) if is_price else changed(ticket, trail_percent=trail)
    if ticket == changed(order.ticket, quantity=left, client_order_id=ticket.client_order_id) and left == order.left:
        raise OrderRefused(Reason.NO_CHANGE, "order parameters are not changed")
    check(exchange, exchange.accounts[order.account], ticket, replacing=order)
    new = exchange.add(order.account, ticket)
    new.replaces, order.status = order.id, Status.PENDING_REPLACE
    exchange.replacements.append(Replacement(order, new, order.filled))
    return new


def amend(exchange: Exchange, order: Order, *, quantity: Decimal | None, price: Decimal | None, text: str) -> None:
    """Amend size or price of an open limit order in place, as Gate.io does.

    Raises:
        OrderRefused: if it is finished, nothing changes, or a check fails.
    """
    if order.status in UNCHANGEABLE or order.ticket.type is not OrderType.LIMIT:
        raise _finished(order)
    ticket = changed(
        order.ticket,
        quantity=quantity if quantity is not None else order.ticket.quantity,
        limit_price=price if price is not None else order.ticket.limit_price,
    )
    if ticket == order.ticket:
        raise OrderRefused(Reason.NO_CHANGE, "No change is made")
    instrument = exchange.rules.instruments[ticket.symbol]
    check_prices(instrument, ticket)
    check_size(instrument, ticket, ticket.limit_price or Decimal(0))
    if ticket.quantity is None or ticket.limit_price is None or ticket.quantity <= order.filled:
        raise OrderRefused(Reason.INVALID, f"amount must exceed what is filled, {plain(order.filled)}")
    rest = changed(ticket, quantity=ticket.quantity - order.filled)
    check_spot(exchange, exchange.accounts[order.account], instrument, rest, ticket.limit_price, order)
    # It may trade at once again: as a taker, at any price.
    order.ticket, order.amend_text, order.is_resting, order.idle_price = ticket, text, False, None
    exchange.changed[order.id] = order
    exchange.emit("amended", order, exchange.now())


def _finished(order: Order) -> OrderRefused:
    return OrderRefused(Reason.FINISHED, f'order is already in "{order.status.value}" state', status=order.status.value)


def _check_replaceable(
    order: Order, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None
) -> None:
    """Refuse the changes that Alpaca's reference of `PATCH /v2/orders/{id}` excludes."""
    ticket = order.ticket
    if order.status in UNCHANGEABLE:
        words = f"order in {order.status.value} status cannot be changed"
        raise OrderRefused(Reason.FINISHED, words, status=order.status.value)
    for name, new, old in (("limit", limit_price, ticket.limit_price), ("stop", stop_price, ticket.stop_price)):
        if new is not None and old is None:
            raise OrderRefused(Reason.INVALID, f"{ticket.type.value} orders require no {name} price")
    if quantity is not None and (quantity % 1 or (ticket.quantity or Decimal(0)) % 1):
        raise OrderRefused(Reason.FRACTION, "qty of fractional orders cannot be changed")
    if quantity is not None and ticket.order_class is not OrderClass.SIMPLE:
        raise OrderRefused(Reason.INVALID, f"qty of {ticket.order_class.value} orders cannot be changed")
