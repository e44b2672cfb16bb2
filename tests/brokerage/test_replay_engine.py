"""The engine of a replay tells of a corporate action, whose effects are in the bars."""

from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

import numpy as np
import pytest

from strades_pipelines.brokerage.feed import StoredFeed
from strades_pipelines.brokerage.record_feed import event_columns
from strades_pipelines.brokerage.replay_engine import new_engine
from strades_pipelines.engine.session import Session
from strades_pipelines.market.instruments import Listing
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import ACTION, CorporateAction, microseconds
from strades_pipelines.strategy.registry import strategies
from strades_pipelines.strategy.strategy import Strategy
from tests.brokerage.conftest import MINUTE, REPLAY, START


class Listener(Strategy):
    """Keeps what it hears."""

    name: ClassVar[str] = "listener"

    def on_start(self, account: Account) -> None:
        self.heard: list[tuple[float, float]] = []

    def on_corporate_action(self, action: CorporateAction, account: Account) -> None:
        self.heard.append((action.ratio, action.amount))


def test_a_split_and_a_dividend_are_told_of_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strategies(), Listener.name, Listener)
    times = np.array([microseconds(START + MINUTE), microseconds(START + 2 * MINUTE)])
    actions = event_columns(ACTION, 0, times, np.array([2.0, 1.0]), np.array([0.0, 0.5]))
    listing = Listing(1, "yahoo", "AAPL", "USD", Decimal("0.01"), Decimal(1))
    feed = StoredFeed([listing], 0, None, "", actions, {})
    engine = new_engine(replace(REPLAY, strategy=Listener.name, parameters={}), [listing], START, feed)
    engine.account.position[0] = 10.0
    [progress] = Session(feed, None, [engine]).run()
    assert progress.error is None
    assert engine.state.strategy.heard == [(2.0, 0.0), (1.0, 0.5)]  # type: ignore[attr-defined]
    assert (engine.account.position[0], engine.account.cash, engine.account.dividends) == (10.0, 1000.0, 0.0)
