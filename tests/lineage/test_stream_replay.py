"""A wallet that cannot be stepped again is told of, and the others are stepped all the same."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import open_wallet
from strades_pipelines.lineage.stream_replay import replay_connection
from strades_pipelines.strategy.registry import strategies
from tests.brokerage.conftest import PAPER, SECOND, START, AddTrades, Connection, add_fetch, add_trades, market
from tests.brokerage.test_record_feed import EveryHook, every_hook

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["add_fetch", "add_trades", "every_hook", "market"]
AT = START + 10 * SECOND
FRAME = "INSERT INTO rawsources.frames VALUES (5, 0, 'gateio_trades', %s, 1, 'x')"


class Retired(EveryHook):
    """A strategy that is about to go."""

    name: ClassVar[str] = "retired_hook"


def test_a_wallet_whose_strategy_is_gone_is_one_difference(
    market: Connection,
    adbc: "AdbcConnection",
    add_trades: AddTrades,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(strategies(), Retired.name, Retired)
    for strategy in (EveryHook.name, Retired.name):
        open_wallet(market, replace(PAPER, name=strategy, strategy=strategy, parameters={}), now=START)
    add_trades([(1, 10, 1.0, "buy")], came=10)
    market.execute(FRAME, [AT])
    market.commit()
    for strategy in (EveryHook.name, Retired.name):
        decide(market, adbc, strategy, now=AT)
    whole = replay_connection(5, database_url)
    monkeypatch.delitem(strategies(), Retired.name)
    made = replay_connection(5, database_url)
    [line] = set(made.differences) - set(whole.differences)
    assert line.startswith("wallet retired_hook: its 1 decisions cannot be made again: ")
    assert made.decisions == whole.decisions == 2
    assert (made.recorded, made.replayed == whole.replayed) == (whole.recorded, False)
    market.execute("DELETE FROM signals.decisions WHERE wallet = %s", [Retired.name])
    market.commit()
    assert replay_connection(5, database_url).differences == whole.differences
