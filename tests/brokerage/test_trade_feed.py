"""Trades as events: live in the order of their arrival, in a replay in the order of execution."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strades_pipelines.brokerage import checkpoints
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.trade_feed import FeedRange, read_trades, trade_columns
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.events import moment
from tests.brokerage.conftest import (
    BTC,
    ETH,
    MINUTE,
    PAPER,
    REPLAY,
    SECOND,
    START,
    AddCandles,
    AddTrades,
    Connection,
    rows,
    wait_for_older_transactions,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

FLOW: dict[str, Any] = {
    "strategy": "trade_imbalance",
    "parameters": {"window": 30.0, "enter": 0.0, "leave": 0.0, "hold": 1000, "size": 2.0},
}


def read_events(
    adbc: "AdbcConnection", *, is_heard: bool, end: datetime = START + MINUTE
) -> list[tuple[int, float, float]]:
    """Of each trade event the index of its listing, the seconds after START, and the signed size."""
    with adbc.cursor() as cursor:
        index = {BTC: 0, ETH: 1}
        events = trade_columns(read_trades(cursor, index, FeedRange(START, end, is_heard)), index)
    adbc.rollback()
    columns = zip(events.i, events.time, events.b * events.c, strict=True)
    return [(int(i), (moment(time) - START).total_seconds(), float(size)) for i, time, size in columns]


def test_a_trade_is_an_event_at_its_arrival_and_none_if_it_is_a_minute_late(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades
) -> None:
    add_trades([(9, 1, 1.0, "buy"), (10, 1, 2.0, "sell"), (11, 1.5, 3.0, "buy")], came=2)
    add_trades([(8, 0.5, 4.0, "buy")], came=3)  # reordered
    add_trades([(1, 2.5, 5.0, "sell")], came=2.6, listing=ETH)
    add_trades([(12, 5, 6.0, "buy")], came=4)  # the venue's clock is ahead of ours
    add_trades([(7, -30, 7.0, "buy")], came=31)
    add_trades([(2, 1, 1.0, "buy")], came=60, listing=ETH)
    live = [(0, 2.0, 1.0), (0, 2.0, -2.0), (0, 2.0, 3.0), (1, 2.6, -5.0), (0, 3.0, 4.0), (0, 5.0, 6.0)]
    assert read_events(adbc, is_heard=True) == live
    assert read_events(adbc, is_heard=True, end=START + 2 * MINUTE) == [*live, (1, 60.0, 1.0)]
    assert read_events(adbc, is_heard=True, end=START + 3 * SECOND) == live[:4]
    happened = [
        (0, 0.5, 4.0),
        (0, 1.0, 1.0),
        (0, 1.0, -2.0),
        (1, 1.0, 1.0),
        (0, 1.5, 3.0),
        (1, 2.5, -5.0),
        (0, 5.0, 6.0),
    ]
    assert read_events(adbc, is_heard=False) == happened


def test_a_trade_stored_behind_a_checkpoint_is_processed(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades, add_candles: AddCandles
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0] * 3)
    add_trades([(1, 10, 5.0, "buy")], came=10)
    [bought] = decide(market, adbc, "paper", now=START + 4 * MINUTE)
    assert (bought.target, bought.decided_at) == (2.0, START + 10 * SECOND)
    assert rows(market, "SELECT count(*) FROM trading.wallet_checkpoints") == [(1,)]
    add_trades([(2, 100, 9.0, "sell")], came=100)
    [sold] = decide(market, adbc, "paper", now=START + 4 * MINUTE)
    assert (sold.target, sold.decided_at) == (0.0, START + 100 * SECOND)
    add_trades([(3, 5, 1.0, "buy")], came=150)  # too late to be an event: the checkpoint stays valid
    noted = "SELECT count(*) FROM trading.input_changes WHERE subject = 'trades:11'"
    assert rows(market, noted) == [(2,)]
    assert decide(market, adbc, "paper", now=START + 4 * MINUTE) == []


def test_input_changes_of_trades_are_deleted_after_an_hour_unless_a_checkpoint_lacks_them(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades, add_candles: AddCandles
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0] * 3)
    add_trades([(1, 10, 5.0, "buy")], came=10)
    decide(market, adbc, "paper", now=START + 4 * MINUTE)
    add_trades([(2, 100, 9.0, "sell")], came=100)  # behind the checkpoint
    add_trades([(3, 300, 1.0, "sell")], came=300)
    market.execute("UPDATE trading.input_changes SET changed_at = now() - interval '61 minutes'")
    market.commit()
    wait_for_older_transactions(market)
    assert checkpoints.delete_old_changes(market) == 2
    assert rows(market, "SELECT known_from FROM trading.input_changes WHERE subject LIKE 'trades:%'") == [
        (START + 100 * SECOND,)
    ]
    [sold] = decide(market, adbc, "paper", now=START + 6 * MINUTE)
    assert sold.decided_at == START + 100 * SECOND


def test_a_replay_over_trades_decides_at_their_execution_times_and_fills_at_the_next_trade(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades, add_candles: AddCandles
) -> None:
    """A replay ignores the arrival times of stored trades: history may be fetched years later."""
    add_candles([100.0] * 3)
    add_trades([(1, 10, 5.0, "buy"), (2, 20, 1.0, "buy"), (3, 100, 9.0, "sell"), (4, 130, 1.0, "sell")], came=99_999)
    name = replay(adbc, replace(REPLAY, **FLOW), start=START, end=START + 3 * MINUTE, now=START).wallet
    decided = rows(market, "SELECT wallet, target, decided_at FROM signals.decisions ORDER BY decided_at")
    assert decided == [(name, 2.0, START + 10 * SECOND), (name, 0.0, START + 100 * SECOND)]
    filled = rows(market, "SELECT side, quantity, price, filled_at FROM trading.fills ORDER BY filled_at")
    assert filled == [("buy", 2, 100, START + 20 * SECOND), ("sell", 2, 100, START + 130 * SECOND)]


def test_one_process_at_a_time_steps_a_wallet_and_the_second_sees_trades_stored_meanwhile(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades, add_candles: AddCandles, database_url: str
) -> None:
    """Without the lock, a process that read fewer trades and stored later would undo the other's decisions."""
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    with connect(database_url) as ours, connect(database_url) as first, ThreadPoolExecutor(1) as pool:
        first.execute("SELECT pg_advisory_xact_lock(hashtextextended('strades.decide:paper', 0))")
        second = pool.submit(decide, ours, adbc, "paper", now=START + 2 * MINUTE)
        waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: rows(market, waiting))
        add_trades([(1, 10, 5.0, "buy")], came=10)
        first.commit()
        assert [decision.target for decision in second.result()] == [2.0]


def test_trades_that_arrive_together_are_events_in_order_of_execution(
    adbc: "AdbcConnection", market: Connection, add_trades: AddTrades, add_candles: AddCandles
) -> None:
    open_wallet(market, replace(PAPER, **FLOW), now=START)
    add_candles([100.0])
    add_trades([(9, 1, 5.0, "buy"), (10, 1, 9.0, "sell"), (11, 1, 6.0, "buy")], came=2)
    decisions = decide(market, adbc, "paper", now=START + MINUTE)
    assert [(decision.ordinal, decision.target) for decision in decisions] == [(0, 2.0), (1, 0.0), (2, 2.0)]
    assert {decision.decided_at for decision in decisions} == {START + 2 * SECOND}
