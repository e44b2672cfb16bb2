"""ccxt's Gate.io, unmodified, against the sandbox's over HTTP and WebSocket."""

import asyncio
from typing import Any
from uuid import uuid4

import ccxt
import ccxt.pro
import pytest

from tests.sandbox.serving import Served

HOST = "api.gateio.ws"
PAIR = "BTC/USDT"


def settings(server: Served, key: str) -> dict[str, Any]:
    """What points ccxt at the sandbox: the same paths below another address."""
    api: dict[str, Any] = ccxt.gate().urls["api"]
    rest = {
        kind: dict.fromkeys(names, f"{server.url}/{HOST}/api/v4")
        for kind, names in api.items()
        if isinstance(names, dict) and kind in ("public", "private")
    }
    stream = f"{server.url.replace('http', 'ws')}/{HOST}/ws/v4/"
    return {"apiKey": key, "secret": "s", "enableRateLimit": False, "urls": {"api": {**rest, "spot": stream}}}


@pytest.fixture
def key(server: Served) -> str:
    """The key of a new account with 100,000 USDT, while Bitcoin stands at 50,000."""
    name = uuid4().hex
    server.control("accounts", venue="gate", key=name, secret="s", balances={"USDT": "100000", "BTC": "0"})
    server.control("prices", venue="gate", symbol="BTC_USDT", price="50000")
    return name


@pytest.fixture
def client(server: Served, key: str) -> Any:
    """The client of the account."""
    return ccxt.gate(settings(server, key))


def test_a_market_buy_is_filled_in_its_answer_and_found_by_its_client_id(client: Any) -> None:
    order = client.create_order(PAIR, "market", "buy", 0.1, 50_000, {"clientOrderId": "intent-1"})
    assert (order["status"], order["clientOrderId"]) == ("closed", "t-intent-1")
    found = client.fetch_order(None, PAIR, {"clientOrderId": "intent-1"})
    assert (found["id"], found["filled"], found["cost"], found["average"]) == (order["id"], 0.1, 5000, 50_000)
    [trade] = client.fetch_my_trades(PAIR)
    assert (trade["order"], trade["amount"], trade["fee"]) == (order["id"], 0.1, {"cost": 0.0002, "currency": "BTC"})
    balance = client.fetch_balance()
    assert (balance["BTC"]["total"], balance["USDT"]["free"]) == (0.0998, 95_000)


def test_a_limit_order_is_listed_amended_and_cancelled(client: Any) -> None:
    order = client.create_order(PAIR, "limit", "buy", 0.1, 40_000, {"clientOrderId": "intent-2"})
    assert [each["id"] for each in client.fetch_open_orders(PAIR)] == [order["id"]]
    assert client.fetch_balance()["USDT"]["used"] == 4_000
    amended = client.edit_order(order["id"], PAIR, "limit", "buy", 0.1, 41_000)
    assert (amended["id"], amended["price"]) == (order["id"], 41_000)
    cancelled = client.cancel_order(order["id"], PAIR)
    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 0)
    assert [each["id"] for each in client.fetch_closed_orders(PAIR)] == [order["id"]]
    with pytest.raises(ccxt.InvalidOrder, match="ORDER_CANCELLED"):
        client.cancel_order(order["id"], PAIR)


def test_refusals_are_the_exceptions_that_ccxt_makes_of_the_venues_labels(client: Any, server: Served) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PAIR, "limit", "buy", 3, 40_000)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, PAIR, {"clientOrderId": "nobody"})
    with pytest.raises(ccxt.BadRequest, match="too small"):
        client.create_order(PAIR, "limit", "buy", 0.00001, 40_000)
    client.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="INVALID_SIGNATURE"):
        client.fetch_balance()


def test_the_streams_tell_of_orders_and_trades(server: Served, key: str) -> None:
    async def watch() -> tuple[list[Any], list[Any]]:
        client = ccxt.pro.gate(settings(server, key))
        try:
            await client.load_markets()
            orders, trades = (asyncio.create_task(each(PAIR)) for each in (client.watch_orders, client.watch_my_trades))
            feeds = server.app.venues["gate"].feeds
            while not any(feed.account == key and len(feed.channels) == 2 for feed in feeds):
                await asyncio.sleep(0.01)
            await client.create_order(PAIR, "limit", "buy", 0.1, 51_000, {"clientOrderId": "streamed"})
            return await asyncio.wait_for(orders, 5), await asyncio.wait_for(trades, 5)
        finally:
            await client.close()

    orders, trades = asyncio.run(watch())
    assert {each["clientOrderId"] for each in orders} == {"t-streamed"}
    assert [(each["amount"], each["price"]) for each in trades] == [(0.1, 50_000)]
