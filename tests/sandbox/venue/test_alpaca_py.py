"""alpaca-py, unmodified, against the sandbox's Alpaca over HTTP and WebSocket."""

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from queue import Queue
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.models import Order, TradeUpdate
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest, ReplaceOrderRequest
from alpaca.trading.stream import TradingStream

from sandbox.venue.venues import KEY, SECRET
from tests.sandbox.serving import Served
from tests.waiting import MOMENT

HOST = "paper-api.alpaca.markets"


@pytest.fixture
def client(server: Served) -> TradingClient:
    """The client, of a new account with 100,000 dollars, while AAPL stands at 100."""
    key = str(uuid4())
    server.control("accounts", venue="alpaca", key=key, secret="s", balances={"USD": "100000"}, multiplier="2")
    server.control("prices", venue="alpaca", symbol="AAPL", price="100")
    return TradingClient(key, "s", url_override=f"{server.url}/{HOST}")


@pytest.fixture
def updates(server: Served, client: TradingClient) -> Iterator["Queue[TradeUpdate]"]:
    """What the stream of orders tells of the client's account."""
    told: Queue[TradeUpdate] = Queue()

    async def take(update: TradeUpdate) -> None:
        told.put(update)

    url = f"{server.url.replace('http', 'ws')}/{HOST}/stream"
    stream = TradingStream(client._api_key, client._secret_key, url_override=url)
    stream.subscribe_trade_updates(take)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    feeds = server.app.venues["alpaca"].feeds
    while not any(feed.channels and feed.account == client._api_key for feed in feeds):
        asyncio.run(asyncio.sleep(0.01))
    yield told
    stream.stop()
    thread.join(timeout=MOMENT)


def test_a_market_order_is_accepted_filled_and_found_by_its_client_id(client: TradingClient) -> None:
    request = MarketOrderRequest(
        symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="intent-1"
    )
    accepted = client.submit_order(request)
    assert isinstance(accepted, Order)
    assert (accepted.status, accepted.filled_qty) == (OrderStatus.PENDING_NEW, "0")
    found = client.get_order_by_client_id("intent-1")
    assert isinstance(found, Order)
    assert (found.id, found.status, found.filled_qty) == (accepted.id, OrderStatus.FILLED, "10")
    assert Decimal(str(found.filled_avg_price)) == 100


def test_the_same_client_id_again_is_refused_with_alpacas_code(client: TradingClient) -> None:
    request = MarketOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="intent-2"
    )
    client.submit_order(request)
    with pytest.raises(APIError) as refused:
        client.submit_order(request)
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    assert refused.value.message == "client_order_id must be unique"


def test_the_stream_tells_of_a_replaced_and_a_cancelled_order(
    client: TradingClient, updates: "Queue[TradeUpdate]"
) -> None:
    request = LimitOrderRequest(
        symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=90, client_order_id="old"
    )
    order = client.submit_order(request)
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=91.5, client_order_id="new"))
    assert (new.replaces, new.limit_price) == (order.id, "91.5")
    old = client.get_order_by_client_id("old")
    assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, new.id)
    client.cancel_order_by_id(new.id)
    told = [updates.get(timeout=MOMENT) for _ in range(6)]
    assert [(getattr(each.event, "value", each.event), each.order.client_order_id) for each in told] == [
        ("pending_new", "old"),
        ("new", "old"),
        ("replaced", "old"),
        ("pending_new", "new"),
        ("new", "new"),
        ("canceled", "new"),
    ]


def test_all_positions_are_closed_at_once(client: TradingClient, server: Served) -> None:
    server.control("prices", venue="alpaca", symbol="MSFT", price="28")
    for symbol in ("AAPL", "MSFT"):
        client.submit_order(MarketOrderRequest(symbol=symbol, qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    client.submit_order(
        LimitOrderRequest(symbol="AAPL", qty=3, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, limit_price=200)
    )
    assert [(each.symbol, each.status) for each in client.close_all_positions()] == [("AAPL", 403), ("MSFT", 200)]
    assert [(each.symbol, each.status) for each in client.close_all_positions(cancel_orders=True)] == [("AAPL", 200)]
    assert client.get_all_positions() == client.get_orders() == []


def test_the_default_account_is_there(server: Served) -> None:
    account = TradingClient(KEY, SECRET, url_override=f"{server.url}/{HOST}").get_account()
    assert (account.currency, account.multiplier) == ("USD", "2")
