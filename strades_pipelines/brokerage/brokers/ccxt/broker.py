"""An account at a venue that ccxt knows: spot orders, market and limit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from strades_pipelines.brokerage.brokers.ccxt.client import Client, OrderNotFound
from strades_pipelines.brokerage.brokers.ccxt.mapping import (
    client_order_id,
    filled_quantity,
    refusal_of,
    venue_fill,
    venue_order,
)
from strades_pipelines.brokerage.brokers.ccxt.order_arguments import order_arguments
from strades_pipelines.brokerage.brokers.figures import figure, identifier
from strades_pipelines.brokerage.brokers.venue import (
    AccountFill,
    AccountOrder,
    Holding,
    VenueAccount,
    VenueFill,
    VenueOrder,
)
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, Rejected, Unknown
from strades_pipelines.market.order_terms import Order

Document = Mapping[str, Any]
PAGE, MOST_PAGES = 100, 100
# Gate.io takes ten orders a second; each takes a tenth of one or more.
IN_FLIGHT = 4
MINUTE_MS = 60_000
# An order's time and ours come from two clocks; what a venue can be asked about at once (Gate.io: 30 days).
CLOCKS_APART, LONGEST_SEARCH = timedelta(minutes=10), timedelta(days=29)


class CcxtBroker:
    """The account of a client.

    Args:
        symbols: of the wallet's listings, by their id: the venue's own (`BTC_USDT`), or ccxt's (`BTC/USDT`).
        in_flight: how many orders may be on their way at once.
    """

    # After a time-out the venue may show an order late, and may take it until its request has expired (20 s). It counts
    # from `submitting`, after which a pass begins requests for 15 s and may ask for markets and a price before it has
    # an order placed (13 s each): 61 s.
    grace = timedelta(seconds=75)
    links_orders = False
    # Each venue has stops of another make, which ccxt does not look up by our ids.
    lacks = frozenset({"stop", "trail", "day"})

    def __init__(self, client: Client, symbols: Mapping[int, str], *, in_flight: int = IN_FLIGHT) -> None:
        self._client, self._symbols, self._in_flight = client, symbols, in_flight
        self._others: list[CcxtBroker] = []
        self.name = f"ccxt:{client.exchange.id}"

    @property
    def requests_per_minute(self) -> int:
        """As ccxt has it: the milliseconds between two requests."""
        return int(MINUTE_MS / max(1.0, float(self._client.exchange.rateLimit)))

    def lanes(self) -> Sequence["CcxtBroker"]:
        """This broker and others, each with a session of its own; they share the connections."""
        if not self._others and self._in_flight > 1:
            with suppress(BrokerError):  # each order says so itself
                self._client.load_markets()  # once, not in each of them
        while len(self._others) < self._in_flight - 1:
            self._others.append(CcxtBroker(self._client.with_own_session(), self._symbols, in_flight=1))
        return [self, *self._others]

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order. Gate.io takes a client order id twice: an order that it may have is looked up first."""
        refusal = refusal_of(order.terms)
        if refusal is not None:
            raise Rejected(f"{self.name}: {refusal}")
        market = self._market(order)
        document = self._client.create_order(*order_arguments(self._client, order, market))
        # Taken before the trades are asked for: their answer replaces it.
        message = self._client.message
        try:
            trades = self._trades_of(document, market)
        except BrokerError:
            trades = []  # the order is placed; its fills are told by the next look-up
        return self._venue_order(document, trades, market, message)

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """The order with its fills, or None: not by its client id, nor among the open and finished ones."""
        market = self._market(order)
        document = self._find(order, market, at)
        if document is None:
            return None
        # As in `submit`: of the order, not of its trades.
        message = self._client.message
        return self._venue_order(document, self._trades_of(document, market), market, message)

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """Cancel the order, and say what became of it."""
        market = self._market(order)
        document = self._find(order, market, at)
        if document is None:
            return None
        if not document.get("id"):
            raise Unknown("expected an order with its id", self._client.message)
        if document.get("status") == "open":
            with suppress(Rejected):  # it was over first: what follows says how
                self._client.call("cancel_order", document["id"], market["symbol"])
            document = self._client.call("fetch_order", document["id"], market["symbol"])
        message = self._client.message
        return self._venue_order(document, self._trades_of(document, market), market, message)

    def keep_alive(self, seconds: int) -> None:
        """Have the venue cancel the account's open orders in some seconds (`DeadMansSwitch`).

        Raises:
            Rejected: we know of no such switch at the venue.
        """
        switch = self._client.dialect.dead_mans_switch
        if switch is None:
            raise Rejected(f"{self.name} has no dead-man's switch that is known; leave dead_man_seconds out")
        self._client.call(switch, {"timeout": str(seconds)})

    def account(self, since: datetime, *, at: datetime) -> VenueAccount:
        """What the account has at `at`, and its fills since then. Balances of the wallet's coins are its holdings."""
        listings = {self._market_of(symbol)["symbol"]: listing for listing, symbol in self._symbols.items()}
        wanted: list[str | None] = list(listings) if self._needs_symbol() else [None]
        orders, fills = [], []
        for symbol in wanted:
            for document in self._pages("fetch_open_orders", symbol):
                orders.append(self._account_order(document, listings))
            for trade in self._pages("fetch_my_trades", symbol, _milliseconds(since)):
                fills.append(self._account_fill(trade, listings))
        held, holdings = self._balances(), []
        for symbol, listing in listings.items():
            # What stays in `held` is money: a coin that the wallet trades must not count twice, as cash and as a
            # holding.
            quantity = held.pop(self._client.exchange.market(symbol)["base"], None)
            if quantity is not None:
                holdings.append(Holding(self._symbols[listing], listing, quantity))
        # Each symbol's were in order; `VenueAccount` promises the order over all of them.
        fills.sort(key=lambda fill: (fill.fill.filled_at, fill.fill.venue_fill_id))
        return VenueAccount(tuple(orders), tuple(fills), held, tuple(holdings))

    def _balances(self) -> dict[str, Decimal]:
        """By currency, without those of nothing; what open orders hold back counts."""
        totals = self._document(self._client.call("fetch_balance")).get("total") or {}
        try:
            return {name: figure(total) for name, total in totals.items() if total is not None and figure(total)}
        except ValueError as error:
            raise Unknown(f"balances: {error}", self._client.message) from error

    def _market(self, order: Order) -> Document:
        return self._market_of(self._symbols[order.listing_id])

    def _market_of(self, symbol: str) -> Document:
        """ccxt's description of a spot market.

        Raises:
            Rejected: the venue has none of that name.
        """
        self._client.load_markets()
        exchange = self._client.exchange
        candidates = [*exchange.markets_by_id.get(symbol, []), exchange.markets.get(symbol.replace("_", "/"))]
        found: list[Document] = [market for market in candidates if market and market["spot"]]
        if not found:
            raise Rejected(f"{self.name}: it has no spot market {symbol}")
        return found[0]

    def _find(self, order: Order, market: Document, at: datetime) -> Document | None:
        """The order's document. A venue may have forgotten the client id of an order that is over, Gate.io in an hour.

        Raises:
            BrokerError: one of the lists cannot be had, so that nothing is certain.
        """
        try:
            return self._document(
                self._client.call("fetch_order", None, market["symbol"], {"clientOrderId": order.intent_id})
            )
        except OrderNotFound:
            since = max(order.decided_at - CLOCKS_APART, at - LONGEST_SEARCH)
        # Open orders first: one that fills between the two questions is then among the closed. The other way round it
        # could be in neither list, and would be sent again.
        for method, start in (("fetch_open_orders", None), ("fetch_closed_orders", _milliseconds(since))):
            for document in self._pages(method, market["symbol"], start):
                if client_order_id(document, self._client.dialect.client_id_prefix) == order.intent_id:
                    return document
        return None

    def _trades_of(self, document: Any, market: Document) -> list[Document]:
        """An order's trades; other orders' may be among them."""
        order = self._document(document)
        if not order.get("id") or not filled_quantity(order):
            return []
        parameter = self._client.dialect.order_parameter
        if parameter is None and self._client.exchange.has.get("fetchOrderTrades"):
            return list(self._client.call("fetch_order_trades", order["id"], market["symbol"]))
        since = None if parameter else int(order.get("timestamp") or 0) - _span(CLOCKS_APART)
        query = {parameter: order["id"]} if parameter else {}
        return list(self._pages("fetch_my_trades", market["symbol"], since, query))

    def _pages(
        self, method: str, symbol: str | None, since: int | None = None, query: Mapping[str, str] | None = None
    ) -> Iterator[Document]:
        """The rows of a list, all of its pages, each once.

        Raises:
            Unknown: there are more pages than can be read, or an answer is no list.
        """
        page_parameter = self._client.dialect.page_parameter
        seen: set[Any] = set()
        for page in count(1):
            if page > MOST_PAGES:
                raise Unknown(f"{method}: expected at most {MOST_PAGES} pages")
            numbered = {page_parameter: page} if page_parameter else {}
            rows = self._client.call(method, symbol, since, PAGE, {**(query or {}), **numbered})
            if not isinstance(rows, list):
                raise Unknown(f"{method}: expected a list", self._client.message)
            new = [row for row in rows if row.get("id") not in seen]
            yield from new
            seen.update(row.get("id") for row in new)
            if not new or (page_parameter is None and since is None):
                return
            if page_parameter is None:
                # The next page begins within the same millisecond, as it may hold more rows; `seen` drops those that
                # come twice.
                since = max(int(row.get("timestamp") or 0) for row in new)

    def _needs_symbol(self) -> bool:
        # A venue that says nothing is asked symbol by symbol: some refuse a list of all.
        features = (self._client.exchange.features or {}).get("spot") or {}
        return any(
            (features.get(name) or {}).get("symbolRequired", True) for name in ("fetchOpenOrders", "fetchMyTrades")
        )

    def _account_order(self, document: Document, listings: Mapping[str, int]) -> AccountOrder:
        symbol = str(document.get("symbol"))
        found = venue_order(
            document, (), None, prefix=self._client.dialect.client_id_prefix, quote=symbol.partition("/")[2]
        )
        return AccountOrder(found, self._own_symbol(symbol, listings), listings.get(symbol))

    def _account_fill(self, trade: Document, listings: Mapping[str, int]) -> AccountFill:
        symbol = str(trade.get("symbol"))
        try:
            fill: VenueFill = venue_fill(trade, symbol.partition("/")[2])
            order_id, side, symbol = identifier(trade["order"]), str(trade["side"]), identifier(symbol)
        # OverflowError and OSError come of `fromtimestamp` on a number that is no time of this platform.
        except (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError) as error:
            raise Unknown(f"expected a trade, was {error!r}", self._client.message) from error
        text = str((trade.get("info") or {}).get("text") or trade.get("clientOrderId") or "")
        prefix = self._client.dialect.client_id_prefix
        client_id = text.removeprefix(prefix) if text.startswith(prefix) else None
        return AccountFill(
            fill,
            order_id,
            client_id or None,
            self._own_symbol(symbol, listings),
            listings.get(symbol),
            side,
        )

    def _own_symbol(self, symbol: str, listings: Mapping[str, int]) -> str:
        """The symbol as the wallet's listing has it; ccxt's where the wallet does not trade it."""
        return self._symbols[listings[symbol]] if symbol in listings else symbol

    def _document(self, answer: Any) -> Document:
        return answer if isinstance(answer, Mapping) else {}

    def _venue_order(
        self, document: Any, trades: list[Document], market: Document, message: bytes | None
    ) -> VenueOrder:
        prefix = self._client.dialect.client_id_prefix
        return venue_order(
            self._document(document),
            trades,
            message,
            prefix=prefix,
            quote=market["quote"],
            symbol=market["symbol"],
        )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _span(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
