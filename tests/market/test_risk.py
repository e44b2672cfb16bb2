import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.exposure import Market
from strades_pipelines.market.order_checks import GateError, Rules, check_order
from strades_pipelines.market.order_terms import MARKET, Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.market.risk import gate
from strades_pipelines.market.wallet_limits import parse_limits
from tests.strategy.builders import START, btc, make_order

RULES = Rules(START, timedelta(minutes=15), Decimal("0.001"))
HALF = replace(RULES, limits=parse_limits({"max_position_percent": 50}))
DECISION = TradingDecision("w", "s", 0, 1, START, "bar", "1m@x", 0, 0.0, 2.0, "because", {})
LOT = Decimal("0.00001")
EXIT = OrderTerms(reduce_only=True)


def review(decision: TradingDecision = DECISION, **changes: Any) -> Order | Refusal:
    given: dict[str, Any] = {
        "listing": btc(),
        "books": Books(Decimal(1000)),
        "market": Market({1: Decimal(100)}),
        "now": START,
        "rules": RULES,
        "seen": (),
    }
    return gate(decision, **(given | changes))


def code(outcome: Order | Refusal) -> str:
    return outcome.code if isinstance(outcome, Refusal) else "order"


def test_the_order_is_what_is_missing_to_the_target() -> None:
    books = Books(Decimal(1000), {1: Position(Decimal("0.5"), Decimal(90))})
    books.open_orders["A"] = make_order("buy", "0.25")
    order = review(books=books)
    assert isinstance(order, Order)
    assert (order.side, order.quantity, order.reserved) == ("buy", Decimal("1.25"), Decimal("125.125"))
    assert order.intent_id == DECISION.intent_id()


def test_floats_that_are_not_exact_do_not_lose_a_lot() -> None:
    books = Books(Decimal(1000), {1: Position(Decimal("0.2"), Decimal(90))})
    order = review(replace(DECISION, target=0.3), books=books)
    assert isinstance(order, Order)
    assert order.quantity == Decimal("0.1")


def test_a_lower_target_sells() -> None:
    order = review(replace(DECISION, target=0.0), books=Books(Decimal(0), {1: Position(Decimal(3), Decimal(90))}))
    assert isinstance(order, Order)
    assert (order.side, order.quantity, order.reserved) == ("sell", Decimal(3), Decimal(0))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"now": START + timedelta(minutes=15)}, "order"),
        ({"now": START + timedelta(minutes=15, microseconds=1)}, "stale"),
        ({"rules": replace(RULES, opened_at=START + timedelta(microseconds=1))}, "before_opening"),
        ({"rules": replace(RULES, state="halted")}, "wallet_halted"),
        ({"seen": {DECISION.intent_id()}}, "duplicate"),
        ({"market": Market({})}, "no_price"),
        # 2 at 100 and 0.1 % of it take 200.2.
        ({"books": Books(Decimal("200.2"))}, "order"),
        ({"books": Books(Decimal("200.19"))}, "cash_below_zero"),
        ({"books": Books(Decimal(400)), "rules": HALF}, "order"),
        ({"books": Books(Decimal("399.9")), "rules": HALF}, "notional_over_equity"),
    ],
)
def test_a_limit_holds_to_the_unit(changes: dict[str, Any], expected: str) -> None:
    assert code(review(**changes)) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        (0.0, "already_at_target"),
        (0.000009, "already_at_target"),
        (0.00001, "order"),
        (-0.00001, "position_below_zero"),
        (1e300, "lot_precision"),
    ],
)
def test_a_target_that_cannot_be_held_is_refused(target: float, expected: str) -> None:
    assert code(review(replace(DECISION, target=target))) == expected


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        (Decimal("NaN"), Decimal(1), "not_positive"),
        (Decimal("Infinity"), Decimal(1), "not_positive"),
        (Decimal(0), Decimal(1), "not_positive"),
        (-LOT, Decimal(1), "not_positive"),
        (LOT, Decimal(0), "not_positive"),
        (LOT, Decimal("NaN"), "not_positive"),
        (LOT / 2, Decimal(1), "lot_precision"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(quantity: Decimal, price: Decimal, expected: str) -> None:
    order = replace(make_order("buy", "1"), quantity=quantity)
    with pytest.raises(GateError, match=expected):
        check_order(order, btc(), Books(Decimal(10)), market=Market({1: price}), now=START, rules=RULES)


def test_an_exit_passes_whatever_the_account_is_worth() -> None:
    books = Books(Decimal(-50), {1: Position(Decimal(1), Decimal(100))})
    assert code(review(replace(DECISION, target=0.0), books=books, market=Market({1: Decimal(1)}))) == "order"


@pytest.mark.parametrize(
    ("own", "units", "terms", "expected"),
    [
        (5, -5, EXIT, "order"),
        (5, -6, EXIT, "position_below_zero"),  # the sixth is another's
        (-3, 3, EXIT, "reduce_only"),  # the wallet would grow
        (-3, 3, MARKET, "cash_below_zero"),
    ],
)
def test_an_exit_is_one_for_its_strategy_and_for_the_wallet(
    own: int, units: int, terms: OrderTerms, expected: str
) -> None:
    """Beside others that hold the rest of the wallet's 15; there is no cash."""
    wallet, part = (Books(Decimal(0), {1: Position(Decimal(held), Decimal(90))}) for held in (15, own))
    asked = replace(DECISION, request=OrderRequest(Decimal(units), terms))
    assert code(review(asked, books=wallet, own=part)) == expected


def test_beside_others_a_strategys_units_are_on_sale_once() -> None:
    """Of its 5, 2 are on sale at a limit and 1 by an order that is to be cancelled; alone the venue would see to it."""
    wallet, part = (Books(Decimal(0), {1: Position(Decimal(held), Decimal(90))}) for held in (15, 5))
    waits = replace(EXIT, limit=Decimal(200))
    sales = {
        "A": replace(make_order("sell", "2"), intent_id="A", terms=waits, is_for_target=False),
        "B": replace(make_order("sell", "1"), intent_id="B", is_for_target=False),
    }
    for books in (wallet, part):
        books.open_orders, books.cancelling = dict(sales), {"B"}
    for units, expected in ((-2, "order"), (-3, "position_below_zero")):
        asked = replace(DECISION, request=OrderRequest(Decimal(units), EXIT))
        assert code(review(asked, books=wallet, own=part)) == expected
        assert code(review(asked, books=part)) == "order"
