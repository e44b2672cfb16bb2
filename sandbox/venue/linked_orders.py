"""Linked orders as Alpaca has them: bracket, OCO (one cancels other), OTO (one triggers other).

The exits of a bracket become active when its entry is completely filled. A filled exit cancels the other one, a
partly filled exit reduces it to the same rest. Cancelling one order of a group cancels the others.
"""

from dataclasses import replace
from datetime import datetime

from sandbox.venue.exchange import Exchange
from sandbox.venue.orders import STOP_TYPES, Order, OrderClass, OrderType, Side, Status, Ticket, TimeInForce

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


def add_legs(exchange: Exchange, order: Order) -> None:
    """Create the linked orders of a new order."""
    if order.ticket.order_class is OrderClass.SIMPLE:
        return
    is_oco = order.ticket.order_class is OrderClass.OCO
    for ticket in _exits(order.ticket, with_profit=not is_oco):
        client_id = exchange.rules.default_client_id(len(exchange.orders) + 1)
        leg = exchange.add(order.account, replace(ticket, client_order_id=client_id))
        # The stop of an OCO order has no entry to wait for.
        leg.status, leg.parent, leg.is_active = Status.HELD, order.id, is_oco
        order.legs.append(leg.id)
    group = [*([order.id] if is_oco else []), *order.legs]
    for order_id in group:
        exchange.orders[order_id].rivals = [rival_id for rival_id in group if rival_id != order_id]


def _exits(entry: Ticket, *, with_profit: bool) -> list[Ticket]:
    """Return the exits of an entry; for OCO, whose order is itself the take-profit, only the stop."""
    side = OPPOSITE[entry.side] if entry.order_class is not OrderClass.OCO else entry.side
    in_force = entry.time_in_force if entry.time_in_force is TimeInForce.GTC else TimeInForce.DAY
    plain = Ticket(entry.symbol, side, OrderType.LIMIT, entry.quantity, time_in_force=in_force)
    exits = []
    if entry.take_profit is not None and with_profit:
        exits.append(replace(plain, limit_price=entry.take_profit, order_class=entry.order_class))
    if entry.stop_loss is not None:
        stop = OrderType.STOP if entry.stop_loss_limit is None else OrderType.STOP_LIMIT
        exit_with_loss = replace(plain, type=stop, stop_price=entry.stop_loss, limit_price=entry.stop_loss_limit)
        exits.append(replace(exit_with_loss, order_class=entry.order_class))
    return exits


def after_fill(exchange: Exchange, order: Order, at: datetime) -> None:
    """Activate the exits of a filled entry; reduce or cancel the rival of a filled exit."""
    if order.is_finished and not order.rivals:
        for leg in (exchange.orders[leg_id] for leg_id in order.legs):
            _release(exchange, leg, at)
    for rival in (exchange.orders[rival_id] for rival_id in order.rivals):
        if rival.is_finished:
            continue
        if order.is_finished:
            _cancel(exchange, rival, at)
        else:
            rival.ticket = replace(rival.ticket, quantity=rival.filled + order.left)


def after_end(exchange: Exchange, order: Order, at: datetime) -> None:
    """Cancel the other orders of the group of one that was cancelled, expired or rejected."""
    parent = [order.parent] if order.parent else []
    for relative in (exchange.orders[order_id] for order_id in (*parent, *order.legs, *order.rivals)):
        if not relative.is_finished:
            _cancel(exchange, relative, at)


def take_over(exchange: Exchange, old: Order, new: Order) -> None:
    """Link a replacement to the relatives of the replaced order."""
    new.parent, new.legs, new.rivals, new.is_active = old.parent, old.legs, old.rivals, old.is_active
    relative_ids = [*old.rivals, *old.legs, *([old.parent] if old.parent else [])]
    for relative in (exchange.orders[order_id] for order_id in relative_ids):
        relative.rivals = [new.id if rival_id == old.id else rival_id for rival_id in relative.rivals]
        relative.legs = [new.id if leg_id == old.id else leg_id for leg_id in relative.legs]
        relative.parent = new.id if relative.parent == old.id else relative.parent


def _release(exchange: Exchange, leg: Order, at: datetime) -> None:
    if leg.is_finished:
        return
    leg.is_active = True
    exchange.changed[leg.id] = leg
    if leg.ticket.type not in STOP_TYPES:  # Alpaca keeps a stop `held` until its price is reached
        leg.status = Status.NEW
        exchange.emit("new", leg, at)


def _cancel(exchange: Exchange, order: Order, at: datetime) -> None:
    exchange.finish(order, Status.CANCELED, "cancelled", at)
    exchange.emit("canceled", order, at)
    after_end(exchange, order, at)
