"""What every broker does with an order, the same for all."""

from decimal import Decimal

import pytest

from strades_pipelines.brokerage.brokers.venue_errors import Rejected
from strades_pipelines.market.order_states import OrderState
from tests.brokerage.brokers.benches import Bench, order

S = OrderState
# Terms of each kind of order at a market of 100, the prices at which it is not filled, and one that fills it.
KINDS = {
    "market": ({}, None, "100"),
    "limit": ({"limit": "90"}, "100", "89"),
    "marketable limit": ({"limit": "110"}, None, "100"),
    "limit for the day": ({"limit": "90", "time_in_force": "day"}, "100", "89"),
    "immediate": ({"limit": "110", "time_in_force": "ioc"}, None, "100"),
    "fill or kill": ({"limit": "110", "time_in_force": "fok"}, None, "100"),
    "stop": ({"stop": "110"}, "100", "111"),
    "stop limit": ({"stop": "110", "limit": "115"}, "100", "111"),
    "trailing stop": ({"trail": "5"}, "100", "106"),
}


def needs(terms: dict[str, str]) -> set[str]:
    """What of an order's terms a venue may lack."""
    return {name for name in ("stop", "trail") if name in terms} | ({"day"} & {terms.get("time_in_force", "")})


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_order_is_filled_when_its_price_comes_or_refused_up_front(kind: str, bench: Bench) -> None:
    terms, rests_at, filled_at = KINDS[kind]
    made = order(bench, **terms)
    if needs(terms) & bench.broker.lacks:
        with pytest.raises(Rejected):
            bench.broker.submit(made, at=bench.clock())
        assert bench.orders() == []
        return
    accepted = bench.broker.submit(made, at=bench.clock())
    assert accepted.client_order_id == made.intent_id
    assert accepted.state in (S.ACCEPTED, S.FILLED)
    if rests_at is not None:
        bench.settle()
        waiting = bench.broker.lookup(made, at=bench.clock())
        assert waiting is not None
        assert (waiting.state, waiting.filled_by_fills) == (S.ACCEPTED, Decimal(0))
    bench.set_price(filled_at)
    bench.settle()
    found = bench.broker.lookup(made, at=bench.clock())
    assert found is not None
    assert (found.state, found.filled_by_fills) == (S.FILLED, Decimal(3))
    assert found.side in (None, "buy")
    assert found.quantity in (None, 3)


def test_a_fill_is_the_same_whenever_it_is_told(bench: Bench) -> None:
    made = order(bench)
    bench.broker.submit(made, at=bench.clock())
    bench.settle()
    once = bench.broker.lookup(made, at=bench.clock())
    bench.settle()
    again = bench.broker.lookup(made, at=bench.clock())
    assert once is not None
    assert again is not None
    assert len(once.fills) == 1
    assert again.fills == once.fills


def test_a_sale_gives_back_what_was_bought(bench: Bench) -> None:
    for side in ("buy", "sell"):
        made = order(bench, "2", side)
        bench.broker.submit(made, at=bench.clock())
        bench.settle()
        found = bench.broker.lookup(made, at=bench.clock())
        assert found is not None
        assert [(fill.quantity, fill.price) for fill in found.fills] == [(Decimal(2), Decimal(100))]


def test_an_order_that_was_never_sent_is_not_there(bench: Bench) -> None:
    bench.broker.submit(order(bench), at=bench.clock())
    assert bench.broker.lookup(order(bench), at=bench.clock()) is None
    assert bench.broker.cancel(order(bench), at=bench.clock()) is None


def test_an_order_is_cancelled_once_and_stays_cancelled(bench: Bench) -> None:
    made = order(bench, limit="90")
    bench.broker.submit(made, at=bench.clock())
    bench.broker.cancel(made, at=bench.clock())
    bench.settle()
    for found in (bench.broker.lookup(made, at=bench.clock()), bench.broker.cancel(made, at=bench.clock())):
        assert found is not None
        assert (found.state, found.fills) == (S.CANCELLED, ())
    bench.set_price("80")
    bench.settle()
    assert bench.orders() == [(made.intent_id, Decimal(0))]


def test_a_cancel_that_comes_after_the_fill_tells_the_fill(bench: Bench) -> None:
    made = order(bench)
    bench.broker.submit(made, at=bench.clock())
    bench.settle()
    found = bench.broker.cancel(made, at=bench.clock())
    assert found is not None
    assert (found.state, found.filled_by_fills) == (S.FILLED, Decimal(3))


def test_fractions_are_exact(bench: Bench) -> None:
    if bench.wallet.broker == "alpaca":  # which takes fractions of a share for the day only
        made = order(bench, "0.123456789", time_in_force="day")
    else:
        made = order(bench, "0.12345")
    bench.broker.submit(made, at=bench.clock())
    bench.settle()
    found = bench.broker.lookup(made, at=bench.clock())
    assert found is not None
    assert found.filled_by_fills == made.quantity
