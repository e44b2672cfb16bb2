"""The arguments of `strades_pipelines.brokerage.brokers.ccxt.order_arguments`, as the sandbox's Gate.io has them."""

from decimal import Decimal

import pytest

from strades_pipelines.brokerage.brokers.venue_errors import Rejected
from tests.brokerage.brokers.benches import VenueBench, order, posted_by


def test_figures_are_on_the_wire_as_they_were_given(gate: VenueBench) -> None:
    # 0.1 + 0.2 in floats is 0.30000000000000004, and 0.00001 is written as 1e-05.
    sent = posted_by(gate)
    for quantity, price in (("0.30001", "99.9"), ("1.00001", "12345.6")):
        gate.broker.submit(order(gate, quantity, limit=price), at=gate.clock())
    with pytest.raises(Rejected):  # nobody has so much; a float has no such number
        gate.broker.submit(order(gate, "9007199254740993", limit="99.9"), at=gate.clock())
    assert [(body["amount"], body["price"]) for body in sent] == [
        ("0.30001", "99.9"),
        ("1.00001", "12345.6"),
        ("9007199254740993", "99.9"),
    ]


def test_a_market_purchase_says_units_and_the_worst_price(gate: VenueBench) -> None:
    # Gate.io takes the quote amount for one of its own. 100 and 2 % more.
    sent = posted_by(gate)
    found = gate.broker.submit(order(gate, "2"), at=gate.clock())
    assert [(body["type"], body["amount"], body["price"], body["time_in_force"]) for body in sent] == [
        ("limit", "2", "102", "ioc")
    ]
    assert [(fill.quantity, fill.price) for fill in found.fills] == [(Decimal(2), Decimal(100))]


@pytest.mark.parametrize(("quantity", "terms"), [("0.000001", {}), ("1", {"limit": "99.99"})])
def test_a_figure_that_the_venue_would_round_is_refused(quantity: str, terms: dict[str, str], gate: VenueBench) -> None:
    with pytest.raises(Rejected):
        gate.broker.submit(order(gate, quantity, **terms), at=gate.clock())
    assert gate.orders() == []
