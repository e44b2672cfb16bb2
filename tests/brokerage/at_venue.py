"""A wallet at the sandbox's Alpaca: the real client without a socket, in time that the test moves."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.venue import execution
from sandbox.venue.in_process import InProcessAdapter
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET, alpaca_venue
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.portfolio import Wallet, open_wallet
from tests.brokerage.conftest import AAPL, PAPER, START, Connection

SYMBOL, PRICE = "AAPL", "100"
AT_ALPACA = replace(
    PAPER,
    name="alpaca",
    instruments=("yahoo:AAPL",),
    currency="USD",
    cash=Decimal(100_000),
    fee_rate=Decimal(0),
    broker="alpaca",
)


class Clock:
    """A clock that stands still until it is moved; waiting moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class AtAlpaca:
    """A venue of its own with one account, and the broker of a wallet there."""

    def __init__(self, market: Connection, *, name: str = "alpaca", seed: int = 0, now: datetime = START) -> None:
        self.clock = Clock(now)
        self.venue: Venue = alpaca_venue(self.clock, seed=seed)
        self.set_price(PRICE)
        client: Any = new_client(KEY, SECRET, f"http://venue/{self.venue.api.host}")
        client._session.mount("http://", InProcessAdapter({self.venue.api.host: self.venue}, self.clock.move))
        self.broker = AlpacaBroker(client, {AAPL: SYMBOL})
        self.wallet: Wallet = open_wallet(market, replace(AT_ALPACA, name=name), now=now)

    def set_price(self, price: str) -> None:
        """The one price at which everything trades from now on."""
        execution.hold_price(self.venue.exchange, SYMBOL, Decimal(price), None)
