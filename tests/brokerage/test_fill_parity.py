"""Fills from before a split are compared in the shares of after it: values worked out by hand."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.daily_parity import DayParity, compare_day
from strades_pipelines.brokerage.decision_parity import DayDecision
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.fill_parity import in_shares
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_terms import OrderTerms
from tests.brokerage.conftest import AAPL, MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_daily_parity import edit

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

STOCK = replace(
    PAPER,
    instruments=("yahoo:AAPL",),
    currency="USD",
    cash=Decimal(10_000),
    parameters={"fast": 1, "slow": 2, "size": 10.0},
)
BOUGHT, SPLIT_DAY, SOLD = date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)
SPLIT = START + timedelta(days=1, hours=14, minutes=30)
LATER = START + timedelta(days=2)
Trade = Callable[[float], None]


@pytest.fixture
def trade(market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, database_url: str) -> Iterator[Trade]:
    """Buy 10 at a price, have them split 4 for 1 on the next day, and sell what there is on the day after that."""
    wallet = open_wallet(market, STOCK, now=START)
    with connect(database_url) as theirs:

        def step(closes: list[float], start: datetime) -> None:
            for n, close in enumerate(closes):
                at = start + n * MINUTE
                opened = closes[max(0, n - 1)]
                add_candles([close], opens=[opened], start=at, listing=AAPL, recorded_at=at + MINUTE)
                decide(market, adbc, "paper", now=at + MINUTE)
                execute_pending(market, PaperBroker(theirs, wallet), "paper", now=at + MINUTE)

        def go(price: float) -> None:
            step([400.0, price, 420.0], START)
            market.execute(
                "INSERT INTO records.corporate_actions VALUES (%s, %s, 'split', 4, NULL, NULL, %s, 'stated', 1, %s)",
                [AAPL, SPLIT_DAY, SPLIT, SPLIT],
            )
            market.execute(
                "INSERT INTO records.split_adjustments VALUES (%s, 1, %s, %s, 4, 'prices', %s, %s)",
                [AAPL, START - timedelta(days=1), SPLIT - MINUTE, SPLIT, SPLIT],
            )
            market.commit()
            step([110.0, 105.0, 100.0], LATER)

        yield go


def compare(market: Connection, adbc: "AdbcConnection", day: date) -> DayParity:
    return compare_day(market, adbc, "paper", day)


def test_fills_of_before_a_split_are_those_of_the_model_in_the_shares_of_after_it(
    market: Connection, adbc: "AdbcConnection", trade: Trade
) -> None:
    """10 at 404 are 40 at 101; on the day after the split 40 are sold, which are those 10."""
    trade(404.0)
    assert rows(market, "SELECT side, quantity, price FROM trading.fills ORDER BY filled_at") == [
        ("buy", 10, 404),
        ("sell", 40, 105),
    ]
    for day in (BOUGHT, SOLD):
        found = compare(market, adbc, day)
        assert (found.fills, found.fills_agreeing, found.differences) == (1, 1, [])


def test_what_a_split_alone_makes_differ_has_the_cause_split(
    market: Connection, adbc: "AdbcConnection", trade: Trade
) -> None:
    """404.01 / 4 is 101.0025, which is no price: the model fills at 101.00, for a fee of 4.04 where 4.0401 was paid."""
    trade(404.01)
    found = compare(market, adbc, BOUGHT)
    [one] = found.differences
    assert (one.cause.value, found.fills, found.fills_agreeing) == ("split", 1, 0)
    assert one.recorded.startswith("40 at 101.0025, fee 4.0401, ")
    assert one.expected.startswith("40 at 101, fee 4.04, ")


def test_what_a_split_does_not_explain_keeps_its_cause(
    market: Connection, adbc: "AdbcConnection", trade: Trade
) -> None:
    """Five dollars of before the split are 1.25 of after it."""
    trade(404.0)
    edit(market, "UPDATE trading.fills SET price = price + 5 WHERE side = 'buy'")
    [one] = compare(market, adbc, BOUGHT).differences
    assert (one.cause.value, one.recorded[:12]) == ("bug", "40 at 102.25")


def test_a_decision_for_a_value_counts_in_the_shares_of_its_time() -> None:
    """2.5 shares of 400 are 10 of 100; two that count in the same shares are compared as they are."""
    before = DayDecision(AAPL, START, 2.5, None, START, 4.0)
    assert before.is_same(DayDecision(AAPL, START, 10.0, None))
    assert not before.is_same(DayDecision(AAPL, START, 10.1, None))
    assert not replace(before, ratio=1.0).is_same(DayDecision(AAPL, START, 10.0, None))


def test_the_terms_of_an_order_are_restated() -> None:
    terms = OrderTerms(limit=Decimal(408), stop=Decimal("400.4"), reduce_only=True)
    assert in_shares(terms, Fraction(4)) == replace(terms, limit=Decimal(102), stop=Decimal("100.1"))
