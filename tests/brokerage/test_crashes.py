"""The process is killed at every step of deciding, sending and recording: nothing is done twice, nothing is lost."""

import os
import signal
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.settings import PROJECT
from tests.brokerage.conftest import MINUTE, REPLAY, START, AddCandles, Connection, rows
from tests.brokerage.crash_child import main

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

SENT, FILLED = START + 2.5 * MINUTE, START + 4 * MINUTE


def killed(url: str, now: datetime, point: str) -> bool:
    """Run one pass in a process of its own; whether it was killed at the point."""
    environment = os.environ | {"STRADES_CRASH_AT": point}
    command = [sys.executable, "-m", "tests.brokerage.crash_child", url, now.isoformat()]
    done = subprocess.run(command, cwd=PROJECT, env=environment, start_new_session=True, check=False)
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("point", "crash_at"),
    [
        ("signals.decisions_committed", SENT),
        ("trading.intents_written", SENT),
        ("trading.intents_committed", SENT),
        ("trading.order_submitting", SENT),
        ("trading.order_sent", SENT),
        ("trading.order_acknowledged", SENT),
        ("trading.fill_written", FILLED),
        ("trading.fill_recorded", FILLED),
    ],
)
def test_a_pass_that_was_killed_ends_as_if_it_had_not(
    point: str, crash_at: datetime, market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0, 101.0, 102.0, 103.0])
    for now in (SENT, FILLED):
        if now == crash_at:
            assert killed(database_url, now, point)
        main(database_url, now)
    assert rows(market, "SELECT count(*) FROM signals.decisions") == [(1,)]
    assert rows(market, "SELECT count(*) FROM trading.paper_venue_orders") == [(1,)]
    same = rows(market, "SELECT client_order_id = intent_id FROM trading.paper_venue_orders, trading.intents")
    assert same == [(True,)]
    assert rows(market, "SELECT state, submitted_at, updated_at FROM trading.orders") == [("filled", SENT, FILLED)]
    assert rows(market, "SELECT quantity, price FROM trading.fills") == [(2, 102)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(2,)]
    assert rows(market, "SELECT balance FROM trading.cash") == [(Decimal("795.796"),)]
    assert verify_ledger(market, "paper") == []


def test_a_replay_that_was_not_committed_has_left_nothing(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        if name == "trading.replay_written":
            raise Killed

    add_candles([100.0, 101.0, 102.0, 103.0])
    monkeypatch.setattr("strades_pipelines.brokerage.replay.crash_point", die)
    with pytest.raises(Killed):
        replay(adbc, REPLAY, start=START, end=FILLED, now=FILLED)
    for table in ("trading.wallets", "signals.decisions", "trading.fills", "trading.ledger", "results.equity"):
        assert rows(market, f"SELECT count(*) FROM {table}") == [(0,)]
    monkeypatch.undo()
    assert replay(adbc, REPLAY, start=START, end=FILLED, now=FILLED).written
