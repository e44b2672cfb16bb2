"""Orders that a strategy makes itself mean the same in a replay and on paper: stops, limits, trails, brackets, OCO."""

import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.registry import strategies
from tests.brokerage.conftest import BTC, MINUTE, PAPER, REPLAY, START, Connection
from tests.brokerage.random_orders import RandomOrders

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

BARS = 120
BEGINNING = START + timedelta(hours=23, minutes=30)  # over midnight, for what is bought once a day
# What makes each of them trade within so few bars.
STRATEGIES: dict[str, dict[str, Any]] = {
    "atr_trailing": {},
    "channel_limit_orders": {},
    "dollar_cost_averaging": {"days": 1},
    "donchian_breakout": {},
    "inside_bar_bracket": {},
    "range_straddle": {"length": 5, "hold": 3, "size": 1.0},
}
INTENTS = """
    SELECT i.intended_at, i.listing_id, i.side, i.quantity, i.order_type, i.limit_price, i.stop_price, i.trail,
        i.time_in_force, i.auction, i.reduce_only, i.parent_id IS NOT NULL, i.order_group IS NOT NULL, o.filled
    FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE i.wallet = %s ORDER BY i.intended_at, i.listing_id, d.ordinal
"""
FILLS = """
    SELECT filled_at, listing_id, side, quantity, price, fee, bar_open_time FROM trading.fills WHERE wallet = %s
    ORDER BY filled_at, side, price, quantity, bar_open_time
"""


def add_bars(market: Connection, seed: int) -> None:
    """A synthetic walk of minute bars whose ranges overlap, so that stops and limits are touched inside of bars."""
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 0.8, BARS)).round(1)
    opens = np.concatenate([[100.0], close[:-1] + rng.normal(0, 0.1, BARS - 1).round(1)]).round(1)
    high = (np.maximum(opens, close) + rng.exponential(0.5, BARS)).round(1)
    low = (np.minimum(opens, close) - rng.exponential(0.5, BARS)).round(1)
    for n in range(BARS):
        opened, closed = BEGINNING + n * MINUTE, BEGINNING + (n + 1) * MINUTE
        prices = [float(one[n]) for one in (opens, high, low, close)]
        market.execute(
            "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s)",
            [BTC, opened, closed, *prices, closed, START],
        )
    market.commit()


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_22_paper_without_delay_does_what_replay_does(
    strategy: str, market: Connection, adbc: "AdbcConnection", database_url: str
) -> None:
    add_bars(market, seed=3)
    assert_paper_is_replay(market, adbc, database_url, strategy, STRATEGIES[strategy])


@pytest.mark.parametrize("seed", range(int(os.environ.get("STRADES_PROGRAMMES", "3"))))
def test_22_random_programmes_of_orders_do_the_same_on_paper_and_in_a_replay(
    seed: int, market: Connection, adbc: "AdbcConnection", database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every kind of order; that a backtest does the same compiled and per event is held by test_properties."""
    monkeypatch.setitem(strategies(), RandomOrders.name, RandomOrders)
    add_bars(market, seed=seed)
    assert_paper_is_replay(market, adbc, database_url, RandomOrders.name, {"seed": seed})


def assert_paper_is_replay(
    market: Connection, adbc: "AdbcConnection", database_url: str, strategy: str, parameters: dict[str, Any]
) -> None:
    """Step a paper wallet bar by bar, replay the same bars, and compare orders, states, fills and cash."""
    of_strategy: dict[str, Any] = {
        "strategy": strategy,
        "parameters": parameters,
        "cash": Decimal(100_000),
        "opened_at": BEGINNING,
    }
    wallet = open_wallet(market, replace(PAPER, **of_strategy), now=BEGINNING)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for minute in range(1, BARS + 1):
            now = BEGINNING + minute * MINUTE
            # The fills of the bar come before what is decided on it; no pass takes time, however busy the machine is.
            execute_pending(market, venue, "paper", now=now, elapsed=lambda: 0.0)
            decide(market, adbc, "paper", now=now)
            execute_pending(market, venue, "paper", now=now, elapsed=lambda: 0.0)
    replayed = replay(
        adbc, replace(REPLAY, **of_strategy), start=BEGINNING, end=BEGINNING + timedelta(days=1), now=START
    ).wallet
    fills = [market.execute(FILLS, [name]).fetchall() for name in ("paper", replayed)]
    orders = [market.execute(INTENTS, [name]).fetchall() for name in ("paper", replayed)]
    assert orders[0] == orders[1]
    assert fills[0] == fills[1]
    assert fills[0]
    assert len(market.execute("SELECT DISTINCT balance FROM trading.cash").fetchall()) == 1
    assert verify_ledger(market, "paper") == []
