"""What is special to Alpaca: its documents, and what a replacement says (`PATCH /v2/orders/{id}`)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.brokers.alpaca.mapping import amendment, venue_order
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, OrderTerms
from tests.brokerage.conftest import AAPL, START

OLD = Order("OLD", "", 0, AAPL, "buy", Decimal(5), START, Decimal(0), OrderTerms(limit=Decimal(90)))
DOCUMENT = {"id": "1", "client_order_id": "A", "status": "filled", "qty": "2", "filled_qty": "2", "side": "buy"}
FILL = {"id": "7", "order_id": "1", "qty": "2", "price": "100", "transaction_time": "2024-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    "hostile", ["NaN", "Infinity", "-1", "0", "much", None, [], {}, [0, [2], 0], "1e200000", "1e-200000"]
)
def test_an_impossible_figure_makes_the_order_unknown(hostile: Any) -> None:
    assert venue_order(DOCUMENT, [FILL], b"said").state is OrderState.FILLED
    for document, fill in (({"qty": hostile}, {}), ({}, {"qty": hostile}), ({}, {"price": hostile})):
        found = venue_order(DOCUMENT | document, [FILL | fill], b"said")
        assert (found.state, found.message) == (OrderState.UNKNOWN, b"said")


@pytest.mark.parametrize(
    ("changes", "filled", "body"),
    [
        ({"terms": OrderTerms(limit=Decimal("90.5"))}, 0, {"limit_price": "90.5"}),
        # What is filled belongs to the size there: 2 of 5 are done, and 3 more are wanted, which is the old size.
        ({"quantity": Decimal(3)}, 2, {}),
        ({"quantity": Decimal(4)}, 2, {"qty": "6"}),
    ],
)
def test_a_replacement_names_what_differs(changes: dict[str, Any], filled: int, body: dict[str, str]) -> None:
    new = replace(OLD, intent_id="NEW", **changes)
    assert amendment(OLD, new, Decimal(filled)) == {"client_order_id": "NEW", **body}


def test_the_distance_of_a_trailing_stop_has_another_name_in_a_replacement() -> None:
    # `trail_price` when it is placed, `trail` when it is replaced.
    old = replace(OLD, terms=OrderTerms(trail=Decimal(5)))
    new = replace(old, intent_id="NEW", terms=OrderTerms(trail=Decimal(4)))
    assert amendment(old, new, Decimal(0)) == {"client_order_id": "NEW", "trail": "4"}
