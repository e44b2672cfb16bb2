"""A wallet of several strategies in a replay is what it is on paper, strategy by strategy."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import decide, measure
from strades_pipelines.brokerage.replay_sleeves import replay_several
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import SleeveTemplate, WalletsError
from strades_pipelines.database.connection import connect
from strades_pipelines.defs.trading import assets
from strades_pipelines.market.wallet_limits import parse_limits
from strades_pipelines.resources.database import Database
from strades_pipelines.strategy.registry import strategies
from tests.brokerage.conftest import ETH, MINUTE, START, AddCandles, Connection
from tests.brokerage.random_orders import RandomOrders
from tests.brokerage.test_live import CLOSES
from tests.brokerage.test_sleeves import BITCOIN, SHARED, SLOW, TREND

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

BOTH = ("gateio:BTC_USDT", "gateio:ETH_USDT")
# The third buys what two others trade too, and more than its part of the cash can pay.
TEMPLATE = replace(
    SHARED,
    instruments=BOTH,
    sleeves=(
        replace(TREND, capital_percent=Decimal(50)),
        replace(SLOW, capital_percent=Decimal(30)),
        SleeveTemplate("greedy", "sma_cross", {"fast": 1, "slow": 2, "size": 1.5}, BOTH, Decimal(20)),
    ),
)
SAME = {
    "decisions": "SELECT strategy, decided_at, listing_id, target, ordinal FROM signals.decisions WHERE wallet = %s "
    "ORDER BY 2, 1, 3, 5",
    "refusals": "SELECT d.strategy, d.decided_at, r.code FROM trading.refusals AS r "
    "INNER JOIN signals.decisions AS d USING (decision_id) WHERE d.wallet = %s ORDER BY 2, 1",
    "fills": "SELECT d.strategy, f.filled_at, f.listing_id, f.side, f.quantity, f.price, f.fee FROM trading.fills AS f "
    "INNER JOIN trading.intents AS i USING (intent_id) INNER JOIN signals.decisions AS d USING (decision_id) "
    "WHERE f.wallet = %s ORDER BY 2, 1, 3",
    "owners": "SELECT owner, listing_id, quantity, cost, realised FROM trading.owner_positions WHERE wallet = %s "
    "ORDER BY 1, 2",
    "positions": "SELECT listing_id, quantity, cost, realised FROM trading.positions WHERE wallet = %s ORDER BY 1",
    "cash": "SELECT currency, balance FROM trading.cash WHERE wallet = %s",
    "sleeves": "SELECT sleeve, strategy, parameters, capital_percent FROM trading.sleeves WHERE wallet = %s ORDER BY 1",
    "equity": "SELECT time, round(equity::numeric, 6) FROM results.equity WHERE wallet = %s ORDER BY 1",
}


def test_a_replay_of_several_strategies_is_what_the_paper_wallet_did(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, database_url: str
) -> None:
    add_candles(CLOSES)
    add_candles([200.0 - price for price in CLOSES], listing=ETH)
    wallet = open_wallet(market, TEMPLATE, now=START)
    with connect(database_url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for minute in range(1, len(CLOSES) + 1):
            now = START + minute * MINUTE
            execute_pending(market, venue, "paper", now=now)
            decide(market, adbc, "paper", now=now)
            execute_pending(market, venue, "paper", now=now)
    measure(market, adbc, "paper", now=now)
    template = replace(TEMPLATE, name="replayed", mode="replay", opened_at=None)
    window: dict[str, Any] = {"start": START, "end": START + timedelta(days=1), "now": START}
    made = replay_several(adbc, template, **window)
    assert made.written
    for what, query in SAME.items():
        paper, replayed = (market.execute(query, [name]).fetchall() for name in ("paper", made.wallet))
        assert paper == replayed, what
        assert paper, what
    assert {row[0] for row in market.execute(SAME["fills"], ["paper"])} == {"trend", "slow", "greedy"}
    assert verify_ledger(market, str(made.wallet)) == []
    # The step of Dagster finds it there.
    config = assets.TradeConfig(from_date=f"{START:%Y-%m-%d}", to_date=f"{START + timedelta(days=1):%Y-%m-%d}")
    layers = {"signals", "trading", "results"}
    assert assets._trade((template,), None, config, Database(url=database_url), layers) == {}
    assert market.execute("SELECT wallet FROM trading.replays").fetchall() == [(made.wallet,)]


def test_what_no_part_can_be_stepped_by_alone_is_refused(
    market: Connection, adbc: "AdbcConnection", add_candles: AddCandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_candles(CLOSES)
    template = replace(SHARED, name="replayed", mode="replay", opened_at=None)
    window: dict[str, Any] = {"start": START, "end": START + timedelta(days=1), "now": START}
    limited = replace(template, limits=parse_limits({"max_order_units": "5", "max_gross_notional": "500"}))
    with pytest.raises(WalletsError, match=r"^limits: max_gross_notional: "):
        replay_several(adbc, limited, **window)
    monkeypatch.setitem(strategies(), RandomOrders.name, RandomOrders)
    bracket = SleeveTemplate("random", RandomOrders.name, {"seed": 1}, BITCOIN, Decimal(40))
    with pytest.raises(WalletsError, match=r"^strategy random: orders that only reduce, and brackets"):
        replay_several(adbc, replace(template, sleeves=(TREND, bracket)), **window)
    assert market.execute("SELECT FROM trading.wallets WHERE wallet LIKE 'replayed@%'").fetchall() == []
