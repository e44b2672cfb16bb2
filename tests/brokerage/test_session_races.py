"""What another process commits between the look for changes and the reading is in the decisions all the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.session_cache import SessionCache
from strades_pipelines.brokerage.stepping import step
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import BTC, MINUTE, PAPER, SECOND, START, AddTrades, Connection
from tests.brokerage.test_record_feed import EveryHook, every_hook

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["every_hook"]


class Interrupted:
    """A connection, just before whose next snapshot something is done once: `_read` begins with a rollback."""

    def __init__(self, connection: "AdbcConnection", work: Callable[[], None]) -> None:
        self._connection, self._work = connection, work
        self._is_done = False

    def rollback(self) -> None:
        """Do the work, and roll back."""
        if not self._is_done:
            self._is_done = True
            self._work()
        self._connection.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Passes:
    """A wallet that decides after each trade, and how often it had by then, which its target says."""

    def __init__(self, market: Connection, adbc: "AdbcConnection", add_trades: AddTrades, url: str) -> None:
        self._market, self._adbc, self._add_trades, self._url = market, adbc, add_trades, url
        self.sessions = SessionCache()
        open_wallet(market, replace(PAPER, strategy=EveryHook.name, parameters={}), now=START)

    def decide(self, second: float, before_the_snapshot: Callable[[], None] | None = None) -> float:
        """Decide on a trade; returns the target that it ends with."""
        self._add_trades([(int(10 * second), second, 1.0, "buy")], came=second)
        reader: Any = self._adbc if before_the_snapshot is None else Interrupted(self._adbc, before_the_snapshot)
        made = decide(self._market, reader, "paper", now=START + second * SECOND, sessions=self.sessions)
        return made[-1].target

    def decide_from_the_opening(self, second: float) -> float:
        """What an own stepping of all that is stored ends with."""
        wallet = load_wallet(self._market, "paper")
        return step(self._market, self._adbc, wallet, now=START + second * SECOND).decisions[-1].target

    def store_bar(self, minute: int) -> None:
        """Store a bar, as another process does."""
        at = START + minute * MINUTE
        with connect(self._url) as other:
            other.execute(
                "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, 7, 7, 7, 7, 1, 1, 1, %s, 'stated', 1, %s)",
                [BTC, at, at + MINUTE, at + MINUTE, at],
            )


@pytest.fixture
def passes(market: Connection, adbc: "AdbcConnection", add_trades: AddTrades, database_url: str) -> Passes:
    """An open wallet."""
    return Passes(market, adbc, add_trades, database_url)


def test_a_bar_that_is_committed_behind_a_session_in_memory_is_not_lost_to_it(passes: Passes) -> None:
    passes.decide(59)
    passes.decide(61)
    assert passes.decide(62, lambda: passes.store_bar(0)) == passes.decide_from_the_opening(62)
    assert (passes.sessions.rebuilt, passes.sessions.resumed) == (2, 1)
    for minute in range(1, 4):
        passes.store_bar(minute)
        passes.decide(60 * minute + 60.5)  # and makes a checkpoint
    passes.sessions.clear()
    assert passes.decide(245) == passes.decide_from_the_opening(245)


def test_a_bar_that_is_committed_behind_a_checkpoint_reaches_the_next_pass(passes: Passes) -> None:
    passes.store_bar(0)
    passes.decide(61)
    for minute in (2, 3):
        passes.store_bar(minute)
        passes.decide(60 * minute + 61)
    passes.sessions.clear()
    passes.decide(242, lambda: passes.store_bar(1))  # behind the checkpoint of 240 s, from which it goes on
    assert passes.decide(243) == passes.decide_from_the_opening(243)
    assert passes.sessions.resumed == 2
