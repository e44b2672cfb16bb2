"""An account at Alpaca, paper or live: each call in the words of `brokers.venue_errors`."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from strades_pipelines.brokerage.brokers.alpaca.mapping import (
    amendment,
    filled_quantity,
    order_body,
    placed_at,
    venue_order,
)
from strades_pipelines.brokerage.brokers.alpaca.statement import Statement, venue_account
from strades_pipelines.brokerage.brokers.venue import VenueAccount, VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import (
    BrokerError,
    NotSent,
    RateLimited,
    Rejected,
    Unknown,
    is_connection_refused,
    retry_after,
)
from strades_pipelines.market.order_terms import Order

if TYPE_CHECKING:
    import requests
    from alpaca.trading.client import TradingClient

PAPER_URL, LIVE_URL = "https://paper-api.alpaca.markets", "https://api.alpaca.markets"
CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
PAGE = 100
# Beyond a few the venue's answers get slower; a pool of `requests` keeps ten connections.
IN_FLIGHT = 8
# An order's time and its fills' come from several clocks of the venue.
CLOCKS_APART = timedelta(minutes=10)
NEWEST = 500  # orders in a list, the most there are
SAME_INSTANT = timedelta(milliseconds=1)
# 403 is not among UNAUTHORIZED: Alpaca gives it to an order beyond the buying power, which is a refusal and no matter
# of keys.
DUPLICATE, UNAUTHORIZED, NOT_FOUND, TOO_MANY = 40010001, (401, 407), 404, 429


class AlpacaBroker:
    """The account of a pair of keys.

    Args:
        symbols: of the wallet's listings, by their id.
        in_flight: how many orders may be on their way at once.
    """

    name = "alpaca"
    # A new order is not always found by its client id at once (alpaca-py issue 225).
    grace = timedelta(seconds=30)
    links_orders = False
    lacks: frozenset[str] = frozenset()
    requests_per_minute = 200

    def __init__(self, client: "TradingClient", symbols: Mapping[int, str], *, in_flight: int = IN_FLIGHT) -> None:
        self._client, self._symbols, self._in_flight = client, symbols, in_flight
        self._others: list[AlpacaBroker] = []
        self._answer: requests.Response | None = None
        # The client hands out parsed JSON alone; the bytes are kept with the order's event as what the venue said.
        client._session.hooks["response"].append(self._keep)

    def lanes(self) -> Sequence["AlpacaBroker"]:
        """This broker and others, each with a session of its own; they share the connections."""
        while len(self._others) < self._in_flight - 1:
            self._others.append(AlpacaBroker(_with_own_session(self._client), self._symbols, in_flight=1))
        return [self, *self._others]

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order; where its id is there already, an earlier try arrived, and is looked up."""
        return self._place(self._client.post, "/orders", order_body(order, self._symbols[order.listing_id]), order, at)

    def _place(self, method: Callable[..., Any], path: str, body: Any, order: Order, at: datetime) -> VenueOrder:
        try:
            document = self._call(method, path, body)
        except Rejected as error:
            if not _is_duplicate(error):
                raise
            found = self.lookup(order, at=at)
            if found is None:
                raise Unknown("the venue has the client order id, and does not show its order") from error
            return found
        return self._with_fills(document, order)

    def replace(self, old: Order, new: Order, *, filled: Decimal, at: datetime) -> VenueOrder:
        """Put `new` in the place of `old` (`PATCH`); the venue's size includes what is filled already."""
        document = self._find(old.intent_id)
        if document is None:
            raise NotSent(f"the venue does not show order {old.intent_id}")
        if not document.get("id"):
            raise NotSent("expected an order with its id", self._said())
        return self._place(self._client.patch, f"/orders/{document['id']}", amendment(old, new, filled), new, at)

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """The order with its fills, or None."""
        document = self._find(order.intent_id)
        return None if document is None else self._with_fills(document, order)

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """Ask for the cancel, and say what became of the order; the cancel may still be under way."""
        document = self._find(order.intent_id)
        if document is None:
            return None
        if not document.get("id"):
            raise Unknown("expected an order with its id", self._said())
        with suppress(Rejected):  # it is over, or about to be: the look-up says which
            self._call(self._client.delete, f"/orders/{document['id']}")
        return self.lookup(order, at=at)

    def account(self, since: datetime, *, at: datetime) -> VenueAccount:
        """The account, by the activities FILL: deposits, dividends and fees are activities of other kinds."""
        # An activity names its order by the venue's id alone: the client's id is that of the orders placed since.
        recent = self._list_orders({"status": "all", "after": _rfc3339(since)})
        statement = Statement(
            recent,
            self._list_orders({"status": "open"}),
            self._fills_after(since),
            self._call(self._client.get, "/account"),
            self._call(self._client.get, "/positions"),
        )
        try:
            return venue_account(statement, self._symbols)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise Unknown(f"expected an account with its orders and positions, was {error!r}", self._said()) from error

    def _list_orders(self, query: Mapping[str, str]) -> list[Any]:
        """The orders that match the query, all pages, newest first."""
        found: dict[str, Any] = {}
        page_query = {**query, "limit": str(NEWEST), "direction": "desc"}
        while True:
            page = self._call(self._client.get, "/orders", page_query)
            if not isinstance(page, list) or not all(isinstance(one, Mapping) and one.get("id") for one in page):
                raise Unknown("expected a list of orders", self._said())
            before = len(found)
            found |= {str(one["id"]): one for one in page}
            # Nothing new on a full page: more orders in one instant than a page holds, or an ignored `until`. It would
            # be asked for again for ever.
            if len(page) < NEWEST or len(found) == before:
                return list(found.values())
            oldest = placed_at(page[-1])
            if oldest is None:
                raise Unknown("expected orders with the time at which they were submitted", self._said())
            # Orders of one instant may lie on two pages: the next one begins with them again.
            page_query["until"] = _rfc3339(oldest + SAME_INSTANT)

    def _find(self, client_order_id: str) -> Mapping[str, Any] | None:
        """The order's document; `{}` where the answer is none. A venue may have forgotten the id and list the order."""
        try:
            document = self._call(self._client.get, "/orders:by_client_order_id", {"client_order_id": client_order_id})
        except Rejected:
            if self._answer is None or self._answer.status_code != NOT_FOUND:
                raise
            return self._find_in_list(client_order_id)
        return document if isinstance(document, Mapping) else {}

    def _find_in_list(self, client_order_id: str) -> Mapping[str, Any] | None:
        listed = self._call(self._client.get, "/orders", {"status": "all", "limit": str(NEWEST), "direction": "desc"})
        if not isinstance(listed, list):
            raise Unknown("expected a list of orders", self._said())
        orders = (one for one in listed if isinstance(one, Mapping))
        return next((one for one in orders if one.get("client_order_id") == client_order_id), None)

    def _said(self) -> bytes | None:
        return self._answer.content if self._answer is not None else None

    def _with_fills(self, document: Any, order: Order) -> VenueOrder:
        said = document if isinstance(document, Mapping) else {}
        message = self._said()
        activities: list[Any] = []
        if filled_quantity(said):
            placed = placed_at(said)
            activities = self._fills_after(placed - CLOCKS_APART if placed else None)
        return venue_order(said, activities, message, symbol=self._symbols[order.listing_id])

    def _fills_after(self, time: datetime | None) -> list[Any]:
        """The account's fills after a time, all pages, oldest first."""
        found: list[Any] = []
        query = {"direction": "asc", "page_size": str(PAGE)}
        if time is not None:
            query["after"] = _rfc3339(time)
        while True:
            page = self._call(self._client.get, "/account/activities/FILL", query)
            if not isinstance(page, list) or not all(isinstance(one, Mapping) for one in page):
                raise Unknown("expected a list of activities", self._said())
            found += page
            if len(page) < PAGE:
                return found
            query["page_token"] = str(page[-1].get("id"))

    def _call(self, method: Callable[..., Any], path: str, data: Any = None) -> Any:
        """A request by the client, its errors in our words."""
        import requests
        from alpaca.common.exceptions import APIError

        # Otherwise an error without an answer would be told with the bytes of the request before.
        self._answer = None
        try:
            return method(path, data) if data is not None else method(path)
        except APIError as error:
            raise _translated(error.response, str(error)) from error
        # The order counts: a ConnectTimeout is a ConnectionError too, and a JSONDecodeError a RequestException.
        except requests.ConnectTimeout as error:
            raise NotSent(f"no connection within {CONNECT_SECONDS} s") from error
        except requests.ConnectionError as error:
            raise (NotSent if is_connection_refused(error) else Unknown)(f"{type(error).__name__}: {error}") from error
        except requests.JSONDecodeError as error:
            raise Unknown("expected JSON", self._said()) from error
        except requests.RequestException as error:
            raise Unknown(f"{type(error).__name__}: {error}") from error
        except (ValueError, RecursionError) as error:
            # Without an answer it is a fault of our own, and no word of the venue.
            if self._answer is None:
                raise
            # A number of thousands of digits, or brackets thousands deep.
            raise Unknown(f"expected JSON that can be read, was {error!r:.200}", self._said()) from error

    def _keep(self, answer: "requests.Response", **_: Any) -> None:
        self._answer = answer


def new_client(key: str, secret: str, url: str) -> "TradingClient":
    """A client that waits `READ_SECONDS` at most, and never asks twice by itself.

    As it comes it has no time-out at all, and repeats what was answered with 429 or 504, also a POST, three times with
    three seconds between (`alpaca/common/rest.py`): the wallet's lock would be held all the while.
    """
    from alpaca.trading.client import TradingClient

    client = TradingClient(key, secret, url_override=url, raw_data=True)
    client._retry = 0
    _read_environment_once(client._session, url)
    request = partial(client._session.request, timeout=(CONNECT_SECONDS, READ_SECONDS))
    client._session.request = request
    return client


def _read_environment_once(session: "requests.Session", url: str) -> None:
    """Go by the proxies and the certificates that the environment names now.

    `requests` reads them for each request, a fifth of what it takes, and the login of a `.netrc`, which is not ours.
    """
    from requests.utils import get_environ_proxies

    session.trust_env = False
    session.proxies.update(get_environ_proxies(url))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


def _with_own_session(client: "TradingClient") -> "TradingClient":
    """A client of the same account for another thread: an adapter of `requests` is for several, a session is not."""
    other = new_client(str(client._api_key), str(client._secret_key), str(client._base_url))
    other._session.adapters = client._session.adapters
    return other


def _translated(answer: "requests.Response | None", said: str) -> BrokerError:
    """What an answer that is no success means for an order."""
    status = answer.status_code if answer is not None else 0
    message = answer.content if answer is not None else said.encode()
    reason = f"HTTP {status}: {said[:300]}"
    if status == TOO_MANY:
        seconds = answer.headers.get("Retry-After", "") if answer is not None else ""
        return RateLimited(reason, message, retry_after=retry_after(seconds, default=timedelta(seconds=60)))
    if status in UNAUTHORIZED:
        return NotSent(f"{reason}; are the keys right?", message)
    # A 5xx says nothing of the order, which may have arrived: only a look-up tells.
    return Rejected(reason, message) if 400 <= status < 500 else Unknown(reason, message)


def _rfc3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _is_duplicate(error: Rejected) -> bool:
    return str(DUPLICATE).encode() in (error.message or b"") and b"client_order_id" in (error.message or b"")
