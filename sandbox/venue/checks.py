"""Pre-trade checks of the venue: precision, size, funds, position, wash trades."""

from decimal import Decimal

from sandbox.venue.account import Account
from sandbox.venue.decimals import floor_to, is_multiple, plain
from sandbox.venue.exchange import Exchange
from sandbox.venue.instruments import Instrument
from sandbox.venue.matching import is_marketable
from sandbox.venue.orders import STOP_TYPES, ZERO, Order, OrderRefused, Reason, Side, Ticket, TimeInForce

SHORT_SALE_MARGIN = Decimal("1.03")  # Alpaca values a short sale at 3 % above the market


def check(exchange: Exchange, account: Account, ticket: Ticket, *, replacing: Order | None = None) -> None:
    """Run all checks on a new order; what the order `replacing` reserves counts as free.

    Raises:
        OrderRefused: with the reason and the figures for the provider's error body.
    """
    instrument = exchange.rules.instruments.get(ticket.symbol)
    if instrument is None:
        raise OrderRefused(Reason.UNKNOWN_SYMBOL, ticket.symbol)
    if exchange.rules.client_ids_are_unique and (account.key, ticket.client_order_id) in exchange.client_ids:
        raise OrderRefused(Reason.DUPLICATE_CLIENT_ID, "client_order_id must be unique")
    check_prices(instrument, ticket)
    reference = ticket.limit_price or ticket.stop_price or exchange.price(ticket.symbol)
    check_size(instrument, ticket, reference)
    if ticket.time_in_force is TimeInForce.POC and ticket.limit_price is not None:
        check_post_only(exchange, ticket, ticket.limit_price)
    if replacing is not None and not replacing.is_active:
        return  # an exit whose entry is not filled reserves nothing
    if exchange.rules.margin:
        check_wash_trade(exchange, account, ticket, replacing)
        check_margin(exchange, account, instrument, ticket, reference, replacing)
    else:
        check_spot(exchange, account, instrument, ticket, reference, replacing)


def check_prices(instrument: Instrument, ticket: Ticket) -> None:
    """Check that each price is positive and on the tick."""
    names = ("limit_price", "stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss", "stop_loss_limit")
    for name in names:
        price: Decimal | None = getattr(ticket, name)
        if price is None:
            continue
        if price <= 0:
            raise OrderRefused(Reason.INVALID, f"{name} must be > 0")
        if name != "trail_percent" and not is_multiple(price, instrument.tick_at(price)):
            raise OrderRefused(Reason.PRECISION, f"{name} {plain(price)}")


def check_size(instrument: Instrument, ticket: Ticket, reference: Decimal) -> None:
    """Check that the quantity or cost is positive, on its step and above the minimum."""
    size = ticket.quantity if ticket.quantity is not None else ticket.cost
    if size is None or size <= 0:
        raise OrderRefused(Reason.INVALID, "qty must be > 0")
    if ticket.quantity is not None and not is_multiple(ticket.quantity, instrument.quantity_step):
        raise OrderRefused(Reason.PRECISION, f"qty {plain(size)}")
    cost = ticket.cost if ticket.quantity is None else ticket.quantity * reference
    if cost is not None and cost < instrument.minimum_cost:
        raise OrderRefused(Reason.TOO_SMALL, plain(instrument.minimum_cost), size=plain(cost))


def check_post_only(exchange: Exchange, ticket: Ticket, limit: Decimal) -> None:
    """Refuse a post-only order that would trade immediately."""
    if is_marketable(ticket.side, limit, exchange.price(ticket.symbol)):
        raise OrderRefused(Reason.POST_ONLY, "Order would match and take immediately so its cancelled")


def check_spot(
    exchange: Exchange,
    account: Account,
    instrument: Instrument,
    ticket: Ticket,
    reference: Decimal,
    replacing: Order | None,
) -> None:
    """Check that the balance that pays for the order is available."""
    asset = instrument.quote if ticket.side is Side.BUY else instrument.base
    free = account.balance(asset) - reserved(exchange, account, asset, replacing)
    if required_amount(ticket, reference) > free:
        raise OrderRefused(Reason.NO_FUNDS, "Not enough balance")


def check_margin(
    exchange: Exchange,
    account: Account,
    instrument: Instrument,
    ticket: Ticket,
    reference: Decimal,
    replacing: Order | None,
) -> None:
    """Check the position for a closing order, buying power (and shorting) for an opening one."""
    position, quantity = account.balance(instrument.base), base_quantity(instrument, ticket, reference)
    closes = position * (1 if ticket.side is Side.SELL else -1) > 0
    if closes:
        free = abs(position) - reserved_quantity(exchange, account, ticket, replacing)
        if quantity > free:
            raise _no_position(ticket, quantity, max(free, ZERO), abs(position))
        return
    if ticket.side is Side.SELL:
        if account.multiplier < 2 or not instrument.is_shortable:
            raise OrderRefused(Reason.NO_SHORTING, "account is not allowed to short")
        if quantity != quantity.to_integral_value():
            raise OrderRefused(Reason.FRACTION, "fractional orders cannot be sold short")
        reference = max(ticket.limit_price or ZERO, SHORT_SALE_MARGIN * exchange.price(ticket.symbol))
    power, cost = buying_power(exchange, account, replacing), quantity * reference
    if cost > power:
        raise OrderRefused(
            Reason.NO_FUNDS, "insufficient buying power", buying_power=f"{power:.2f}", cost_basis=plain(cost)
        )


def _no_position(ticket: Ticket, quantity: Decimal, free: Decimal, position: Decimal) -> OrderRefused:
    message = f"insufficient qty available for order (requested: {plain(quantity)}, available: {plain(free)})"
    numbers = {"available": free, "existing_qty": position, "held_for_orders": position - free}
    figures = {name: plain(value) for name, value in numbers.items()}
    return OrderRefused(Reason.NO_POSITION, message, symbol=ticket.symbol, **figures)


def check_wash_trade(exchange: Exchange, account: Account, ticket: Ticket, replacing: Order | None) -> None:
    """Refuse an order that could trade with an open order of the same account."""
    for order in exchange.working_of(account.key):
        other = order.ticket
        if other.symbol != ticket.symbol or other.side is ticket.side or order is replacing or not order.is_active:
            continue
        if _could_trade(ticket, other):
            raise OrderRefused(
                Reason.WASH_TRADE,
                "potential wash trade detected. use complex orders",
                existing_order_id=order.id,
                reject_reason=f"opposite side {other.type.value} order exists",
            )


def _could_trade(ticket: Ticket, other: Ticket) -> bool:
    if ticket.limit_price is None or other.limit_price is None:
        return True
    buy, sell = (ticket, other) if ticket.side is Side.BUY else (other, ticket)
    return (buy.limit_price or ZERO) >= (sell.limit_price or ZERO)


def buying_power(exchange: Exchange, account: Account, replacing: Order | None = None) -> Decimal:
    """Return equity times multiplier, minus gross exposure, minus the cost of open opening orders."""
    currency = exchange.rules.currency
    equity = account.equity(exchange.unit_price, currency)
    exposure = account.exposure(exchange.unit_price, currency)
    return max(account.multiplier * equity - exposure - _opening_cost(exchange, account, replacing), ZERO)


def _opening_cost(exchange: Exchange, account: Account, replacing: Order | None) -> Decimal:
    cost = ZERO
    for order in exchange.working_of(account.key):
        if order is replacing or not order.is_active or order.ticket.quantity is None:
            continue
        position = account.balance(exchange.rules.instruments[order.ticket.symbol].base)
        if position * (1 if order.ticket.side is Side.SELL else -1) > 0:
            continue  # a closing order
        reference = order.ticket.limit_price or order.ticket.stop_price or exchange.price(order.ticket.symbol)
        cost += order.left * reference
    return cost


def reserved(exchange: Exchange, account: Account, asset: str, replacing: Order | None = None) -> Decimal:
    """Return how much of an asset the open orders of a spot account reserve."""
    total = ZERO
    for order in exchange.working_of(account.key):
        instrument = exchange.rules.instruments[order.ticket.symbol]
        paid_with = instrument.quote if order.ticket.side is Side.BUY else instrument.base
        if order is replacing or paid_with != asset:
            continue
        is_base = order.ticket.side is Side.SELL or order.ticket.quantity is None
        total += order.left if is_base else order.left * (order.ticket.limit_price or ZERO)
    return total


def reserved_quantity(exchange: Exchange, account: Account, ticket: Ticket, replacing: Order | None) -> Decimal:
    """Return how much of a position the open orders of this side would close; linked exits count once."""
    free = {replacing.id, *replacing.rivals} if replacing else set()
    return sum(
        (
            order.left
            for order in exchange.working_of(account.key)
            if order.ticket.symbol == ticket.symbol
            and order.ticket.side is ticket.side
            and order.is_active
            and order.id not in free
            and not (order.rivals and order.ticket.type in STOP_TYPES)
        ),
        ZERO,
    )


def required_amount(ticket: Ticket, reference: Decimal) -> Decimal:
    """Return what a spot order costs: quote units for a buy, base units for a sell."""
    if ticket.quantity is None:
        return ticket.cost or ZERO
    return ticket.quantity * reference if ticket.side is Side.BUY else ticket.quantity


def base_quantity(instrument: Instrument, ticket: Ticket, reference: Decimal) -> Decimal:
    """Return the quantity of an order; for an order by cost, what it buys at the reference price."""
    if ticket.quantity is not None:
        return ticket.quantity
    return floor_to((ticket.cost or ZERO) / reference, instrument.quantity_step)
