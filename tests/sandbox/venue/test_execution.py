"""The core: when orders of each kind are filled, at which price, with which fee, and what that does to the account."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.venue import execution, order_entry
from sandbox.venue.orders import Order, OrderEvent, OrderRefused, OrderType, Reason, Side, Status, Ticket, TimeInForce
from sandbox.venue.prices import Print
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, alpaca_venue, gate_venue
from tests.sandbox.venue.conftest import START, Clock

BUY = Ticket("AAPL", Side.BUY, OrderType.MARKET, Decimal(10), time_in_force=TimeInForce.DAY)
NUMBERS = ("quantity", "cost", "limit_price", "stop_price", "trail_price", "trail_percent")
SELL = replace(BUY, side=Side.SELL)


def price(venue: Venue, at: str, size: str | None = None, symbol: str = "AAPL") -> None:
    """Hold the market at a price."""
    execution.hold_price(venue.exchange, symbol, Decimal(at), None if size is None else Decimal(size))


def place(venue: Venue, ticket: Ticket, **changes: Any) -> Order:
    """Place an order and let the venue match it."""
    exact: dict[str, Any] = {
        name: Decimal(value) if name in NUMBERS and value else value for name, value in changes.items()
    }
    order = order_entry.place(venue.exchange, KEY, replace(ticket, **exact))
    venue.advance()
    return order


def test_a_market_order_takes_the_last_price(alpaca: Venue) -> None:
    price(alpaca, "100")
    order, account = place(alpaca, BUY), alpaca.exchange.accounts[KEY]
    assert (order.status, order.average_price) == (Status.FILLED, Decimal(100))
    assert account.balances == {"USD": Decimal(99_000), "AAPL": Decimal(10)}


@pytest.mark.parametrize(("limit", "first", "then", "paid"), [("101", "100", "100", "100"), ("99", "100", "97", "99")])
def test_a_limit_order_takes_the_last_price_or_waits_for_its_own(
    alpaca: Venue, limit: str, first: str, then: str, paid: str
) -> None:
    price(alpaca, first)
    order = place(alpaca, BUY, type=OrderType.LIMIT, limit_price=limit)
    price(alpaca, then)
    assert (order.status, order.average_price) == (Status.FILLED, Decimal(paid))


def test_a_stop_becomes_a_market_order_and_a_stop_limit_a_limit_order(alpaca: Venue) -> None:
    price(alpaca, "100")
    stop = place(alpaca, BUY, type=OrderType.STOP, stop_price="105")
    bounded = place(alpaca, BUY, type=OrderType.STOP_LIMIT, stop_price="105", limit_price="106")
    price(alpaca, "107")
    assert (stop.average_price, bounded.status) == (Decimal(107), Status.NEW)
    price(alpaca, "104")
    assert bounded.average_price == 106


@pytest.mark.parametrize(("trail", "stop"), [({"trail_price": "5"}, "115"), ({"trail_percent": "10"}, "108")])
def test_a_trailing_stop_follows_the_highest_price(alpaca: Venue, trail: dict[str, str], stop: str) -> None:
    price(alpaca, "100")
    place(alpaca, BUY)
    order = place(alpaca, SELL, type=OrderType.TRAILING_STOP, **trail)
    for at in ("120", str(Decimal(stop) + 1)):
        price(alpaca, at)
    assert (order.status, order.high_water) == (Status.NEW, Decimal(120))
    price(alpaca, stop)
    assert (order.status, order.average_price) == (Status.FILLED, Decimal(stop))


@pytest.mark.parametrize(
    ("in_force", "status", "filled"),
    [("ioc", Status.CANCELED, "4"), ("fok", Status.CANCELED, "0"), ("day", Status.PARTIALLY_FILLED, "4")],
)
def test_what_the_market_does_not_have_is_cancelled_or_waits(
    alpaca: Venue, in_force: str, status: Status, filled: str
) -> None:
    price(alpaca, "100", size="4")
    order = place(alpaca, BUY, time_in_force=TimeInForce(in_force))
    assert (order.status, order.filled) == (status, Decimal(filled))
    price(alpaca, "100", size="100")
    assert order.filled == (10 if in_force == "day" else Decimal(filled))


def test_a_cancel_that_comes_after_the_market_comes_too_late(alpaca: Venue, clock: Clock) -> None:
    price(alpaca, "100")
    order = place(alpaca, BUY, type=OrderType.LIMIT, limit_price="90")
    order_entry.request_cancel(alpaca.exchange, order)
    alpaca.exchange.manual_prices["AAPL"].price = Decimal(89)
    alpaca.advance()
    assert order.status is Status.CANCELED  # the price was set after the cancel was asked for
    resting = place(alpaca, BUY, type=OrderType.LIMIT, limit_price="88")
    price(alpaca, "87")
    with pytest.raises(OrderRefused, match="filled"):
        order_entry.request_cancel(alpaca.exchange, resting)


def test_a_replacement_holds_what_is_left_and_is_rejected_when_it_comes_too_late(alpaca: Venue) -> None:
    price(alpaca, "100", size="4")
    order = place(alpaca, BUY, type=OrderType.LIMIT, limit_price="100")
    new = order_entry.request_replace(alpaca.exchange, order, quantity=Decimal(12), limit_price=Decimal(99))
    alpaca.advance()
    assert (order.status, order.replaced_by, new.ticket.quantity) == (Status.REPLACED, new.id, Decimal(8))
    late = order_entry.request_replace(alpaca.exchange, new, limit_price=Decimal(98))
    alpaca.exchange.finish(new, Status.FILLED, "filled", alpaca.now())
    alpaca.advance()
    assert late.status is Status.REJECTED


@pytest.mark.parametrize(
    ("ticket", "changes", "words"),
    [
        (
            replace(BUY, type=OrderType.STOP, stop_price=Decimal(120)),
            {"limit_price": Decimal(1)},
            "require no limit price",
        ),
        (replace(BUY, quantity=Decimal("0.5"), limit_price=Decimal(90)), {"quantity": Decimal(2)}, "fractional orders"),
        (
            replace(BUY, quantity=None, cost=Decimal(50), limit_price=Decimal(90)),
            {"stop_price": None},
            "notional orders",
        ),
    ],
)
def test_what_alpaca_does_not_replace_is_refused(
    alpaca: Venue, ticket: Ticket, changes: dict[str, Any], words: str
) -> None:
    price(alpaca, "100")
    order = place(alpaca, ticket)
    with pytest.raises(OrderRefused, match=words):
        order_entry.request_replace(alpaca.exchange, order, **changes)
    assert order.status is Status.NEW


def test_day_orders_expire_with_the_session_and_later_ones_wait_for_the_next(alpaca: Venue) -> None:
    price(alpaca, "100")
    day = place(alpaca, BUY, type=OrderType.LIMIT, limit_price="90")
    kept = place(alpaca, BUY, type=OrderType.LIMIT, limit_price="89", time_in_force=TimeInForce.GTC)
    execution.close_session(alpaca.exchange)
    queued = place(alpaca, BUY)
    assert (day.status, kept.status, queued.status) == (Status.EXPIRED, Status.NEW, Status.ACCEPTED)
    execution.open_session(alpaca.exchange)
    assert queued.status is Status.FILLED


def test_an_order_meets_the_prints_that_came_while_nobody_looked(alpaca: Venue, clock: Clock) -> None:
    last = alpaca.exchange.price("IBM")
    ticket = replace(BUY, symbol="IBM", type=OrderType.LIMIT, limit_price=last - Decimal("0.10"))
    order = place(alpaca, ticket)
    clock.move(24 * 3600)
    alpaca.advance()
    assert order.status is Status.FILLED
    [fill] = alpaca.exchange.fills
    assert START < fill.time < clock.now
    assert (fill.price, fill.is_maker) == (ticket.limit_price, True)


class Prints:
    """A price source of a few prints."""

    def __init__(self, *prints: Print) -> None:
        self._prints = prints

    def last(self, symbol: str, at: datetime) -> Decimal:
        """The price of the newest print."""
        return [each.price for each in self._prints if each.time <= at][-1]

    def prints(self, symbol: str, since: datetime, until: datetime) -> list[Print]:
        """The prints of a range."""
        return [each for each in self._prints if since < each.time <= until]


def test_prices_come_from_any_source_and_their_sizes_limit_fills(clock: Clock) -> None:
    seconds = [START + timedelta(seconds=each) for each in range(4)]
    source = Prints(
        Print(seconds[0], Decimal(100)),
        Print(seconds[1], Decimal(90), Decimal(3)),
        Print(seconds[2], Decimal(90), Decimal(4)),
        Print(seconds[3], Decimal(100)),
    )
    venue = alpaca_venue(clock, prices=source)
    order = place(venue, BUY, type=OrderType.LIMIT, limit_price="95")
    clock.move(10)
    venue.advance()
    assert [(fill.time, fill.price, fill.quantity) for fill in venue.exchange.fills] == [
        (seconds[1], Decimal(95), Decimal(3)),
        (seconds[2], Decimal(95), Decimal(4)),
    ]
    assert order.status is Status.PARTIALLY_FILLED


def test_gate_takes_its_fee_from_what_a_fill_brings(gate: Venue) -> None:
    price(gate, "50000", symbol="BTC_USDT")
    pair = {"symbol": "BTC_USDT", "time_in_force": TimeInForce.IOC}
    place(gate, BUY, quantity=None, cost="1000", **pair)
    assert gate.exchange.accounts[KEY].balances == {"USDT": Decimal(99_000), "BTC": Decimal("0.01996")}
    place(gate, SELL, quantity="0.01", **pair)
    assert gate.exchange.accounts[KEY].balances == {"USDT": Decimal("99499"), "BTC": Decimal("0.00996")}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "XYZ"}, Reason.UNKNOWN_SYMBOL),
        ({"quantity": "0"}, Reason.INVALID),
        ({"quantity": "0.0000000001"}, Reason.PRECISION),
        ({"type": OrderType.LIMIT, "limit_price": "100.001"}, Reason.PRECISION),
        ({"type": OrderType.LIMIT, "limit_price": "0"}, Reason.INVALID),
        ({"quantity": "2001"}, Reason.NO_FUNDS),
        ({"side": Side.SELL, "quantity": "0.5"}, Reason.FRACTION),
    ],
)
def test_what_is_refused_changes_nothing(alpaca: Venue, changes: dict[str, Any], reason: Reason) -> None:
    price(alpaca, "100")
    with pytest.raises(OrderRefused) as refused:
        place(alpaca, BUY, **changes)
    assert refused.value.reason is reason
    assert alpaca.exchange.orders == {}
    assert alpaca.exchange.accounts[KEY].balances == {"USD": 100_000}


def test_a_position_is_sold_once_and_not_through_zero(alpaca: Venue) -> None:
    price(alpaca, "100")
    place(alpaca, BUY)
    place(alpaca, SELL, type=OrderType.LIMIT, limit_price="110", quantity="6")
    with pytest.raises(OrderRefused, match=r"requested: 5, available: 4"):
        place(alpaca, SELL, quantity="5")
    with pytest.raises(OrderRefused, match="wash trade"):
        place(alpaca, BUY)


@given(
    seed=st.integers(0, 2**32), moves=st.lists(st.sampled_from(["buy", "sell", "up", "down", "cancel"]), max_size=30)
)
def test_fills_add_up_to_orders_and_balances_whatever_happens(seed: int, moves: list[str]) -> None:
    clock = Clock()
    venue, level, events = gate_venue(clock, seed=seed), Decimal(50_000), list[OrderEvent]()
    venue.exchange.listeners.append(events.append)
    venue.exchange.partial_fill = lambda order: 0.4
    for count, move in enumerate(moves):
        clock.move(1)
        if move in ("up", "down"):
            level += 100 if move == "up" else -100
            price(venue, str(level), symbol="BTC_USDT")
        elif move == "cancel":
            for order in list(venue.exchange.working.values()):
                order_entry.request_cancel(venue.exchange, order)
        else:
            limit = str(level + (count % 3 - 1) * 50)
            try:
                place(venue, BUY, symbol="BTC_USDT", side=Side(move), type=OrderType.LIMIT, limit_price=limit,
                      quantity="0.05", time_in_force=TimeInForce.GTC)  # fmt: skip
            except OrderRefused:
                continue
        venue.advance()
    exchange, account = venue.exchange, venue.exchange.accounts[KEY]
    for order in exchange.orders.values():
        fills = [fill for fill in exchange.fills if fill.order_id == order.id]
        assert sum(fill.quantity for fill in fills) == order.filled <= (order.ticket.quantity or 0)
        assert (order.status is Status.FILLED) == (order.left == 0)
    bought = sum((f.quantity if f.side is Side.BUY else -f.quantity for f in exchange.fills), Decimal(0))
    paid = sum((f.quantity * f.price * (1 if f.side is Side.BUY else -1) for f in exchange.fills), Decimal(0))
    fees = {asset: sum(f.fee for f in exchange.fills if f.fee_asset == asset) for asset in ("BTC", "USDT")}
    assert account.balance("BTC") == bought - fees["BTC"] >= 0
    assert account.balance("USDT") == 100_000 - paid - fees["USDT"] >= 0
    assert len([event for event in events if event.fill]) == len(exchange.fills)
