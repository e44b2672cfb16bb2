from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.replay import Replayed, replay
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.engine.session import StrategyError
from strades_pipelines.strategy import registry
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.conftest import BTC, MINUTE, REPLAY, START, AddCandles, Connection, rows
from tests.strategy.edited_code import edited_package

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = START + timedelta(days=30)
CLOSES = [100.0, 101.0, 99.0, 98.0, 102.0, 103.0]


def run(adbc: "AdbcConnection", template: WalletTemplate = REPLAY, *, minutes: int = 6) -> Replayed:
    # A bar is known at its close, so the window ends just after the last one.
    end = START + minutes * MINUTE + timedelta(seconds=1)
    return replay(adbc, template, start=START, end=end, now=NOW)


def test_everything_of_a_window_is_written(adbc: "AdbcConnection", market: Connection, add_candles: AddCandles) -> None:
    add_candles(CLOSES)
    replayed = run(adbc)
    # Up at the second bar, down at the third, up at the fifth: fills at the opens 101, 99, 102.
    assert replayed.rows["signals.decisions"] == 3
    assert rows(market, "SELECT side, quantity, price, fee, filled_at FROM trading.fills ORDER BY filled_at") == [
        ("buy", Decimal(2), Decimal(101), Decimal("0.202"), START + 2 * MINUTE),
        ("sell", Decimal(2), Decimal(99), Decimal("0.198"), START + 3 * MINUTE),
        ("buy", Decimal(2), Decimal(102), Decimal("0.204"), START + 5 * MINUTE),
    ]
    cash = Decimal(1000) - 202 - Decimal("0.202") + 198 - Decimal("0.198") - 204 - Decimal("0.204")
    assert rows(market, "SELECT balance FROM trading.cash") == [(cash,)]
    assert rows(market, "SELECT listing_id, quantity, average_price FROM trading.positions") == [(BTC, 2, 102)]
    assert rows(market, "SELECT state, broker FROM trading.orders") == [("filled", "replay")] * 3
    (last,) = rows(market, "SELECT cash, holdings, equity, benchmark FROM results.equity ORDER BY time DESC LIMIT 1")
    assert last == pytest.approx((float(cash), 206.0, float(cash) + 206, 1030.0))
    ((statistics, benchmark),) = rows(market, "SELECT statistics, benchmark FROM results.performance")
    assert statistics["total_return"] == pytest.approx((float(cash) + 206) / 1000 - 1)
    assert (statistics["trades"], benchmark["total_return"]) == (3, pytest.approx(0.03))
    assert verify_ledger(market, replayed.wallet or "") == []


def test_the_wallet_says_what_it_was_made_from(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles(CLOSES, recorded_at=START + timedelta(days=1))
    replayed = run(adbc)
    query = "SELECT wallet, mode, parameters, instruments, opened_at, as_of, opening_cash FROM trading.wallets"
    (row,) = rows(market, query)
    parameters = {"fast": 1, "slow": 2, "size": 2.0}
    assert row == (replayed.wallet, "replay", parameters, ["gateio:BTC_USDT"], START, START + timedelta(days=1), 1000)


def test_the_same_again_writes_nothing(adbc: "AdbcConnection", add_candles: AddCandles, database_url: str) -> None:
    add_candles(CLOSES)
    first = run(adbc)
    before = table_hashes(database_url)
    again = run(adbc)
    assert (again.wallet, again.written) == (first.wallet, False)
    assert table_hashes(database_url) == before


@pytest.mark.parametrize("change", ["value", "recorded_at", "parameters", "fee", "window", "code"])
def test_another_cause_is_another_wallet(
    change: str,
    adbc: "AdbcConnection",
    market: Connection,
    add_candles: AddCandles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_candles(CLOSES)
    first = run(adbc)
    template, minutes = REPLAY, 6
    if change == "value":
        market.execute("UPDATE records.candles SET volume = 2 WHERE close = 98")
    elif change == "recorded_at":
        market.execute("UPDATE records.candles SET recorded_at = recorded_at + interval '1 day' WHERE close = 98")
    elif change == "parameters":
        template = replace(REPLAY, parameters={"fast": 1, "slow": 3})
    elif change == "fee":
        template = replace(REPLAY, fee_rate=Decimal(0))
    elif change == "window":
        minutes = 5
    else:
        monkeypatch.setattr(registry, "PACKAGE", edited_package(tmp_path))
    market.commit()
    second = run(adbc, template, minutes=minutes)
    assert second.written
    assert second.wallet != first.wallet


def test_an_order_of_the_last_bar_stays_open(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles(CLOSES[:2])
    run(adbc)
    assert rows(market, "SELECT state FROM trading.orders") == [("accepted",)]
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(0,)]


def test_refusals_are_kept(adbc: "AdbcConnection", market: Connection, add_candles: AddCandles) -> None:
    add_candles(CLOSES)
    run(adbc, replace(REPLAY, cash=Decimal(100)))
    # With nothing bought, the way back to 0 needs no order.
    query = "SELECT code FROM trading.refusals INNER JOIN signals.decisions USING (decision_id) ORDER BY decided_at"
    codes = rows(market, query)
    assert [code for (code,) in codes] == ["cash_below_zero", "already_at_target", "cash_below_zero"]


def test_without_bars_there_is_no_wallet(adbc: "AdbcConnection", market: Connection) -> None:
    assert run(adbc) == Replayed(None, written=False, bars=0, rows={})
    assert rows(market, "SELECT count(*) FROM trading.wallets") == [(0,)]


def test_daily_stocks_are_replayed_from_the_cleaned_bars(
    adbc: "AdbcConnection", market: Connection, add_days: AddCandles
) -> None:
    add_days(CLOSES)
    template = replace(REPLAY, instruments=("yahoo:AAPL", "yahoo:IBM"), interval="1d", currency="USD")
    replayed = replay(adbc, template, start=START, end=START + timedelta(days=10), now=NOW)
    assert replayed.rows["trading.fills"] == 3
    # Decided at the close of 21:00, filled at the next day's open of 14:30.
    (first,) = rows(market, "SELECT filled_at, bar_interval FROM trading.fills ORDER BY filled_at LIMIT 1")
    assert first == (START + timedelta(days=2, hours=14, minutes=30), "1d")


@pytest.mark.parametrize("seed", range(3))
def test_11_bars_that_are_missing_are_not_made_up_and_no_trade_is_priced_in_their_gap(
    seed: int, adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    """Nothing fills a gap: `cleaned.gaps` names it, and an order that falls into it waits for the next true bar."""
    random = np.random.default_rng(seed)
    add_candles([round(100.0 + value, 1) for value in np.cumsum(random.normal(size=80)).tolist()])
    whole = run(adbc, minutes=80)
    asked = rows(market, "SELECT filled_at FROM trading.fills ORDER BY filled_at")
    # Of the bars that filled something each third is taken away with the four after it, and then some.
    gaps = [at for (at,) in asked[::3]] + [START + int(minute) * MINUTE for minute in random.integers(5, 80, 4)]
    for at in gaps:
        market.execute("DELETE FROM records.candles WHERE open_time >= %s AND open_time < %s", [at, at + 5 * MINUTE])
    market.commit()
    left = rows(market, "SELECT count(*) FROM records.candles")
    replayed = run(adbc, minutes=80)
    assert replayed.wallet != whole.wallet
    priced = """
        SELECT f.filled_at, c.open_time, f.price = round(c.open::numeric, 1), i.intended_at
        FROM trading.fills AS f INNER JOIN trading.intents AS i USING (intent_id)
        LEFT JOIN records.candles AS c ON c.listing_id = f.listing_id AND c.open_time = f.bar_open_time
        WHERE f.wallet = '{}'
    """
    fills = rows(market, priced.format(replayed.wallet))
    assert len(fills) > 5
    assert all(filled_at == opened and equal for filled_at, opened, equal, _ in fills)
    waited = [filled_at - intended for filled_at, _, _, intended in fills]
    assert max(waited) >= 5 * MINUTE
    assert rows(market, "SELECT count(*) FROM records.candles") == left


class Broken(Strategy):
    """Raises on the third bar."""

    name: ClassVar[str] = "broken"
    bars: int = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.bars += 1
        account.target[0] = 1.0
        if self.bars == 3:
            raise ZeroDivisionError("gone")


def test_a_strategy_that_raises_leaves_nothing_and_the_next_is_unharmed(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_candles(CLOSES)
    monkeypatch.setitem(registry.strategies(), Broken.name, Broken)
    with pytest.raises(StrategyError, match="broken"):
        run(adbc, replace(REPLAY, strategy="broken", parameters={}))
    assert rows(market, "SELECT count(*) FROM trading.wallets") == [(0,)]
    assert run(adbc).rows["trading.fills"] == 3
