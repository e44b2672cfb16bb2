"""Killed at every step of trading at a venue over HTTP: one order there for each intent, and books that agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sandbox.venue import execution
from sandbox.venue.exchange import Exchange
from sandbox.venue.venues import KEY, SECRET
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.brokers.ccxt.account import SANDBOX_KEYS, new_exchange, sandbox_urls
from strades_pipelines.brokerage.brokers.ccxt.broker import CcxtBroker
from strades_pipelines.brokerage.brokers.ccxt.client import Client
from strades_pipelines.brokerage.brokers.venue import ReplacesOrders, VenueBroker
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.order_book import request_cancel
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AT_ALPACA, AT_GATE, PAIR, PRICE, SYMBOL, take_no_fees
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import AAPL, BTC, MINUTE, START, Connection, rows
from tests.brokerage.test_crashes import CANCEL_POINTS, REPLACE_POINTS, is_killed_at
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


@dataclass(frozen=True)
class Account:
    """The first account of a venue of the sandbox, and a wallet there."""

    wallet: str
    listing_id: int
    currency: str
    broker: VenueBroker
    exchange: Exchange
    environment: dict[str, str]

    def is_killed_at(self, url: str, minutes: int, point: str) -> bool:
        """Run one pass in a process of its own; whether it was killed at the point."""
        return is_killed_at(url, NOW + minutes * MINUTE, point, self.wallet, **self.environment)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A sandbox in real time."""
    with served(now=None, extra=tmp_path) as running:
        yield running


@pytest.fixture(params=["alpaca", "gate"])
def account(request: pytest.FixtureRequest, server: Served, market: Connection) -> Account:
    """An account at each venue."""
    name = request.param
    venue = server.app.venues[name]
    broker: Any
    if name == "alpaca":
        template, symbol, listing_id = AT_ALPACA, SYMBOL, AAPL
        broker = AlpacaBroker(new_client(KEY, SECRET, f"{server.url}/{venue.api.host}"), {listing_id: symbol})
    else:
        template, symbol, listing_id = AT_GATE, PAIR, BTC
        take_no_fees(venue)
        configuration = {**SANDBOX_KEYS, "urls": sandbox_urls("gate", server.url)}
        broker = CcxtBroker(Client(new_exchange("gate", configuration)), {listing_id: symbol})
    execution.hold_price(venue.exchange, symbol, Decimal(PRICE), None)
    prepare(market, listing_id)
    open_wallet(market, template, now=START)
    environment = {"STRADES_SANDBOX_URL": server.url}
    return Account(template.name, listing_id, template.currency, broker, venue.exchange, environment)


def decide(market: Connection, account: Account, *, request: OrderRequest | None = None) -> TradingDecision:
    """A decision to hold 3, or to have an order; another one each time."""
    at = START + MINUTE
    made = TradingDecision(
        account.wallet, str(uuid4()), 0, account.listing_id, at, "bar", "b", 0, 0.0, 3.0, "why", {}, request
    )
    assert insert(market, "signals.decisions", decision_row(made, at))
    market.commit()
    return made


@pytest.mark.parametrize("point", FILL_POINTS)
def test_13_a_pass_that_was_killed_leaves_one_order_and_right_books(
    point: str, market: Connection, account: Account, database_url: str
) -> None:
    decide(market, account)
    if not account.is_killed_at(database_url, 0, point):  # its fills are told by the next pass
        assert account.is_killed_at(database_url, 1, point)
    for minutes in (2, 3):
        execute_pending(market, account.broker, account.wallet, now=NOW + minutes * MINUTE)
    [order] = account.exchange.orders.values()
    [(intent_id,)] = rows(market, "SELECT intent_id FROM trading.intents")
    assert order.ticket.client_order_id.removeprefix("t-") == intent_id
    assert order.filled == 3
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("filled", 3)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(3,)]
    balance = account.exchange.accounts[KEY].balances[account.currency]
    assert rows(market, "SELECT balance FROM trading.cash") == [(balance,)]
    assert verify_ledger(market, account.wallet) == []


@pytest.mark.parametrize("point", ["trading.order_submitting", "trading.order_sent", "trading.order_acknowledged"])
@pytest.mark.parametrize("account", ["alpaca"], indirect=True)
def test_13_a_batch_that_was_killed_leaves_one_order_for_each_intent(
    point: str, market: Connection, account: Account, database_url: str
) -> None:
    for _ in range(12):
        decide(market, account, request=OrderRequest(Decimal(1), OrderTerms()))
    assert account.is_killed_at(database_url, 0, point)
    for minutes in (2, 3):
        execute_pending(market, account.broker, account.wallet, now=NOW + minutes * MINUTE)
    placed = [(order.ticket.client_order_id, order.filled) for order in account.exchange.orders.values()]
    assert sorted(placed) == [
        (intent_id, Decimal(1)) for (intent_id,) in rows(market, "SELECT intent_id FROM trading.intents ORDER BY 1")
    ]
    assert rows(market, "SELECT state, count(*) FROM trading.orders GROUP BY 1") == [("filled", 12)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(12,)]
    assert verify_ledger(market, account.wallet) == []


@pytest.mark.parametrize("point", CANCEL_POINTS)
def test_13_a_killed_cancel_is_done(point: str, market: Connection, account: Account, database_url: str) -> None:
    wanted = decide(market, account, request=OrderRequest(Decimal(3), OrderTerms(limit=Decimal(90))))
    execute_pending(market, account.broker, account.wallet, now=NOW)
    assert rows(market, "SELECT state FROM trading.orders") == [("accepted",)]
    request_cancel(market, wanted.decision_id, by="a person", at=NOW, now=NOW)
    market.commit()
    assert account.is_killed_at(database_url, 1, point)
    for minutes in (2, 3):
        execute_pending(market, account.broker, account.wallet, now=NOW + minutes * MINUTE)
    [order] = account.exchange.orders.values()
    assert order.status.value == "canceled"
    assert rows(market, "SELECT state, filled FROM trading.orders") == [("cancelled", 0)]


@pytest.mark.parametrize(
    "point",
    ["trading.order_submitting", *REPLACE_POINTS, *CANCEL_POINTS, "trading.order_sent", "trading.order_acknowledged"],
)
def test_13_a_replacement_that_was_killed_leaves_one_order_working(
    point: str, market: Connection, account: Account, database_url: str
) -> None:
    old = decide(market, account, request=OrderRequest(Decimal(3), OrderTerms(limit=Decimal(90)))).intent_id()
    execute_pending(market, account.broker, account.wallet, now=NOW)
    terms = OrderTerms(limit=Decimal(95), replaces=old)
    new = decide(market, account, request=OrderRequest(Decimal(3), terms)).intent_id()
    replaces_at_once = isinstance(account.broker, ReplacesOrders)
    is_reached = point not in (CANCEL_POINTS if replaces_at_once else REPLACE_POINTS)
    assert account.is_killed_at(database_url, 1, point) == is_reached
    for minutes in (2, 3, 4):
        execute_pending(market, account.broker, account.wallet, now=NOW + minutes * MINUTE)
    working = [order.ticket.client_order_id.removeprefix("t-") for order in account.exchange.working.values()]
    assert working == [new]
    assert len(account.exchange.orders) == 2
    query = "SELECT intent_id, state FROM trading.orders"
    assert dict(rows(market, query)) == {old: "replaced", new: "accepted"}
