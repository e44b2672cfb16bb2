"""The present state in one report: the same for the same state, and different for any change of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import ALL, Request
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.halts import halt
from strades_pipelines.brokerage.live import measure
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_context import TradingContext, read_context
from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.market.limits import LIMITS
from tests.brokerage.conftest import MINUTE, AddCandles, Connection
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT, decision

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LATER = FILLED + MINUTE / 2


@pytest.fixture
def filled(
    market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str, adbc: "AdbcConnection"
) -> Connection:
    """A wallet that bought 2 at 102 and has decided to hold 3."""
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        for now in (SENT, FILLED):
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=now)
    decision(market, 3.0, FILLED)
    return market


def read(connection: Connection) -> TradingContext:
    return read_context(connection, now=LATER)


def test_it_says_what_is_held_done_pending_and_allowed(filled: Connection) -> None:
    found = read(filled).document()
    assert list(found) == [
        "as_of",
        "wallets",
        "pending",
        "positions",
        "history",
        "limits",
        "freshness",
        "state",
        "content_hash",
    ]
    [held] = found["positions"]
    assert held == {
        "wallet": "paper",
        "instrument": "gateio:BTC_USDT",
        "quantity": "2",
        "average_price": "102",
        "price": "103",
        "cost": "204.204",
        "realised": "0",
        "unrealised": "1.796",
    }
    assert [(row["wallet"], row["cash"], row["equity"]) for row in found["wallets"]] == [
        ("paper", "795.796", "1001.796")
    ]
    assert [(row["kind"], row["target"]) for row in found["pending"]] == [("decision", 3.0)]
    assert [(row["side"], row["price"], row["fee"]) for row in found["history"]] == [("buy", "102", "0.204")]
    assert found["limits"][0]["max_decision_age_seconds"] == 900
    in_force = {limit.name: found["limits"][0][limit.name] for limit in LIMITS}
    told = {"long_only": True, "restricted": [], "max_position_percent": "100", "max_leverage": "1"}
    assert in_force == dict.fromkeys(in_force) | {"open_market_only": False, "chosen_only": False} | told
    assert found["freshness"][0]["close_time"] == "2024-01-02T00:04:00Z"
    assert found["state"] == {
        "wallets": {"paper": {"state": "active", "reason": None}},
        "halts": [],
        "findings": [],
    }


def test_equal_state_has_an_equal_hash_at_another_time_and_on_another_connection(
    filled: Connection, database_url: str
) -> None:
    before = table_hashes(database_url)
    first = read(filled)
    with connect(database_url) as other:
        second = read_context(other, now=LATER + MINUTE / 4)
    assert second.as_of != first.as_of
    assert second.content_hash == first.content_hash
    assert table_hashes(database_url) == before


Change = Callable[[Connection], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: halt(c, Request("halt", ALL, "alice", LATER), "reducing"),
        lambda c: c.execute("UPDATE trading.cash SET balance = balance + 0.01"),
        lambda c: c.execute("UPDATE trading.positions SET quantity = 3"),
        lambda c: c.execute("UPDATE signals.decisions SET is_pending = false"),
        lambda c: c.execute("UPDATE trading.wallets SET max_decision_age = '1 hour'"),
        lambda c: c.execute("DELETE FROM records.candles WHERE open_time = '2024-01-02 00:03Z'"),
    ],
)
def test_any_change_of_state_changes_the_hash(change: Change, filled: Connection) -> None:
    before = read(filled).content_hash
    change(filled)
    filled.commit()
    assert read(filled).content_hash != before


def test_a_wallet_that_was_measured_is_there_once(filled: Connection, adbc: "AdbcConnection") -> None:
    measure(filled, adbc, "paper", now=LATER)
    filled.commit()
    assert [row["wallet"] for row in read(filled).wallets] == ["paper"]
