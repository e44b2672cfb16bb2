from decimal import Decimal

from strades_pipelines.market.books import Books, Position
from tests.strategy.builders import fill_event, make_order


def test_cash_position_and_average_follow_the_fills() -> None:
    books = Books(Decimal(1000))
    books.apply(fill_event("buy", "3", "100", fee="0.3"))
    books.apply(fill_event("buy", "1", "120", fee="0.12"))
    assert books.cash == Decimal("579.58")
    assert books.positions[1] == Position(Decimal(4), Decimal(105))
    books.apply(fill_event("sell", "2", "130", fee="0.26"))
    assert books.cash == Decimal("839.32")
    assert books.positions[1] == Position(Decimal(2), Decimal(105))
    books.apply(fill_event("sell", "2", "90", fee="0.18"))
    assert books.cash == Decimal("1019.14")
    assert books.positions[1] == Position()


def test_open_orders_take_cash_but_promise_none() -> None:
    books = Books(Decimal(100))
    books.open_orders["A"] = make_order("buy", "1", reserved="30")
    books.open_orders["B"] = make_order("sell", "5")
    assert books.free_cash() == Decimal(70)
    assert books.pending(1) == Decimal(-4)


def test_equity_is_cash_and_positions_at_their_prices() -> None:
    books = Books(Decimal(10), {1: Position(Decimal(2), Decimal(5)), 2: Position(Decimal(3), Decimal(4))})
    assert books.equity({1: Decimal(7)}) == Decimal(10 + 14 + 12)
