"""Brackets, one-cancels-other, one-triggers-other."""

from dataclasses import replace
from decimal import Decimal

import pytest

from sandbox.venue import order_entry
from sandbox.venue.orders import Order, OrderClass, OrderType, Side, Status
from sandbox.venue.venue import Venue
from tests.sandbox.venue.test_execution import BUY, SELL, place, price

BRACKET = replace(BUY, order_class=OrderClass.BRACKET, take_profit=Decimal(110), stop_loss=Decimal(95))


def legs(venue: Venue, order: Order) -> list[Order]:
    """The orders that hang on one."""
    return [venue.exchange.orders[each] for each in order.legs]


def test_exits_wait_for_their_entry_and_the_first_one_cancels_the_other(alpaca: Venue) -> None:
    price(alpaca, "100")
    entry = place(alpaca, BRACKET, type=OrderType.LIMIT, limit_price="99")
    profit, loss = legs(alpaca, entry)
    assert [each.status for each in (entry, profit, loss)] == [Status.NEW, Status.HELD, Status.HELD]
    price(alpaca, "98")
    assert [each.status for each in (entry, profit, loss)] == [Status.FILLED, Status.NEW, Status.HELD]
    price(alpaca, "94")
    assert [each.status for each in (profit, loss)] == [Status.CANCELED, Status.FILLED]
    assert loss.average_price == 94


def test_a_partly_filled_exit_cuts_the_other_to_what_is_left(alpaca: Venue) -> None:
    price(alpaca, "100")
    profit, loss = legs(alpaca, place(alpaca, BRACKET))
    price(alpaca, "110", size="4")
    assert (profit.filled, loss.ticket.quantity) == (Decimal(4), Decimal(6))
    price(alpaca, "95")
    assert (profit.status, loss.filled, loss.status) == (Status.CANCELED, Decimal(6), Status.FILLED)


def test_cancelling_an_entry_cancels_its_exits(alpaca: Venue) -> None:
    price(alpaca, "100")
    entry = place(alpaca, BRACKET, type=OrderType.LIMIT, limit_price="99")
    order_entry.request_cancel(alpaca.exchange, entry)
    alpaca.advance()
    assert [each.status for each in (entry, *legs(alpaca, entry))] == [Status.CANCELED] * 3


def test_of_two_exits_of_a_position_one_cancels_the_other(alpaca: Venue) -> None:
    price(alpaca, "100")
    place(alpaca, BUY)
    order = place(
        alpaca,
        replace(SELL, order_class=OrderClass.OCO, take_profit=Decimal(110), stop_loss=Decimal(95)),
        type=OrderType.LIMIT,
        limit_price="110",
    )
    [loss] = legs(alpaca, order)
    assert (order.status, loss.status) == (Status.NEW, Status.HELD)
    price(alpaca, "111")
    assert (order.status, loss.status) == (Status.FILLED, Status.CANCELED)


def test_a_replaced_exit_keeps_its_place(alpaca: Venue) -> None:
    price(alpaca, "100")
    profit, loss = legs(alpaca, place(alpaca, BRACKET))
    new = order_entry.request_replace(alpaca.exchange, loss, stop_price=Decimal(97))
    alpaca.advance()
    price(alpaca, "96")
    assert [each.status for each in (loss, new, profit)] == [Status.REPLACED, Status.FILLED, Status.CANCELED]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_one_triggers_other_has_one_exit_on_the_other_side(alpaca: Venue, side: Side) -> None:
    price(alpaca, "100")
    stop = Decimal(95) if side is Side.BUY else Decimal(105)
    entry = place(alpaca, replace(BUY, side=side, order_class=OrderClass.OTO, stop_loss=stop))
    [loss] = legs(alpaca, entry)
    assert (loss.ticket.side is side, loss.ticket.type, loss.status) == (False, OrderType.STOP, Status.HELD)
    price(alpaca, str(stop))
    assert alpaca.exchange.accounts[entry.account].balance("AAPL") == 0


def test_cancelling_an_exit_cancels_the_entry_too(alpaca: Venue) -> None:
    price(alpaca, "100")
    entry = place(alpaca, BRACKET, type=OrderType.LIMIT, limit_price="99")
    order_entry.request_cancel(alpaca.exchange, legs(alpaca, entry)[0])
    alpaca.advance()
    assert [each.status for each in (entry, *legs(alpaca, entry))] == [Status.CANCELED] * 3
