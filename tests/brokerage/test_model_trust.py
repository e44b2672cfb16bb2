"""A model that was worse than saying 'no change' enlarges no position, in replay and at the live edge alike."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.model_trust import Standing, Standings
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.connection import connect
from strades_pipelines.strategy.events import microseconds
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, AddCandles, Connection, rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

FOLLOWER = replace(
    PAPER, name="follower", strategy="follow_prediction", parameters={"model": "ridge", "threshold": 0.0, "size": 2.0}
)
REPLAYED = replace(FOLLOWER, mode="replay", opened_at=None)
# Bought while trusted; sold, and not bought again, while distrusted; bought again when trusted and asked anew.
FORECASTS = [0.01, -0.01, 0.01, 0.02, -0.01, 0.01]
WORSE, BETTER = (2, True), (4, False)
HAPPENED = [
    (1, "buy"),
    (2, "sell"),
    (3, "model_worse_than_naive"),
    (5, "already_at_target"),
    (6, "buy"),
]
OUTCOMES = """
    SELECT d.decided_at, coalesce(i.side, r.code)
    FROM signals.decisions AS d LEFT JOIN trading.intents AS i USING (decision_id)
    LEFT JOIN trading.refusals AS r USING (decision_id)
    WHERE d.wallet LIKE '{}%' ORDER BY 1
"""


def predict(connection: Connection, values: Sequence[float]) -> None:
    for n, value in enumerate(values, 1):
        connection.execute(
            "INSERT INTO predictions.models VALUES (%s, 'ridge', %s, %s, %s, %s, 1, %s, '{}', '', '', '{}', %s)"
            " ON CONFLICT DO NOTHING",
            ["m", START.date(), *[START] * 5],
        )
        at = START + n * MINUTE
        connection.execute(
            "INSERT INTO predictions.forecasts VALUES (%s, 'ridge', %s, %s, %s, 'm', %s, 'predicted', '', %s)",
            [f"p{n}", BTC, at.date(), at, value, START],
        )
    connection.commit()


def rate(connection: Connection, *standings: tuple[int, bool]) -> None:
    for minute, worse in standings:
        known = START + minute * MINUTE
        connection.execute(
            "INSERT INTO predictions.standings VALUES ('ridge', %s, %s, 60, 2e-4, 1e-4, 1e-4, %s, %s)",
            [START.date() + timedelta(days=minute), known, worse, START],
        )
    connection.commit()


def happened(connection: Connection, wallet: str) -> list[tuple[int, str]]:
    return [((at - START) // MINUTE, what) for at, what in rows(connection, OUTCOMES.format(wallet))]


def run(adbc: "AdbcConnection", template: WalletTemplate = REPLAYED) -> str | None:
    return replay(adbc, template, start=START, end=START + 7 * MINUTE, now=START + timedelta(days=1)).wallet


def test_a_replay_refuses_what_would_enlarge_a_position_while_the_model_is_distrusted(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles([100.0] * 7)
    predict(market, FORECASTS)
    rate(market, WORSE, BETTER)
    assert run(adbc)
    assert happened(market, "follower") == HAPPENED
    ((detail,),) = rows(market, "SELECT detail FROM trading.refusals WHERE code = 'model_worse_than_naive'")
    assert detail == "ridge: mean squared error 0.0002 against 0.0001 of no change, known since 2024-01-02 00:02Z"


def test_the_live_edge_refuses_the_same(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles, database_url: str
) -> None:
    add_candles([100.0] * 7)
    predict(market, FORECASTS)
    rate(market, WORSE, BETTER)
    wallet = open_wallet(market, FOLLOWER, now=START)
    with connect(database_url) as theirs:
        for minute in range(1, 7):
            now = START + minute * MINUTE
            for at in (now, now + MINUTE / 2):
                decide(market, adbc, "follower", now=at)
                execute_pending(market, PaperBroker(theirs, wallet), "follower", now=at)
    assert happened(market, "follower") == HAPPENED


def test_a_standing_is_a_cause_of_the_replay(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles([100.0] * 7)
    predict(market, FORECASTS)
    before = run(adbc)
    rate(market, WORSE)
    assert run(adbc) not in (None, before)


@pytest.mark.parametrize(("minute", "worse"), [(0, False), (1, True), (2, True), (3, False), (9, False)])
def test_the_newest_standing_that_was_known_counts(minute: int, worse: bool) -> None:
    def standing(known: datetime, worse: bool) -> Standing:
        month: Any = known.date()
        return Standing("ridge", month, known, 1.0, 1.0, worse)

    known = Standings([standing(START + MINUTE, True), standing(START + 3 * MINUTE, False)])
    assert (known.worse_than_naive_at(microseconds(START + minute * MINUTE)) is not None) == worse
