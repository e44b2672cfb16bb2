"""A session in memory: a step takes in what is new, and says what came of that alone."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.live_session import LiveSession
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Fill, Trade
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Explanation, Strategy
from tests.brokerage.conftest import MINUTE, PAPER, SECOND, START, AddCandles, AddTrades, Connection

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection


class NumbersOfFills(Strategy):
    """Turn with each trade, and say which fill was heard last."""

    name: ClassVar[str] = "numbers_of_fills"

    def on_start(self, account: Account) -> None:
        self.number, self.trades = 0, 0

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.number = fill.order

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.trades += 1
        account.target[trade.i] = float(self.trades % 2)

    def explain(self, event: Any, i: int) -> Explanation:
        return Explanation("fills", {"fill": float(self.number)})


@pytest.fixture(autouse=True)
def numbers_of_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strategies(), NumbersOfFills.name, NumbersOfFills)


def test_steps_have_their_own_events_and_count_fills_on(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, add_trades: AddTrades, database_url: str
) -> None:
    """Fills of targets are numbered from -1 down over all steps."""
    wallet = open_wallet(market, replace(PAPER, strategy=NumbersOfFills.name, parameters={}), now=START)
    session, found = LiveSession(wallet), []
    assert not session.may_go_on
    with connect(database_url) as theirs:
        for minute in range(8):
            add_candles([100.0], start=START + minute * MINUTE)
            at = 60.0 * (minute + 1) + 1
            add_trades([(minute, at, 1.0, "buy")], came=at)
            now = START + timedelta(seconds=at)
            stepped = session.step(market, adbc, now=now)
            market.rollback()
            found.append((stepped.events, [made.inputs["numbers"]["fill"] for made in stepped.decisions]))
            decide(market, adbc, wallet.name, now=now)  # stores it, so that it is sent
            execute_pending(market, PaperBroker(theirs, wallet), wallet.name, now=now + SECOND)
    assert session.may_go_on
    fresh = LiveSession(load_wallet(market, wallet.name)).step(market, adbc, now=now)
    assert [made.inputs["numbers"]["fill"] for made in fresh.decisions] == [n for _, numbers in found for n in numbers]
    assert min(n for _, numbers in found for n in numbers) < -1.0
