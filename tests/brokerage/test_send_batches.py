"""What may be on its way at once, and what keeps its order."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from strades_pipelines.brokerage.order_book import OpenOrder
from strades_pipelines.brokerage.send_batches import BATCH, split_batch
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, OrderTerms
from tests.brokerage.conftest import BTC, ETH, START


def planned(name: str, side: str = "buy", listing: int = BTC, **terms: Any) -> OpenOrder:
    order = Order(name, "", 0, listing, side, Decimal(1), START, Decimal(0), OrderTerms(**terms))
    return OpenOrder(order, OrderState.PLANNED, Decimal(0), None, None, None, None, 0, None, None)


FIRST = planned("first")


@pytest.mark.parametrize(
    ("second", "together"),
    [
        (planned("second"), True),
        (planned("second", "sell", ETH), True),
        (planned("second", "sell"), False),
        (planned("second", "buy", reduce_only=True), False),
        (planned("second", "sell", ETH, parent_id="first"), False),
        (planned("second", "buy", ETH, replaces="another"), False),
        (planned("second", "buy", ETH, group="g"), True),
    ],
)
def test_an_order_waits_for_what_it_depends_on(second: OpenOrder, together: bool) -> None:
    batch, rest = split_batch([FIRST, second])
    assert (list(batch), list(rest)) == (([FIRST, second], []) if together else ([FIRST], [second]))


def test_orders_of_a_group_are_not_on_their_way_at_once() -> None:
    one, two = planned("one", group="g"), planned("two", "buy", ETH, group="g")
    assert list(split_batch([one, two])[0]) == [one]


def test_a_batch_is_bounded_and_nothing_is_passed_over() -> None:
    orders = [replace(FIRST, order=replace(FIRST.order, intent_id=str(n))) for n in range(BATCH + 1)]
    batch, rest = split_batch(orders)
    assert len(batch) == BATCH
    assert [*batch, *rest] == orders
    assert split_batch([]) == ([], [])
