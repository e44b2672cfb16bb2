"""Sizes and prices of a strategy that no order may have: refused with a code, recorded, and nothing is sent."""

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.conftest import MINUTE, PAPER, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

SIZES = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e300, -1e300, 1e-300, -1.0)
PRICES = (math.nan, math.inf, -1.0, 0.0, -0.0, 1e300, -1e300)
TARGETS = (math.inf, -math.inf, 1e300, -5.0, 1e-300)


class Hostile(Strategy):
    """Orders at its second bar each size at the market, and one unit at each price; then wants each target."""

    name: ClassVar[str] = "hostile"

    def __init__(self) -> None:
        super().__init__()
        self.bars = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.bars += 1
        if self.bars == 2:
            for size in SIZES:
                account.order(0, size)
            for price in PRICES:
                account.order(0, 1.0, limit=price)
                account.order(0, 1.0, stop=price)
                account.order(0, 1.0, trail=price)
        elif 2 < self.bars <= 2 + len(TARGETS):
            account.target[0] = TARGETS[self.bars - 3]


def test_nothing_that_no_order_may_have_reaches_the_venue(
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(strategies(), Hostile.name, Hostile)
    add_candles([100.0] * 10)
    wallet = open_wallet(market, replace(PAPER, strategy="hostile", parameters={}), now=START)
    with connect(database_url) as theirs:
        for minute in range(1, 11):
            decide(market, adbc, "paper", now=START + minute * MINUTE)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=START + minute * MINUTE)
    sent = rows(market, "SELECT order_type, limit_price, stop_price, trail FROM trading.intents")
    codes = Counter(code for (code,) in rows(market, "SELECT code FROM trading.refusals"))
    assert sent == []
    assert codes.keys() == {
        "not_finite",
        "not_positive",
        "lot_precision",
        "tick_precision",
        "position_below_zero",
        "already_at_target",
    }
    assert codes.total() == len(SIZES) + 3 * len(PRICES) + len(TARGETS)
    assert load_wallet(market, "paper").state == "active"
