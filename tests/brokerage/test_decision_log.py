"""A recorded session through a replay, a paper venue and a real one's client gives the same log of decisions."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.bars_and_fills import stamp
from tests.brokerage.at_venue import AtAlpaca
from tests.brokerage.conftest import AAPL, MINUTE, PAPER, REPLAY, START, AddCandles, Connection
from tests.brokerage.test_checkpoints import walk

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

BARS = 45
LOG = """
    SELECT decided_at, listing_id, ordinal, trigger_kind, trigger_id, previous_target, target, reason, inputs
    FROM signals.decisions WHERE wallet = %s ORDER BY decided_at, listing_id, ordinal
"""
OF_SESSION = {"instruments": ("yahoo:AAPL",), "currency": "USD", "cash": Decimal(100_000), "fee_rate": Decimal(0)}


def log_hash(connection: Connection, wallet: str) -> tuple[str, int]:
    """SHA-256 over a wallet's decisions, and how many there are."""
    rows = connection.execute(LOG, [wallet]).fetchall()
    lines = [json.dumps([stamp(at), *rest], sort_keys=True) for at, *rest in rows]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest(), len(rows)


@pytest.mark.parametrize(
    ("strategy", "parameters"), [("sma_cross", {"fast": 2, "slow": 5, "size": 3.0}), ("macd_trend", {})]
)
def test_22_a_replay_paper_and_a_venue_have_the_same_log_of_decisions(
    strategy: str,
    parameters: dict[str, float],
    market: Connection,
    adbc: "AdbcConnection",
    add_candles: AddCandles,
    database_url: str,
) -> None:
    closes = walk(6, BARS + 200)
    setting = {**OF_SESSION, "strategy": strategy, "parameters": parameters}
    add_candles(closes[:200], listing=AAPL, start=START - 200 * MINUTE)
    paper = open_wallet(market, replace(PAPER, **setting), now=START)  # type: ignore[arg-type]
    at_venue = AtAlpaca(market, name="of_another_setting")
    alpaca = open_wallet(market, replace(PAPER, **setting, name="alpaca", broker="alpaca"), now=START)  # type: ignore[arg-type]
    with connect(database_url) as theirs:
        for n in range(BARS):
            now = START + (n + 1) * MINUTE
            add_candles(closes[200 + n : 201 + n], listing=AAPL, start=START + n * MINUTE)
            at_venue.clock.now = now
            at_venue.set_price(str(closes[200 + n]))
            for wallet, venue in ((paper, PaperBroker(theirs, paper)), (alpaca, at_venue.broker)):
                decide(market, adbc, wallet.name, now=now)
                execute_pending(market, venue, wallet.name, now=now + timedelta(seconds=1))
    template = replace(REPLAY, **setting)  # type: ignore[arg-type]
    replayed = replay(adbc, template, start=START, end=START + timedelta(hours=2), now=START).wallet
    assert replayed is not None
    (first, count), *others = (log_hash(market, name) for name in (replayed, "paper", "alpaca"))
    assert count >= 3
    assert others == [(first, count)] * 2
    filled = market.execute("SELECT wallet, count(*) FROM trading.fills GROUP BY 1").fetchall()
    assert {wallet for wallet, _ in filled} == {replayed, "paper", "alpaca"}
