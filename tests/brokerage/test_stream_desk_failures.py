"""What fails at a stream's desk stops that alone: one wallet's strategy, or a connection, which takes all sessions."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from strades_pipelines.brokerage.stream_desk import StreamDesk
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.settings import settings
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Trade
from strades_pipelines.strategy.registry import strategies
from tests.brokerage.conftest import PAPER, SECOND, START, AddTrades, Connection
from tests.brokerage.test_record_feed import EveryHook, every_hook

__all__ = ["every_hook"]


class Raising(EveryHook):
    """Raises at each trade."""

    name: ClassVar[str] = "raising"

    def on_trade(self, trade: Trade, account: Account) -> None:
        raise ZeroDivisionError("of this strategy")


class World:
    """A desk over wallets of these strategies, each named as its strategy, and a second that goes on with each pass."""

    def __init__(self, market: Connection, add_trades: AddTrades, url: str) -> None:
        self._add_trades, self.second, self.said = add_trades, 0, list[str]()
        for strategy in (EveryHook.name, Raising.name):
            open_wallet(market, replace(PAPER, name=strategy, strategy=strategy, parameters={}), now=START)
        market.commit()
        self.desk = StreamDesk(url, clock=self.now, say=self.said.append)

    def now(self) -> datetime:
        """The time."""
        return START + self.second * SECOND

    def decide(self) -> None:
        """Decide on a new trade."""
        self.second += 1
        self._add_trades([(self.second, self.second, 1.0, "buy")], came=self.second)
        self.desk.decide()


@pytest.fixture
def world(
    market: Connection, add_trades: AddTrades, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """Both wallets are open, and in Wallets.json."""
    monkeypatch.setitem(strategies(), Raising.name, Raising)
    words = {"mode": "paper", "instruments": list(PAPER.instruments), "interval": "1m", "currency": "USDT"}
    entries = [
        words | {"name": name, "strategy": name, "parameters": {}, "cash": 1000, "opened_at": START.isoformat()}
        for name in (EveryHook.name, Raising.name)
    ]
    file = tmp_path / "Wallets.json"
    file.write_text(json.dumps({"wallets": entries}))
    monkeypatch.setenv("STRADES_WALLETS", str(file))
    settings.cache_clear()
    return World(market, add_trades, database_url)


def test_a_wallet_that_raises_each_time_takes_no_session_of_another(world: World) -> None:
    for _ in range(5):
        world.decide()
    resumed = world.desk.sessions.resumed
    assert resumed == 4
    assert all(line.startswith(("raising: ", "every_hook: told")) for line in world.said)


def test_a_connection_that_is_cut_is_made_again_with_the_sessions(world: World) -> None:
    for _ in range(2):
        world.decide()
    sessions = world.desk.sessions
    counted = sessions.rebuilt, sessions.resumed
    assert world.desk._connections is not None
    world.desk._connections[0].close()
    world.decide()
    assert world.said[-1] == "decisions: the connection is closed"
    assert (sessions.rebuilt, sessions.resumed) == counted
    world.decide()
    assert (sessions.rebuilt, sessions.resumed) == (counted[0] + 2, counted[1])
