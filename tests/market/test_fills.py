from datetime import timedelta
from decimal import Decimal

import pytest

from strades_pipelines.market.events import Bar
from strades_pipelines.market.fills import fill_at_open
from tests.strategy.builders import MINUTE, START, btc, make_order


def bar_at(price: float) -> Bar:
    closed = START + MINUTE
    return Bar(0, 1, "1m", START, closed, price, price + 1, price - 1, price, 1.0, closed)


def test_an_order_is_filled_whole_at_the_open_in_ticks() -> None:
    bar = bar_at(99.96)
    fill = fill_at_open(
        make_order("buy", "0.5", decided_at=START), bar, btc(), placed_at=START, fee_rate=Decimal("0.001")
    )
    assert (fill.quantity, fill.price, fill.fee) == (Decimal("0.5"), Decimal("100.0"), Decimal("0.05"))
    assert (fill.filled_at, fill.knowledge_time) == (bar.open_time, bar.knowledge_time)
    assert (fill.bar_interval, fill.bar_open_time) == ("1m", bar.open_time)


def test_a_price_from_before_the_order_is_refused() -> None:
    bar = bar_at(100.0)
    late = bar.open_time + timedelta(microseconds=1)
    with pytest.raises(ValueError, match="expected an open at"):
        fill_at_open(make_order("buy", "1", decided_at=late), bar, btc(), placed_at=late, fee_rate=Decimal(0))
