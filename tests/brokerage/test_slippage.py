"""Slippage: arithmetic on the close that a decision knew, each fill counted once, in the shares of its time."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from strades_pipelines.brokerage.external_orders import EXTERNAL
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.slippage import slippage
from strades_pipelines.market.split_arithmetic import Split
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_history import DAY
from tests.brokerage.test_ledger import record
from tests.brokerage.test_statements import load, trade

FILLS = "SELECT fill_id, reference, slippage FROM results.fill_slippage ORDER BY fill_id"
SUMS = "SELECT listing_id, currency, fills, unpriced, notional, slippage FROM results.listing_slippage"


@pytest.mark.parametrize(("side", "price", "cost"), [("buy", "101", 2), ("buy", "99", -2), ("sell", "99", 2)])
def test_to_buy_above_and_to_sell_below_the_price_that_was_known_costs(side: str, price: str, cost: int) -> None:
    assert slippage(side, Decimal(2), Decimal(price), Decimal(100)) == cost


def test_fills_are_measured_against_the_close_known_when_they_were_decided_and_added_up_once(
    market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles([100.0, 104.0])  # known at the end of their minutes
    record(market, wallet, 0, "buy", "1", "99")  # decided before any bar was known
    record(market, wallet, 1, "buy", "2", "100.5")  # the first is known, the second is not
    measure_history(market, wallet, now=START + 0.5 * DAY)
    assert rows(market, FILLS) == [("F0", None, None), ("F1", 100, 1)]
    assert rows(market, SUMS) == [(BTC, "USDT", 1, 1, 200, 1)]
    measure_history(market, wallet, now=START + 0.6 * DAY)
    record(market, wallet, 2, "sell", "2", "103.75")
    load(market, trade(30, "sell", "1", "120"), now=START + 0.6 * DAY)  # a person's broker decided it
    measure_history(market, wallet, now=START + 0.7 * DAY)
    assert rows(market, FILLS)[2:] == [("F2", 104, Decimal("0.5"))]
    assert rows(market, SUMS) == [(BTC, "USDT", 2, 1, 408, Decimal("1.5"))]
    summed = "SELECT sum(slippage), sum(reference * quantity) FROM results.fill_slippage"
    assert rows(market, summed) == [(Decimal("1.5"), 408)]


def test_what_was_adopted_costs_no_slippage(market: Connection, wallet: Wallet, add_candles: AddCandles) -> None:
    """A holding taken in at 90, where 100 were known: nobody of ours saw 100 and bought 10 lower."""
    add_candles([100.0])
    record(market, wallet, 1, "buy", "2", "90", strategy=EXTERNAL)
    measure_history(market, wallet, now=START + 0.5 * DAY)
    assert rows(market, FILLS) == []


def test_a_reference_is_in_the_shares_of_the_fill(market: Connection, wallet: Wallet, add_candles: AddCandles) -> None:
    """The listing was split two for one after the fill, and its source restated the past: 100 are 50 now."""
    add_candles([50.0])
    record(market, wallet, 1, "buy", "2", "101")
    at = START + 60 * MINUTE
    split = Split("paper", BTC, at.date(), at, Fraction(2), Decimal(0), Decimal(0), restates=True, recorded_at=at)
    measure_history(market, replace(wallet, splits=(split,)), now=START + 5 * MINUTE)
    assert rows(market, FILLS) == [("F1", 100, 2)]
