"""A wallet at a venue of the sandbox: the real client without a socket, in time that the test moves.

One request at a time, unless a test wants several in flight: a seeded run is the same each time.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from sandbox.venue import execution
from sandbox.venue.in_process import InProcessAdapter
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET, alpaca_venue, gate_venue
from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.brokers.ccxt.account import SANDBOX_KEYS, new_exchange, sandbox_urls
from strades_pipelines.brokerage.brokers.ccxt.broker import CcxtBroker
from strades_pipelines.brokerage.brokers.ccxt.client import Client
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from tests.brokerage.conftest import AAPL, BTC, PAPER, START, Connection

SYMBOL, PAIR, PRICE = "AAPL", "BTC_USDT", "100"
AT_ALPACA = replace(
    PAPER,
    name="alpaca",
    instruments=("yahoo:AAPL",),
    currency="USD",
    cash=Decimal(100_000),
    fee_rate=Decimal(0),
    broker="alpaca",
)
AT_GATE = replace(PAPER, name="gate", cash=Decimal(100_000), fee_rate=Decimal(0), broker="ccxt:gate")


class Clock:
    """A clock that stands still until it is moved; waiting moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class AtVenue:
    """A venue of its own with one account; a subclass adds the broker and the wallet."""

    symbol: str
    listing_id: int
    broker: Any
    wallet: Wallet

    def __init__(self, make_venue: Callable[[Clock], Venue], now: datetime) -> None:
        self.clock = Clock(now)
        self.venue = make_venue(self.clock)
        self.set_price(PRICE)

    @property
    def adapter(self) -> InProcessAdapter:
        """What takes a client's requests to the venue."""
        return InProcessAdapter({self.venue.api.host: self.venue}, self.clock.move)

    def set_price(self, price: str) -> None:
        """The one price at which everything trades from now on."""
        execution.hold_price(self.venue.exchange, self.symbol, Decimal(price), None)


class AtAlpaca(AtVenue):
    """Alpaca, with a wallet in a stock; `changes` are of its template."""

    symbol, listing_id = SYMBOL, AAPL

    def __init__(
        self,
        market: Connection,
        *,
        name: str = "alpaca",
        seed: int = 0,
        now: datetime = START,
        in_flight: int = 1,
        **changes: Any,
    ) -> None:
        super().__init__(lambda clock: alpaca_venue(clock, seed=seed), now)
        client: Any = new_client(KEY, SECRET, f"http://venue/{self.venue.api.host}")
        client._session.mount("http://", self.adapter)
        client._session.trust_env = False  # proxies of the environment, looked for at each request
        self.broker = AlpacaBroker(client, {AAPL: SYMBOL}, in_flight=in_flight)
        self.wallet = open_wallet(market, replace(AT_ALPACA, name=name, **changes), now=now)


class AtGate(AtVenue):
    """Gate.io through ccxt, with a wallet in a coin. It takes no fee unless `with_fees`; `changes` as above."""

    symbol, listing_id = PAIR, BTC

    def __init__(
        self,
        market: Connection,
        *,
        name: str = "gate",
        seed: int = 0,
        now: datetime = START,
        with_fees: bool = False,
        in_flight: int = 1,
        **changes: Any,
    ) -> None:
        super().__init__(lambda clock: gate_venue(clock, seed=seed, checks_time=False), now)
        if not with_fees:
            take_no_fees(self.venue)
        self.client = Client(new_exchange("gate", {**SANDBOX_KEYS, "urls": gate_urls()}))
        self.client.exchange.session.mount("http://", self.adapter)
        self.broker = CcxtBroker(self.client, {BTC: PAIR}, in_flight=in_flight)
        self.wallet = open_wallet(market, replace(AT_GATE, name=name, **changes), now=now)


@cache
def gate_urls() -> Mapping[str, Any]:
    """The addresses in ccxt's configuration, for which it makes an exchange."""
    return sandbox_urls("gate", "http://venue")


def take_no_fees(venue: Venue) -> None:
    """Have a venue trade for nothing."""
    instruments: Any = venue.exchange.rules.instruments
    for symbol, instrument in instruments.items():
        instruments[symbol] = replace(instrument, maker_fee=Decimal(0), taker_fee=Decimal(0))
