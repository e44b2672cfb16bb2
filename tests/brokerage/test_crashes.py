"""Kill the process at each step of deciding, sending and recording: nothing is done twice, nothing is lost."""

import re
import signal
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.settings import PROJECT
from tests.brokerage.conftest import MINUTE, REPLAY, START, AddCandles, Connection, rows
from tests.brokerage.crash_child import main
from tests.children import run_child
from tests.dying import Died, die_at

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

SENT, FILLED = START + 2.5 * MINUTE, START + 4 * MINUTE


def is_killed_at(url: str, now: datetime, point: str, wallet: str = "paper", **environment: str) -> bool:
    """Run one pass in a child process; return whether it was killed at the point."""
    arguments = (url, now.isoformat(), wallet)
    code = run_child("tests.brokerage.crash_child", *arguments, STRADES_CRASH_AT=point, **environment)
    return code == -signal.SIGKILL


# Crash points of a pass, and the time of the pass that reaches them.
POINTS = {
    "signals.decisions_written": SENT,
    "signals.decisions_committed": SENT,
    "trading.intents_written": SENT,
    "trading.intents_committed": SENT,
    "trading.order_submitting": SENT,
    "trading.order_sent": SENT,
    "trading.order_acknowledged": SENT,
    "trading.fill_written": FILLED,
    "trading.fill_recorded": FILLED,
}
CANCEL_POINTS = ("trading.order_cancelling", "trading.order_cancelled")
# Tested by test_crashes_at_venues.py, at a venue that replaces an order in one request.
REPLACE_POINTS = ("trading.order_replacing", "trading.order_replaced")
# Tested beside the code that writes replays, results and sessions, and that opens wallets.
ELSEWHERE = {
    "trading.replay_written",
    "trading.wallet_opened",
    "results.written",
    "results.parity_written",
    "results.sessions_written",
    "results.daily_parity_written",
}
# Tested by test_halts.py and operations/test_trading.py (halt, flatten), test_pending_commands.py (commands of a page),
# test_transfers.py, test_statements.py and test_trade_corrections.py.
COMMAND_POINTS = {
    "trading.command_written",
    "trading.command_committed",
    "trading.statement_written",
    "trading.statement_committed",
    "trading.transfer_written",
    "trading.transfer_committed",
    "trading.halt_written",
    "trading.halt_committed",
    "trading.cancels_requested",
    "trading.exits_decided",
}
# Tested by test_reconcile_crashes.py: reconciling, adopting and ignoring.
RECONCILE_POINTS = {
    "trading.findings_written",
    "trading.findings_committed",
    "trading.adoption_written",
    "trading.adoption_committed",
    "trading.ignore_written",
    "trading.ignore_committed",
}
# Tested by test_splits.py.
SPLIT_POINTS = {"trading.split_written", "trading.split_committed"}


def test_13_every_crash_point_of_trading_is_tested() -> None:
    sources = (PROJECT / "strades_pipelines").rglob("*.py")
    points = {name for source in sources for name in re.findall(r'crash_point\("(\w+\.\w+)"\)', source.read_text())}
    of_trading = {name for name in points if name.partition(".")[0] in ("signals", "trading", "results")}
    assert of_trading == {
        *POINTS,
        *CANCEL_POINTS,
        *REPLACE_POINTS,
        *ELSEWHERE,
        *COMMAND_POINTS,
        *RECONCILE_POINTS,
        *SPLIT_POINTS,
    }


@pytest.mark.parametrize(("point", "crash_at"), POINTS.items())
def test_13_a_killed_pass_run_again_ends_like_one_that_was_not_killed(
    point: str, crash_at: datetime, market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0, 101.0, 102.0, 103.0])
    for now in (SENT, FILLED):
        if now == crash_at:
            assert is_killed_at(database_url, now, point)
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


@pytest.mark.parametrize("point", CANCEL_POINTS)
def test_13_a_killed_cancel_is_sent_once_and_recorded(
    point: str, market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0, 101.0, 102.0])
    main(database_url, SENT)
    [(decision_id,)] = rows(market, "SELECT decision_id FROM signals.decisions")
    request_cancel(market, decision_id, by="a person", at=SENT, now=SENT)
    market.commit()
    assert is_killed_at(database_url, SENT, point)
    for minutes in (1, 2):
        main(database_url, SENT + minutes * MINUTE)
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("cancelled", 0)]
    assert rows(market, "SELECT state FROM trading.paper_venue_orders") == [("cancelled",)]
    events = rows(market, "SELECT state FROM trading.order_events ORDER BY sequence")
    assert [state for (state,) in events][-2:] == ["cancelling", "cancelled"]


def test_a_replay_killed_before_its_commit_leaves_no_rows(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles
) -> None:
    add_candles([100.0, 101.0, 102.0, 103.0])
    with die_at("trading.replay_written"), pytest.raises(Died):
        replay(adbc, REPLAY, start=START, end=FILLED, now=FILLED)
    for table in ("trading.wallets", "signals.decisions", "trading.fills", "trading.ledger", "results.equity"):
        assert rows(market, f"SELECT count(*) FROM {table}") == [(0,)]
    assert replay(adbc, REPLAY, start=START, end=FILLED, now=FILLED).written
