from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from strades_pipelines.brokerage.model_trust import Standings
from strades_pipelines.brokerage.replay_orders import ReplayOrders
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.strategy.events import microseconds
from strades_pipelines.strategy.orders import CANCELLED, FILLED, OUTCOMES
from tests.brokerage.conftest import BTC, MINUTE, REPLAY, START

COIN = Listing(BTC, "gateio", "BTC_USDT", "USDT", Decimal("0.1"), Decimal("0.001"))


@pytest.mark.parametrize(
    ("end_state", "code", "reason"),
    [(CANCELLED, OUTCOMES.index("reduce_only"), "reduce_only"), (FILLED, 0, "one_cancels_other")],
)
def test_an_order_that_is_over_before_all_of_it_was_filled_is_cancelled(end_state: int, code: int, reason: str) -> None:
    """2 are to be sold, 1.5 are at 100, for 0.1 % of 150; the rest has nothing to reduce, or its group filled it."""
    decision = TradingDecision("replayed", "s", 0, BTC, START, "bar", "bar@", 0, 1.5, -0.5, "why", {})
    begin, end = microseconds(START), microseconds(START + MINUTE)
    journal: Any = SimpleNamespace(
        made=[decision],
        decisions=[(begin, 0, 0, 0, 1, 0)],
        quantities=[-2.0],
        refused=set(),
        fills=[(1, 0, -1.5, 100.0, 0.15, end, end, 0)],
        fill_bars=[begin],
        orders=[(1, 0, 0, end, end_state, code)],
    )
    found = ReplayOrders(REPLAY, [COIN], journal, Standings())
    [fill] = found.fills
    assert (fill.side, fill.quantity, fill.price, fill.fee) == ("sell", Decimal("1.5"), Decimal(100), Decimal("0.15"))
    assert (fill.bar_open_time, fill.filled_at) == (START, START + MINUTE)
    # 1,000 + 150 - 0.15
    assert (found.books.cash, found.books.held(BTC), found.refusals) == (Decimal("1149.85"), Decimal("-1.5"), [])
    assert [(row["state"], row["filled"], row["reason"]) for row in found.event_rows()] == [
        ("planned", "0", None),
        ("submitting", "0", None),
        ("partially_filled", "1.5", None),
        ("cancelled", "1.5", reason),
    ]
