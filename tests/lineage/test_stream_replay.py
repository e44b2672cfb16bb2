"""A connection is compared with what is stored, or refused; a wallet that cannot be stepped again is told of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.lineage.stream_replay import replay_connection
from strades_pipelines.strategy.registry import strategies
from tests.brokerage.conftest import PAPER, SECOND, START, AddTrades, Connection, add_fetch, add_trades, market
from tests.brokerage.test_record_feed import EveryHook, every_hook

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

__all__ = ["add_fetch", "add_trades", "every_hook", "market"]
AT = START + 10 * SECOND
FRAME = "INSERT INTO rawsources.frames VALUES (5, 0, 'gateio_trades', %s, 1, 'x')"

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
COLD = """
    INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)
    VALUES ('records.trades', '2026-01-01', 'p', 1, 1, 's', 's', '2026-03-05')
"""
OLD_FRAME = "INSERT INTO rawsources.frames VALUES (1, 1, 'streamed', %s, NULL, 'x')"


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


@pytest.mark.parametrize(
    ("received", "is_cold"),
    [
        (FEBRUARY - timedelta(days=3), True),
        (FEBRUARY + timedelta(seconds=59), True),
        (FEBRUARY + timedelta(minutes=1), False),
    ],
)
def test_a_connection_whose_trades_are_cold_is_refused(
    connection: psycopg.Connection[Any], database_url: str, received: datetime, is_cold: bool
) -> None:
    connection.execute(OLD_FRAME, [received])
    connection.execute(COLD)
    connection.commit()
    if is_cold:
        with pytest.raises(BadInput, match="`strades archive 2026-01 --restore` first"):
            replay_connection(1, database_url)
    else:
        assert replay_connection(1, database_url).frames == 1
