from dataclasses import replace
from decimal import Decimal

from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.order_terms import OrderTerms
from tests.strategy.builders import fill_event, make_order


def test_cash_position_average_and_profit_follow_the_fills() -> None:
    books = Books(Decimal(1000))
    books.apply(fill_event("buy", "3", "100", fee="0.3"))
    books.apply(fill_event("buy", "1", "120", fee="0.12"))
    assert books.cash == Decimal("579.58")
    # 300.3 + 120.12
    assert books.positions[1] == Position(Decimal(4), Decimal(105), Decimal("420.42"), Decimal(0))
    books.apply(fill_event("sell", "2", "130", fee="0.26"))
    assert books.cash == Decimal("839.32")
    # 260 - 0.26 - 420.42 / 2
    assert books.positions[1] == Position(Decimal(2), Decimal(105), Decimal("210.21"), Decimal("49.53"))
    assert books.positions[1].unrealised(Decimal(110)) == Decimal("9.79")
    books.apply(fill_event("sell", "2", "90", fee="0.18"))
    assert books.cash == Decimal("1019.14")
    assert books.positions[1] == Position(realised=Decimal("19.14"))


def test_a_fee_in_the_units_bought_makes_the_position_smaller_and_leaves_the_cash() -> None:
    books = Books(Decimal(1000))
    books.apply(replace(fill_event("buy", "1", "100", fee="0.002"), fee_currency="BTC", fee_in_units=True))
    assert books.cash == 900
    assert books.foreign == {}
    # 100 was paid for 0.998.
    assert books.positions[1] == Position(Decimal("0.998"), Decimal(100), Decimal(100), Decimal(0))


def test_a_fee_in_a_third_currency_is_cash_of_that_currency() -> None:
    books = Books(Decimal(1000), foreign={"GT": Decimal(3)})
    fill = replace(fill_event("buy", "1", "100", fee="0.5"), fee_currency="GT", fee_value=Decimal(4))
    books.apply(fill)
    assert (books.cash, books.foreign) == (Decimal(900), {"GT": Decimal("2.5")})
    assert books.positions[1].cost == 104
    assert books.foreign_value({"GT": Decimal(8)}) == (Decimal(20), [])


def test_cash_without_a_known_rate_is_named_and_in_no_value() -> None:
    books = Books(Decimal(10), foreign={"GT": Decimal(3), "EUR": Decimal(2), "BNB": Decimal(0)})
    assert books.foreign_value({"EUR": Decimal("1.5")}) == (Decimal(3), ["GT"])


def test_a_position_that_is_turned_starts_at_the_new_price() -> None:
    position = Position(Decimal(2), Decimal(10), Decimal(20)).after(fill_event("sell", "5", "12"))
    assert position == Position(Decimal(-3), Decimal(12), Decimal(-36), Decimal(4))


def test_open_orders_take_cash_but_promise_none() -> None:
    books = Books(Decimal(100))
    books.open_orders["A"] = make_order("buy", "1", reserved="30")
    books.open_orders["B"] = make_order("sell", "5")
    assert books.free_cash() == Decimal(70)
    assert books.pending(1) == Decimal(-4)


def test_equity_is_cash_and_positions_at_their_prices() -> None:
    books = Books(Decimal(10), {1: Position(Decimal(2), Decimal(5)), 2: Position(Decimal(3), Decimal(4))})
    assert books.equity({1: Decimal(7)}) == Decimal(10 + 14 + 12)


def test_an_order_for_a_target_is_as_good_as_done_unless_nobody_knows_of_it() -> None:
    """5 held, and a sale of 2 and a purchase of 3 for the target under way."""
    books = Books(Decimal(0), {1: Position(Decimal(5), Decimal(5))})
    books.open_orders = {"S": make_order("sell", "2"), "B": make_order("buy", "3")}
    books.open_orders = {name: replace(order, intent_id=name) for name, order in books.open_orders.items()}
    assert [books.least(1), books.most(1)] == [6, 6]
    books.unsettled = {"S", "B"}
    assert [books.pending(1), books.least(1), books.most(1)] == [0, 3, 8]


def test_what_is_on_sale_is_counted_once_and_not_where_it_hangs_together() -> None:
    orders = {
        "market": OrderTerms(),
        "limit": OrderTerms(limit=Decimal(9)),
        "stop": OrderTerms(stop=Decimal(3), reduce_only=True),
        "exit": OrderTerms(reduce_only=True),
        "linked": OrderTerms(limit=Decimal(9), group="g"),
        "child": OrderTerms(limit=Decimal(9), parent_id="P"),
        "leaving": OrderTerms(limit=Decimal(9)),
    }
    books = Books(Decimal(0), cancelling={"leaving"})
    for n, (name, terms) in enumerate(orders.items()):
        books.open_orders[name] = replace(
            make_order("sell", str(2**n)), intent_id=name, terms=terms, is_for_target=False
        )
    assert books.under_way(1, "sell") == -(1 + 2 + 8 + 16 + 64)
    assert books.under_way(1, "sell", group="g") == -(1 + 2 + 8 + 64)
    assert books.under_way(1, "sell", at_market=True) == -(1 + 8 + 64)
    assert books.under_way(1, "buy") == 0
    assert books.without_cancelling().under_way(1, "sell") == -(1 + 2 + 8 + 16)
