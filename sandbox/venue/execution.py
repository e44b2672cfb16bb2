"""The core's step: match prints since the last step, then cancels, replacements and new orders."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sandbox.venue import linked_orders, matching
from sandbox.venue.decimals import floor_to
from sandbox.venue.exchange import Exchange
from sandbox.venue.matching import Book
from sandbox.venue.orders import STOP_TYPES, Fill, Order, OrderType, Side, Status, TimeInForce

WAITING = frozenset({Status.PENDING_NEW, Status.ACCEPTED})
IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def advance(exchange: Exchange) -> None:
    """Advance the venue to now. Idempotent while neither the clock, the market nor a request changes anything."""
    now = exchange.now()
    symbols = [symbol for symbol, count in exchange.symbols.items() if count]
    # Without a working order an instrument is forgotten: prints of before an order do not fill it.
    exchange.seen_until = {symbol: exchange.seen_until.get(symbol, now) for symbol in symbols}
    if exchange.session_is_open:
        _match_prints(exchange, symbols, now)
        for symbol in symbols:
            _update_book(exchange, symbol, now)
    _cancel_all_due(exchange, now)
    _carry_out_cancels(exchange, now)
    _carry_out_replacements(exchange, now)
    if exchange.session_is_open:
        _activate(exchange, now)
        _match_changed(exchange, now)


def hold_price(exchange: Exchange, symbol: str, price: Decimal, size: Decimal | None = None) -> None:
    """Hold an instrument at a price; at most `size` trades there (None: unlimited)."""
    # What has traded before is matched at its own prices first.
    advance(exchange)
    exchange.manual_prices[symbol] = Book(price, size)
    advance(exchange)


def release_price(exchange: Exchange, symbol: str) -> None:
    """Return an instrument to its price source."""
    if exchange.manual_prices.pop(symbol, None) is not None:
        # Prints of the time that it was held are not matched.
        exchange.seen_until[symbol] = exchange.now()


def open_session(exchange: Exchange) -> None:
    """Open the trading session and route the queued orders."""
    exchange.session_is_open = True
    # Prints of the time that it was closed are not matched.
    exchange.seen_until.clear()
    advance(exchange)


def close_session(exchange: Exchange) -> None:
    """Close the trading session and expire day orders."""
    advance(exchange)
    exchange.session_is_open, now = False, exchange.now()
    for order in list(exchange.working.values()):
        if order.ticket.time_in_force is TimeInForce.DAY and not order.is_finished:
            _end(exchange, order, Status.EXPIRED, "cancelled", now)


def _match_prints(exchange: Exchange, symbols: Iterable[str], now: datetime) -> None:
    """Match the working orders against the prints of all instruments since the last step, in the order of time."""
    prints = [
        (market_print, symbol)
        for symbol in symbols
        if symbol not in exchange.manual_prices
        for market_print in exchange.prices.prints(symbol, exchange.seen_until[symbol], now)
    ]
    for market_print, symbol in sorted(prints, key=lambda entry: entry[0].time):
        book = Book(market_print.price, market_print.size)
        for order in list(exchange.working.values()):
            if order.ticket.symbol == symbol:
                _match(exchange, order, book, market_print.time)


def _update_book(exchange: Exchange, symbol: str, now: datetime) -> None:
    """Set an instrument's book to its last price; if that has changed, all its working orders may execute."""
    book = exchange.manual_prices.get(symbol) or Book(exchange.prices.last(symbol, now))
    exchange.seen_until[symbol] = now
    if exchange.books.get(symbol) != book:
        exchange.changed.update(
            (order.id, order) for order in exchange.working.values() if order.ticket.symbol == symbol
        )
    exchange.books[symbol] = book


def _cancel_all_due(exchange: Exchange, now: datetime) -> None:
    """Cancel all orders of accounts whose dead-man switch (Gate.io) was not renewed in time."""
    for key in [key for key, due in exchange.cancel_at.items() if now >= due]:
        del exchange.cancel_at[key]
        for order in list(exchange.working_of(key)):
            order.status = Status.PENDING_CANCEL
            exchange.changed[order.id] = order


def _carry_out_cancels(exchange: Exchange, now: datetime) -> None:
    for order in list(exchange.changed.values()):
        if order.status is Status.PENDING_CANCEL:
            _end(exchange, order, Status.CANCELED, "cancelled", now)


def _carry_out_replacements(exchange: Exchange, now: datetime) -> None:
    """Replace old orders by new ones; reject the new one if the old one was filled first."""
    due, exchange.replacements = exchange.replacements, []
    for replacement in due:
        old, new = replacement.old, replacement.new
        # What was filled since it was asked for is not asked for again.
        left = (new.ticket.quantity or Decimal(0)) - (old.filled - replacement.filled_at_request)
        if old.is_finished or left <= 0:
            _end(exchange, new, Status.REJECTED, "cancelled", now)
            continue
        new.ticket = replace(new.ticket, quantity=left)
        linked_orders.take_over(exchange, old, new)
        new.status = new.status if new.is_active else Status.HELD
        old.replaced_by = new.id
        _end(exchange, old, Status.REPLACED, "cancelled", now)


def _activate(exchange: Exchange, now: datetime) -> None:
    for order in list(exchange.changed.values()):
        if order.status in WAITING:
            if order.status is Status.PENDING_NEW:
                exchange.emit("pending_new", order, now)
            order.status = Status.NEW
            exchange.emit("new", order, now)


def _match_changed(exchange: Exchange, now: datetime) -> None:
    """Match the orders that may execute; those that cannot at this price rest until something changes."""
    for order in list(exchange.changed.values()):
        book = exchange.books[order.ticket.symbol]
        _match(exchange, order, book, now)
        _end_if_immediate(exchange, order, now)
        if order.idle_price == book.price or not order.is_active:
            exchange.changed.pop(order.id, None)


def _match(exchange: Exchange, order: Order, book: Book, at: datetime) -> None:
    """Fill an order as far as the last price and size allow."""
    if order.idle_price == book.price or order.is_finished or not order.is_active or order.status in WAITING:
        return
    if order.ticket.type is OrderType.TRAILING_STOP:
        order.high_water = matching.next_high_water(order, book.price)
    if not matching.is_triggered(order, book.price):
        order.idle_price = book.price
        return
    order.is_triggered = order.ticket.type in STOP_TYPES
    price = matching.execution_price(order, book.price)
    if price is None:
        order.is_resting, order.idle_price = True, book.price
        return
    quantity = _fillable(exchange, order, price, book)
    if quantity > 0:
        _fill(exchange, order, price, quantity, at)
        if book.available is not None:
            book.available -= quantity


def _fillable(exchange: Exchange, order: Order, price: Decimal, book: Book) -> Decimal:
    """Return the quantity that trades now: what is left, capped by the market's size and by a partial-fill fault."""
    step = exchange.rules.instruments[order.ticket.symbol].quantity_step
    wanted = order.left if order.ticket.quantity is not None else floor_to(order.left / price, step)
    quantity = wanted if book.available is None else min(wanted, floor_to(book.available, step))
    if order.ticket.time_in_force is TimeInForce.FOK:
        return quantity if quantity == wanted else Decimal(0)
    # Of whole shares whole ones are filled.
    unit = step if quantity != quantity.to_integral_value() else Decimal(1)
    if quantity <= unit:
        return quantity
    return max(floor_to(quantity * Decimal(exchange.partial_fill(order)), unit), unit)


def _fill(exchange: Exchange, order: Order, price: Decimal, quantity: Decimal, at: datetime) -> None:
    instrument, account = exchange.rules.instruments[order.ticket.symbol], exchange.accounts[order.account]
    rate = instrument.maker_fee if order.is_resting else instrument.taker_fee
    side = order.ticket.side
    fee = rate * (quantity if side is Side.BUY else quantity * price)
    fee_asset = instrument.base if side is Side.BUY else instrument.quote
    account.settle(instrument, side, price, quantity, fee)
    order.filled += quantity
    order.value += quantity * price
    order.fees[fee_asset] = order.fees.get(fee_asset, Decimal(0)) + fee
    rest = order.left if order.ticket.quantity is not None else floor_to(order.left / price, instrument.quantity_step)
    fill = Fill(
        number=len(exchange.fills) + 1,
        order_id=order.id,
        account=order.account,
        symbol=order.ticket.symbol,
        side=side,
        price=price,
        quantity=quantity,
        time=at,
        is_maker=order.is_resting,
        fee=fee,
        fee_asset=fee_asset,
        cumulative=order.filled,
        left=max(rest, Decimal(0)),
        position=account.balance(instrument.base),
    )
    exchange.fills.append(fill)
    if rest <= 0:
        exchange.finish(order, Status.FILLED, "filled", at)
    # A fill takes back nothing that is pending.
    elif order.status not in (Status.PENDING_CANCEL, Status.PENDING_REPLACE):
        order.status = Status.PARTIALLY_FILLED
    exchange.emit("fill" if order.is_finished else "partial_fill", order, at, fill)
    linked_orders.after_fill(exchange, order, at)


def _end_if_immediate(exchange: Exchange, order: Order, now: datetime) -> None:
    """Cancel the rest of an IOC or FOK order."""
    in_force = order.ticket.time_in_force
    if in_force in IMMEDIATE and order.status in (Status.NEW, Status.PARTIALLY_FILLED):
        _end(exchange, order, Status.CANCELED, in_force.value, now)


def _end(exchange: Exchange, order: Order, status: Status, reason: str, at: datetime) -> None:
    """Finish an order without a fill, emit the event and cancel its linked orders."""
    exchange.finish(order, status, reason, at)
    exchange.emit(status.value, order, at)
    if status is not Status.REPLACED:  # its replacement has taken its place in the group
        linked_orders.after_end(exchange, order, at)
