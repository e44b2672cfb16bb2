"""Killed at every step of trading at a venue over HTTP: one order there for each intent, and books that agree."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from sandbox.venue import execution
from sandbox.venue.venues import KEY, SECRET
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.portfolio import open_wallet
from strades_pipelines.brokerage.rows import decision_row, insert
from strades_pipelines.market.orders import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AT_ALPACA, PRICE, SYMBOL
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, MINUTE, START, Connection, rows
from tests.brokerage.test_crashes import killed
from tests.sandbox.serving import Served, served

NOW = START + 2 * MINUTE
FILL_POINTS = (
    "trading.intents_written",
    "trading.intents_committed",
    "trading.order_submitting",
    "trading.order_sent",
    "trading.order_acknowledged",
    "trading.fill_written",
    "trading.fill_recorded",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A sandbox in real time."""
    with served(now=None, extra=tmp_path) as running:
        yield running


@pytest.fixture
def broker(server: Served, market: Connection) -> AlpacaBroker:
    """The first account of the sandbox's Alpaca, and a wallet there."""
    venue = server.app.venues["alpaca"]
    execution.hold_price(venue.exchange, SYMBOL, Decimal(PRICE), None)
    prepare(market)
    open_wallet(market, AT_ALPACA, now=START)
    return AlpacaBroker(new_client(KEY, SECRET, f"{server.url}/{venue.api.host}"), {AAPL: SYMBOL})


def decide(market: Connection, *, request: OrderRequest | None = None) -> str:
    """A decision to hold 3, or to have an order; another one each time."""
    at = START + MINUTE
    made = TradingDecision("alpaca", str(uuid4()), 0, AAPL, at, "bar", "b", 0, 0.0, 3.0, "why", {}, request)
    assert insert(market, "signals.decisions", decision_row(made, at))
    market.commit()
    return made.decision_id


@pytest.mark.parametrize("point", FILL_POINTS)
def test_a_pass_that_was_killed_leaves_one_order_and_right_books(
    point: str, market: Connection, broker: AlpacaBroker, server: Served, database_url: str
) -> None:
    decide(market)
    died = killed(database_url, NOW, point, "alpaca", STRADES_SANDBOX_URL=server.url)
    if not died:  # its fills are told by the next pass
        assert killed(database_url, NOW + MINUTE, point, "alpaca", STRADES_SANDBOX_URL=server.url)
    for minutes in (2, 3):
        execute_pending(market, broker, "alpaca", now=NOW + minutes * MINUTE)
    exchange = server.app.venues["alpaca"].exchange
    [order] = exchange.orders.values()
    [(intent_id,)] = rows(market, "SELECT intent_id FROM trading.intents")
    assert order.ticket.client_order_id == intent_id
    assert order.filled == 3
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("filled", 3)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(3,)]
    assert rows(market, "SELECT balance FROM trading.cash") == [(exchange.accounts[KEY].balances["USD"],)]
    assert verify_ledger(market, "alpaca") == []


@pytest.mark.parametrize("point", ["trading.order_cancelling", "trading.order_cancelled"])
def test_a_cancel_that_was_killed_is_done(
    point: str, market: Connection, broker: AlpacaBroker, server: Served, database_url: str
) -> None:
    wanted = decide(market, request=OrderRequest(Decimal(3), OrderTerms(limit=Decimal(90))))
    execute_pending(market, broker, "alpaca", now=NOW)
    assert rows(market, "SELECT state FROM trading.orders") == [("accepted",)]
    request_cancel(market, wanted, by="a person", at=NOW, now=NOW)
    market.commit()
    assert killed(database_url, NOW + MINUTE, point, "alpaca", STRADES_SANDBOX_URL=server.url)
    for minutes in (2, 3):
        execute_pending(market, broker, "alpaca", now=NOW + minutes * MINUTE)
    [order] = server.app.venues["alpaca"].exchange.orders.values()
    assert order.status.value == "canceled"
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("cancelled", 0)]
