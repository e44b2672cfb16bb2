"""A venue's fill as our books keep it: where its fee was taken from."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import measure
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.venue_answers import new_fill
from strades_pipelines.market.order_states import OrderState
from tests.brokerage.conftest import MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_execution import FILLED
from tests.brokerage.test_ledger import record
from tests.brokerage.test_order_life import Passes, Scripted, passes
from tests.strategy.builders import btc, make_order

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["passes"]


@pytest.mark.parametrize(
    ("said", "currency", "in_units"),
    [(None, None, False), ("USDT", None, False), ("COIN1", "COIN1", True), ("GT", "GT", False)],
)
def test_a_fee_is_in_the_wallets_currency_in_the_units_or_in_another(
    said: str | None, currency: str | None, in_units: bool
) -> None:
    part = VenueFill("T1", Decimal(1), Decimal(100), Decimal("0.1"), START, fee_currency=said)
    fill = new_fill(make_order("buy", "1"), part, btc(), "USDT", START)
    assert (fill.fee_currency, fill.fee_in_units, fill.venue_fill_id) == (currency, in_units, "T1")


def says(fee: str, currency: str) -> Callable[[str], VenueOrder]:
    part = VenueFill("T1", Decimal(2), Decimal(101), Decimal(fee), FILLED, fee_currency=currency)
    return lambda intent_id: VenueOrder(intent_id, "V1", OrderState.FILLED, None, (part,), message=b"as it came")


def test_a_venue_that_takes_its_fee_from_the_coins_leaves_us_fewer_of_them(market: Connection, passes: Passes) -> None:
    assert passes(Scripted(says("0.004", "BTC")), 1) == ["filled"]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(Decimal("1.996"),)]
    assert rows(market, "SELECT currency, balance FROM trading.cash") == [("USDT", 798)]
    assert rows(market, "SELECT venue_fill_id FROM trading.fills") == [("T1",)]
    assert verify_ledger(market, "paper") == []


def test_a_venue_that_takes_its_fee_in_a_third_currency_takes_it_from_that_cash(
    market: Connection, passes: Passes
) -> None:
    assert passes(Scripted(says("0.5", "GT")), 1) == ["filled"]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]
    cash = rows(market, "SELECT currency, balance FROM trading.cash ORDER BY currency")
    assert cash == [("GT", Decimal("-0.5")), ("USDT", 798)]
    assert verify_ledger(market, "paper") == []


def test_the_strategys_account_and_the_curve_have_what_the_books_have(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection"
) -> None:
    """1 bought at 100, of which 0.1 are the fee; then 1 with a fee in GT, of which the curve has nothing."""
    add_candles([100.0, 100.0, 110.0])
    record(market, wallet, 1, "buy", "1", "100", fee_currency="BTC", fee_in_units=True)
    record(market, wallet, 2, "buy", "1", "100", fee_currency="GT")
    measure(market, adbc, "paper", now=START + 3 * MINUTE)
    curve = rows(market, "SELECT cash, holdings FROM results.equity ORDER BY time")
    assert [[round(value, 9) for value in row] for row in curve] == [[900, 90], [800, 190], [800, 209]]
    [(pnl, fees)] = rows(market, "SELECT pnl, fees FROM results.listing_performance")
    assert (pnl, fees) == (pytest.approx(9), pytest.approx(10))
