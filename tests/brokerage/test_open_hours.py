"""A replay that trades in open markets only goes by the sessions that a paper wallet goes by."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.gate_inputs import read_market
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.open_hours import OpenHours, read_open_hours
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.wallet_limits import parse_limits
from strades_pipelines.strategy.events import microseconds
from tests.brokerage.conftest import AAPL, MINUTE, PAPER, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

STOCK = replace(PAPER, instruments=("yahoo:AAPL",), currency="USD", limits=parse_limits({"open_market_only": True}))
# Up at minutes 2, 4 and 6, down at 3 and 5.
CLOSES = [100.0, 101.0, 99.0, 101.0, 99.0, 101.0]


@pytest.mark.parametrize(
    ("time", "closed"), [(9, True), (10, False), (19, False), (20, True), (29, True), (30, False), (40, True)]
)
def test_a_session_is_open_from_its_opening_until_before_its_close(time: int, closed: bool) -> None:
    hours = OpenHours({0: [(10, 20), (30, 40)], 1: []})
    assert hours.is_closed(0, time) is closed
    assert (hours.is_closed(1, time), hours.is_closed(2, time)) == (True, False)


def test_in_the_lunch_break_an_exchange_is_closed(market: Connection, adbc: "AdbcConnection") -> None:
    times = [START + minute * MINUTE for minute in (0, 10, 3, 6)]
    market.execute("INSERT INTO records.sessions VALUES ('XNYS', '2024-01-02', %s, %s, false, %s, %s)", times)
    market.commit()
    wallet = open_wallet(market, STOCK, now=START)
    with adbc.cursor() as cursor:
        hours = read_open_hours(cursor, wallet.listings, start=START, end=START + 20 * MINUTE)
    clock = {minute: START + minute * MINUTE for minute in range(11)}
    assert [minute for minute, at in clock.items() if hours.is_closed(0, microseconds(at))] == [3, 4, 5, 10]
    assert [minute for minute, at in clock.items() if read_market(market, wallet, now=at).closed] == [3, 4, 5, 10]


def test_replay_and_paper_refuse_the_same_decisions(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, database_url: str
) -> None:
    """Open from minute 3 until before minute 6: of three purchases the second alone is made, and sold again."""
    add_candles(CLOSES, listing=AAPL)
    market.execute(
        "INSERT INTO records.sessions VALUES ('XNYS', '2024-01-02', %s, %s, false)",
        [START + 3 * MINUTE, START + 6 * MINUTE],
    )
    market.commit()
    open_wallet(market, STOCK, now=START)
    with connect(database_url) as theirs:
        for minute in range(1, len(CLOSES) + 1):
            now = START + minute * MINUTE
            decide(market, adbc, "paper", now=now)
            execute_pending(market, PaperBroker(theirs, open_wallet(market, STOCK, now=now)), "paper", now=now)
    template = replace(STOCK, name="replayed", mode="replay", opened_at=None)
    name = replay(adbc, template, start=START, end=START + timedelta(hours=1), now=START).wallet
    made = (
        "SELECT d.decided_at, d.target, r.code, i.quantity FROM signals.decisions AS d"
        " LEFT JOIN trading.refusals AS r USING (decision_id) LEFT JOIN trading.intents AS i USING (decision_id)"
        " WHERE d.wallet = '{}' ORDER BY 1"
    )
    paper, replayed = (rows(market, made.format(wallet)) for wallet in ("paper", name))
    assert [(row[1], row[2]) for row in replayed] == [
        (2, "market_closed"),
        (0, "already_at_target"),
        (2, None),
        (0, None),
        (2, "market_closed"),
    ]
    assert paper == replayed
