from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide, for_each, measure
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.bulk import NOTHING, Loaded
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy import registry
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.conftest import ETH, MINUTE, PAPER, REPLAY, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

CLOSES = [100.0, 101.0, 99.0, 98.0, 102.0, 103.0, 101.0, 104.0, 99.0]


class HalfInSecond(Strategy):
    """Wants half of the equity in the second instrument, from the first bar of the first on."""

    name: ClassVar[str] = "half_in_second"

    def __init__(self) -> None:
        super().__init__()
        self.has_asked = False

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        if not self.has_asked:
            self.has_asked = True
            account.set_weight(1, 0.5)


def test_a_weight_without_a_price_waits_in_a_paper_wallet_and_is_refused_at_the_end_of_a_replay(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.strategies(), HalfInSecond.name, HalfInSecond)
    coins: dict[str, Any] = {"instruments": (*PAPER.instruments, "gateio:ETH_USDT"), "strategy": HalfInSecond.name}
    add_candles(CLOSES)
    replayed = replace(REPLAY, **coins, parameters={})
    name = replay(adbc, replayed, start=START, end=START + timedelta(hours=1), now=START).wallet
    refused = (
        "SELECT wallet, code, target FROM trading.refusals INNER JOIN signals.decisions USING (decision_id, wallet)"
    )
    [(wallet, code, target)] = rows(market, refused)
    assert (wallet, code, str(target)) == (name, "no_price", "nan")
    open_wallet(market, replace(PAPER, **coins, parameters={}), now=START)
    assert decide(market, adbc, "paper", now=START + 3 * MINUTE) == []
    add_candles([10.0], start=START + 3 * MINUTE, listing=ETH)
    [made] = decide(market, adbc, "paper", now=START + 5 * MINUTE)
    assert (made.listing_id, made.decided_at, made.target) == (ETH, START + 4 * MINUTE, 50.0)


def test_only_new_decisions_are_kept(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    first = decide(market, adbc, "paper", now=START + 3 * MINUTE)
    assert [(made.decided_at, made.target) for made in first] == [(START + 2 * MINUTE, 2.0), (START + 3 * MINUTE, 0.0)]
    assert decide(market, adbc, "paper", now=START + 3 * MINUTE) == []
    assert [made.decided_at for made in decide(market, adbc, "paper", now=START + 5 * MINUTE)] == [START + 5 * MINUTE]


def test_a_bar_is_not_seen_before_its_close(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    assert decide(market, adbc, "paper", now=START + 2 * MINUTE - timedelta(microseconds=1)) == []
    assert len(decide(market, adbc, "paper", now=START + 2 * MINUTE)) == 1


def test_a_decision_stands_though_its_bar_is_revised(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES[:2])
    decide(market, adbc, "paper", now=START + 2 * MINUTE)
    market.execute("UPDATE records.candles SET close = 100.5 WHERE close = 101")
    decide(market, adbc, "paper", now=START + 2 * MINUTE)
    assert rows(market, "SELECT inputs->'numbers'->>'fast' FROM signals.decisions") == [("101.0",)]


def test_paper_without_delay_does_what_replay_does(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    """Stepped minute by minute, the paper wallet decides and fills as the replay of the same minutes."""
    add_candles(CLOSES)
    with connect(database_url) as theirs:
        for minute in range(1, len(CLOSES) + 1):
            now = START + minute * MINUTE
            decide(market, adbc, "paper", now=now)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=now)
    name = replay(adbc, REPLAY, start=START, end=START + timedelta(hours=1), now=START).wallet
    compared = "SELECT decided_at, target, inputs FROM signals.decisions WHERE wallet = %s ORDER BY 1"
    decided = [market.execute(compared, [wallet]).fetchall() for wallet in ("paper", name)]
    assert decided[0] == decided[1]
    compared = (
        "SELECT filled_at, side, quantity, price, fee, bar_open_time FROM trading.fills WHERE wallet = %s ORDER BY 1"
    )
    filled = [market.execute(compared, [wallet]).fetchall() for wallet in ("paper", name)]
    assert len(filled[0]) == 5
    assert filled[0] == filled[1]
    balances = market.execute("SELECT DISTINCT balance FROM trading.cash").fetchall()
    assert len(balances) == 1


def test_results_grow_and_are_not_written_twice(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    assert measure(market, adbc, "paper", now=START + 3 * MINUTE) == Loaded(6, 0, 0)
    # From the checkpoint on: the value of the last minute before it and that of its own, and three rows of all of them.
    assert measure(market, adbc, "paper", now=START + 3 * MINUTE) == Loaded(0, 0, 5)
    assert measure(market, adbc, "paper", now=START + 5 * MINUTE).inserted == 2
    assert rows(market, "SELECT equity, benchmark FROM results.equity ORDER BY time DESC LIMIT 1") == [(1000, 1020)]


def test_what_one_wallet_raises_stops_that_one_alone(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    results, errors = for_each(
        ["lost", "paper"], lambda name: decide(market, adbc, name, now=START + 2 * MINUTE), [market]
    )
    assert [len(made) for made in results.values()] == [1]
    assert errors == {"lost": "wallet: expected one that was opened, was 'lost'; is it in Wallets.json?"}


def test_a_failed_statement_of_one_wallet_is_undone(market: Connection, wallet: Wallet) -> None:
    def work(name: str) -> int:
        market.execute(f"SELECT 1 / {0 if name == 'broken' else 1}")
        return 1

    results, errors = for_each(["broken", "paper"], work, [market])
    assert results == {"paper": 1}
    assert errors == {"broken": "division by zero"}


def test_a_longer_window_of_a_replay_begins_alike(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles(CLOSES)
    ends = [START + 5 * MINUTE, START + timedelta(hours=1)]
    short, long = (replay(adbc, REPLAY, start=START, end=end, now=START).wallet for end in ends)
    query = "SELECT filled_at, side, price, fee FROM trading.fills WHERE wallet = %s ORDER BY filled_at"
    filled = market.execute(query, [short]).fetchall()
    assert filled == market.execute(query, [long]).fetchall()[: len(filled)]
    assert filled


def test_a_wallet_without_a_bar_since_its_opening_has_no_results_yet(
    adbc: "AdbcConnection", market: Connection, wallet: Wallet
) -> None:
    assert measure(market, adbc, "paper", now=START) == NOTHING
    assert rows(market, "SELECT count(*) FROM results.performance") == [(0,)]
