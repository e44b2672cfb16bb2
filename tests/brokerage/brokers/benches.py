"""Each broker with a market of its own, behind the same few handles, so that one set of tests holds for all."""

import json
from decimal import Decimal
from typing import Any, Protocol
from uuid import uuid4

import psycopg
import requests

from sandbox.venue.faults import fault_rule
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms, TradingDecision
from tests.brokerage.at_venue import AtAlpaca, AtGate, AtVenue, Clock
from tests.brokerage.chaos import prepare
from tests.brokerage.conftest import BTC, MINUTE, PAPER, START, AddCandles, Connection


class Bench(Protocol):
    """A broker, its wallet, its time, and its market."""

    broker: VenueBroker
    wallet: Wallet
    clock: Clock
    listing_id: int

    def set_price(self, price: str) -> None:
        """What is sold and bought next trades at this price."""
        ...

    def settle(self) -> None:
        """Let the market go on for so long that a marketable order is filled."""
        ...

    def orders(self) -> list[tuple[str, Decimal]]:
        """Client order id and what is filled of each order that the venue has."""
        ...

    def working(self) -> list[str]:
        """The client order ids of those that are not over."""
        ...


class PaperBench:
    """The paper venue: its market is bars."""

    listing_id = BTC

    def __init__(self, market: Connection, add_candles: AddCandles, theirs: psycopg.Connection[Any]) -> None:
        self._market, self._add_candles = market, add_candles
        self.wallet = open_wallet(market, PAPER, now=START)
        self.broker: VenueBroker = PaperBroker(theirs, self.wallet)
        self.clock = Clock(START)
        self._price = 100.0
        self.settle()

    def set_price(self, price: str) -> None:
        self._price = float(price)
        self.settle()

    def settle(self) -> None:
        self._add_candles([self._price], opens=[self._price], start=self.clock.now)
        self.clock.now += MINUTE

    def orders(self) -> list[tuple[str, Decimal]]:
        found = self._market.execute("SELECT client_order_id, filled FROM trading.paper_venue_orders").fetchall()
        self._market.commit()
        return found

    def working(self) -> list[str]:
        query = "SELECT client_order_id FROM trading.paper_venue_orders WHERE state = 'open'"
        found = [name for (name,) in self._market.execute(query)]
        self._market.commit()
        return found


class VenueBench:
    """A venue of the sandbox, which can be told to misbehave."""

    def __init__(self, at: AtVenue, market: Connection) -> None:
        self.at = at
        self.broker: VenueBroker = at.broker
        self.wallet, self.clock, self.listing_id = at.wallet, at.clock, at.listing_id
        self._market = market
        prepare(market, at.listing_id)
        self.clock.now = START + MINUTE

    def set_price(self, price: str) -> None:
        self.at.set_price(price)

    def settle(self) -> None:
        self.clock.move(1)

    def orders(self) -> list[tuple[str, Decimal]]:
        found = self.at.venue.exchange.orders.values()
        return [(order.ticket.client_order_id.removeprefix("t-"), order.filled) for order in found]

    def working(self) -> list[str]:
        found = self.at.venue.exchange.working.values()
        return [order.ticket.client_order_id.removeprefix("t-") for order in found]

    def misbehave(self, kind: str, *operations: str, times: int | None = 1, seconds: float = 20.0) -> None:
        """Add a fault of the sandbox (`docs/venue.md`)."""
        rule: dict[str, Any] = {"kind": kind, "times": times, "seconds": seconds}
        self.at.venue.faults.rules.append(fault_rule(rule | ({"operations": list(operations)} if operations else {})))


def order(bench: Bench, quantity: str = "3", side: str = "buy", **terms: Any) -> Order:
    """A new order of the wallet's one listing; prices of `terms` as text."""
    prices: dict[str, Any] = {
        name: Decimal(value) if name in ("limit", "stop", "trail") else value for name, value in terms.items()
    }
    intent_id = uuid4().hex[:26].upper()
    return Order(
        intent_id, "", 0, bench.listing_id, side, Decimal(quantity), bench.clock(), Decimal(0), OrderTerms(**prices)
    )


def decide(bench: Bench, market: Connection, quantity: str = "3", **terms: Any) -> str:
    """Store the decision to have an order, signed; returns its intent id."""
    wanted = order(bench, quantity, **terms)
    at = bench.clock()
    request = OrderRequest(wanted.quantity, wanted.terms)
    count = market.execute("SELECT count(*) FROM signals.decisions WHERE decided_at = %s", [at]).fetchone()
    assert count is not None
    name, listing = bench.wallet.name, bench.listing_id
    made = TradingDecision(name, "s", 0, listing, at, "timer", "t", count[0], 0.0, 0.0, "why", {}, request)
    assert insert(market, "signals.decisions", decision_row(made, at))
    market.commit()
    return made.intent_id()


VENUES: dict[str, type[AtAlpaca] | type[AtGate]] = {"alpaca": AtAlpaca, "ccxt": AtGate}


def posted_by(gate: VenueBench) -> list[dict[str, Any]]:
    """The JSON of each POST from now on, to Gate.io."""
    sent: list[dict[str, Any]] = []
    assert isinstance(gate.at, AtGate)
    session = gate.at.client.exchange.session
    adapter = session.get_adapter("http://venue")
    send = adapter.send

    def keep(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if request.method == "POST":
            body = json.loads(request.body or b"{}")  # type: ignore[arg-type]
            sent.append(body | {"expires": request.headers.get("x-gate-exptime")})
        return send(request, **options)  # type: ignore[no-any-return]

    adapter.send = keep
    return sent
