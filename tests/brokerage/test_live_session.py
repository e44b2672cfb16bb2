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
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, BarRevision, Fill, Trade
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


class TurnsWithEach(Strategy):
    """Turn with each trade and each bar."""

    name: ClassVar[str] = "turns_with_each"

    def on_start(self, account: Account) -> None:
        self.events = 0

    def turn(self, i: int, account: Account) -> None:
        self.events += 1
        account.target[i] = float(self.events)

    def on_trade(self, trade: Trade, account: Account) -> None:
        self.turn(trade.i, account)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.turn(bar.i, account)


class HearsRevisions(TurnsWithEach):
    """Turn with each revision, too."""

    name: ClassVar[str] = "hears_revisions"

    def on_bar_revision(self, bar: BarRevision, account: Account) -> None:
        self.turn(bar.i, account)


@pytest.mark.parametrize("strategy", [TurnsWithEach, HearsRevisions])
def test_who_hears_trades_hears_a_bar_when_it_was_stored(
    strategy: type[Strategy],
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    add_trades: AddTrades,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bar of the first minute comes 3 s after its close, behind a trade; that of the second behind the third's."""
    monkeypatch.setitem(strategies(), strategy.name, strategy)
    wallet = open_wallet(market, replace(PAPER, strategy=strategy.name, parameters={}), now=START)
    sessions, found = SessionCache(), []

    def decide_at(seconds: float) -> None:
        now = START + seconds * SECOND
        found.extend(decide(market, adbc, wallet.name, now=now, sessions=sessions))

    def store_bar(minute: int, stored: float) -> None:
        add_candles([100.0], start=START + minute * MINUTE, recorded_at=START + stored * SECOND)
        decide_at(stored)

    add_trades([(1, 61, 1.0, "buy")], came=61)
    decide_at(61)
    store_bar(0, 63)
    store_bar(2, 182)
    store_bar(1, 200)  # a revision of the past, or a record and no event
    add_trades([(2, 201, 1.0, "buy")], came=201)
    decide_at(201)
    heard = [((one.decided_at - START).total_seconds(), one.trigger_kind) for one in found]
    late = [(200.0, "bar_revision")] if strategy is HearsRevisions else []
    assert heard == [(61.0, "trade"), (63.0, "bar"), (182.0, "bar"), *late, (201.0, "trade")]
    fresh = LiveSession(load_wallet(market, wallet.name)).step(market, adbc, now=START + 201 * SECOND)
    assert [one.decision_id for one in fresh.decisions] == [one.decision_id for one in found]
    assert market.execute("SELECT count(*) FROM signals.remade_decisions").fetchone() == (0,)
