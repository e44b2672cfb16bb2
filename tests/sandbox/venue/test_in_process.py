"""alpaca-py and ccxt, unmodified, on the venues without a socket, in time that the test moves."""

from typing import Any

import ccxt
import pytest
import requests
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from sandbox.venue.faults import Fault
from sandbox.venue.in_process import InProcessAdapter
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET, gate_venue
from tests.sandbox.venue.conftest import Clock
from tests.sandbox.venue.test_execution import price
from tests.sandbox.venue.test_faults import misbehave

REQUEST = MarketOrderRequest(
    symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="a"
)


@pytest.fixture
def alpaca_client(alpaca: Venue, clock: Clock) -> TradingClient:
    """alpaca-py over the adapter, while AAPL stands at 100."""
    price(alpaca, "100")
    client = TradingClient(KEY, SECRET, url_override=f"http://venue/{alpaca.api.host}")
    client._session.mount("http://", InProcessAdapter({alpaca.api.host: alpaca}, clock.move))
    return client


def test_alpaca_py_places_an_order_whose_answer_was_lost(
    alpaca_client: TradingClient, alpaca: Venue, clock: Clock
) -> None:
    misbehave(alpaca, Fault.TIMEOUT_AFTER, times=1, seconds=20)
    with pytest.raises(requests.ReadTimeout):
        alpaca_client.submit_order(REQUEST)
    order: Any = alpaca_client.get_order_by_client_id("a")
    assert (order.status.value, order.filled_qty) == ("filled", "10")
    assert len(alpaca.exchange.orders) == 1


def test_ccxt_meets_a_time_out_as_one(clock: Clock) -> None:
    # ccxt signs with the machine's clock, not with the test's.
    venue = gate_venue(clock, checks_time=False)
    price(venue, "50000", symbol="BTC_USDT")
    base = f"http://venue/{venue.api.host}/api/v4"
    urls = ccxt.gate().urls["api"]
    api = {kind: dict.fromkeys(urls[kind], base) for kind in ("public", "private")}
    client: Any = ccxt.gate(
        {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "timeout": 5_000, "urls": {"api": api}}
    )
    client.session.mount("http://", InProcessAdapter({venue.api.host: venue}, clock.move))
    client.load_markets()
    misbehave(venue, Fault.TIMEOUT_AFTER, times=1, seconds=20)
    before = clock()
    with pytest.raises(ccxt.RequestTimeout):
        client.create_order("BTC/USDT", "limit", "buy", 0.1, 40_000, {"clientOrderId": "a"})
    assert (clock() - before).total_seconds() == 5
    assert client.fetch_order(None, "BTC/USDT", {"clientOrderId": "a"})["status"] == "open"
