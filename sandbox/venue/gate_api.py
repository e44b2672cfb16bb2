"""Gate.io's API v4 over the core: `api.gateio.ws/api/v4/spot/...`, signed, and its spot WebSocket.

Labels and messages of refusals: Gate.io's list of labels, as ccxt maps it, and what users report (ccxt 11335).
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qs, unquote

from sandbox.limits import Limit, Limiter
from sandbox.venue import gate_accounts as accounts
from sandbox.venue import gate_orders as orders
from sandbox.venue.account import Account
from sandbox.venue.calls import Call, PublicCall, Request, Route, find_route, json_body
from sandbox.venue.exchange import Exchange, Rules
from sandbox.venue.faults import Operation
from sandbox.venue.feed import Feed, Message
from sandbox.venue.gate_format import FROM_API, Json, milliseconds, order_update, trade_update
from sandbox.venue.instruments import crypto_pairs
from sandbox.venue.orders import OrderEvent, OrderRefused, Reason, Status
from sandbox.venue.prices import PriceSource
from sandbox.world import Reply, json_reply

HOST = "api.gateio.ws"
ORDER_LIMIT = Limit(10, 1)  # new and changed orders of a user
LIMIT = Limit(200, 10)  # requests of a user at an endpoint
TOLERANCE = 60  # seconds between a signed request's time and the venue's
CLIENT_ID_LIFETIME = 3_600  # seconds
REFUSALS = {  # -> (HTTP status, label, message; {} is the core's own)
    Reason.INVALID: (400, "INVALID_PARAM_VALUE", "{}"),
    Reason.MISSING: (400, "MISSING_REQUIRED_PARAM", "Missing required parameter: {}"),
    Reason.UNKNOWN_SYMBOL: (400, "INVALID_CURRENCY_PAIR", "Invalid currency pair {}"),
    Reason.PRECISION: (400, "INVALID_PRECISION", "Invalid precision: {}"),
    Reason.TOO_SMALL: (400, "INVALID_PARAM_VALUE", "Your order size is too small. The minimum is {} USDT"),
    Reason.NO_FUNDS: (400, "BALANCE_NOT_ENOUGH", "{}"),
    Reason.POST_ONLY: (400, "POC_FILL_IMMEDIATELY", "{}"),
    Reason.NOT_FOUND: (404, "ORDER_NOT_FOUND", "Order not found"),
    Reason.CLIENT_ID_NOT_FOUND: (404, "CLIENT_ID_NOT_FOUND", "{}"),
    Reason.FINISHED: (400, "ORDER_CLOSED", "Order already closed"),
    Reason.NO_CHANGE: (400, "NO_CHANGE", "{}"),
}
BASE, ORDER = "api/v4/", "(?P<order_id>[^/]+)"
PRIVATE = (
    Route("POST", f"{BASE}spot/orders", Operation.SUBMIT, orders.submit),
    Route("GET", f"{BASE}spot/orders", Operation.LIST, orders.list_orders),
    Route("DELETE", f"{BASE}spot/orders", Operation.CANCEL, orders.cancel_all),
    Route("GET", f"{BASE}spot/orders/{ORDER}", Operation.LOOKUP, orders.by_id),
    Route("PATCH", f"{BASE}spot/orders/{ORDER}", Operation.REPLACE, orders.amend),
    Route("DELETE", f"{BASE}spot/orders/{ORDER}", Operation.CANCEL, orders.cancel),
    Route("GET", f"{BASE}spot/open_orders", Operation.LIST, orders.open_orders),
    Route("GET", f"{BASE}spot/my_trades", Operation.LIST, orders.my_trades),
    Route("POST", f"{BASE}spot/countdown_cancel_all", Operation.CANCEL, orders.countdown),
    Route("GET", f"{BASE}spot/accounts", Operation.ACCOUNT, accounts.balances),
    Route("GET", f"{BASE}account/detail", Operation.ACCOUNT, accounts.detail),
)
PUBLIC = (
    Route("GET", f"{BASE}spot/time", Operation.ACCOUNT, accounts.time),
    Route("GET", f"{BASE}spot/currency_pairs", Operation.ACCOUNT, accounts.pairs),
    Route("GET", f"{BASE}spot/currency_pairs/(?P<pair>[^/]+)", Operation.ACCOUNT, accounts.pair),
    Route("GET", f"{BASE}spot/currencies", Operation.ACCOUNT, accounts.currencies),
    Route("GET", f"{BASE}spot/tickers", Operation.ACCOUNT, accounts.tickers),
    Route("GET", f"{BASE}(?:margin/currency_pairs|options/.+)", Operation.ACCOUNT, accounts.empty_list),
    Route("GET", f"{BASE}(?:futures|delivery)/[a-z]+/contracts", Operation.ACCOUNT, accounts.empty_list),
)
CHANNELS = ("spot.orders", "spot.usertrades")


class GateApi:
    """Gate.io's formats over an exchange of the synthetic pairs. `checks_time`: whether signatures expire."""

    host = HOST

    def __init__(self, now: Callable[[], datetime], prices: PriceSource, *, checks_time: bool = True) -> None:
        self._now, self._checks_time = now, checks_time
        first_id = milliseconds(now())
        rules = Rules(
            instruments=crypto_pairs(),
            currency="USDT",
            first_id=first_id,
            order_id=lambda count: str(first_id + count),
            default_client_id=lambda _: FROM_API,
            client_ids_are_unique=False,
            client_id_lifetime=CLIENT_ID_LIFETIME,
            margin=False,
        )
        self.exchange = Exchange(rules, prices, now)

    def operation(self, request: Request) -> Operation | None:
        """Classify a request; None when this API does not serve it."""
        private, public = find_route(PRIVATE, request), find_route(PUBLIC, request)
        return private[0].operation if private else public[0].operation if public else None

    def answer(self, request: Request, *, with_fills: bool) -> Reply:
        """Execute a request and return its reply."""
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            if public := find_route(PUBLIC, request):
                return public[0].answer(PublicCall(self.exchange, query, public[1]))
            account = self._authorized(request)
            if isinstance(account, Reply):
                return account
            if (private := find_route(PRIVATE, request)) is None:
                return _refusal(404, "URL_NOT_FOUND", f"sandbox does not speak {request.path}")
            call = Call(self.exchange, query, private[1], account, json_body(request), with_fills)
            return private[0].answer(call)
        except OrderRefused as refused:
            status, label, message = REFUSALS[refused.reason]
            if refused.facts.get("status") == Status.CANCELED:
                label, message = "ORDER_CANCELLED", "Order already cancelled"
            return _refusal(status, label, message.format(refused.message))

    def _authorized(self, request: Request) -> Account | Reply:
        """Return the account whose secret signed a request, or the refusal.

        The signature is the HMAC-SHA512 of five lines: method, path, decoded query, SHA-512 of the body, seconds.
        """
        headers, now = request.headers, self._now().timestamp()
        account = self.exchange.accounts.get(headers.get("key", ""))
        if account is None:
            return _refusal(401, "INVALID_KEY", "Invalid key provided")
        hashed = hashlib.sha512(request.body).hexdigest()
        timestamp = headers.get("timestamp", "")
        lines = [
            "\n".join([request.method, f"/{request.path}", query, hashed, timestamp])
            # Some clients sign the query as it is sent, others as it is decoded.
            for query in (request.query, unquote(request.query))
        ]
        if not any(_is_signed(account, line, headers.get("sign", "")) for line in lines):
            return _refusal(401, "INVALID_SIGNATURE", "Signature mismatch")
        expires = headers.get("x-gate-exptime", "")
        is_late = expires.isdigit() and now * 1000 > int(expires)
        is_far_off = not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE
        if is_late or (self._checks_time and is_far_off):
            return _refusal(403, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60")
        return account

    def over_limit(self, request: Request, limiter: Limiter) -> tuple[int, Mapping[str, str]]:
        """Count a request against the user's limits; return the seconds to wait and Gate.io's three headers."""
        operation, key = self.operation(request), request.headers.get("key", "")
        is_order = operation in (Operation.SUBMIT, Operation.REPLACE)
        limit, bucket = (ORDER_LIMIT, "orders") if is_order else (LIMIT, request.path)
        taken = limiter.take_from(limit, (f"{HOST}/{key}", bucket))
        figures = {
            "Requests-Remain": taken.remaining,
            "Limit": limit.capacity,
            "Reset-Timestamp": int(self._now().timestamp()) + taken.wait,
        }
        return taken.wait, {f"X-Gate-RateLimit-{name}": str(value) for name, value in figures.items()}

    def too_many(self, wait: int) -> Reply:
        """Gate.io's 429."""
        body = {"label": "TOO_MANY_REQUESTS", "message": "Request Rate Limit Exceeded"}
        return json_reply(body, status=429, headers={"Retry-After": str(wait)})

    def server_error(self, status: int) -> Reply:
        """Gate.io's 5xx."""
        return _refusal(status, "SERVER_ERROR" if status == 500 else "TOO_BUSY", "Internal server error")

    def messages(self, event: OrderEvent, feed: Feed) -> list[Message]:
        """Return the `spot.orders` and `spot.usertrades` messages of an event, if the stream subscribed to its pair."""
        messages: list[Message] = []
        if event.kind == "pending_new":  # an event of Alpaca's stream alone
            return messages
        user = self.exchange.accounts[event.order.account].number
        if event.fill is not None and _listens(feed, "spot.usertrades", event.order.ticket.symbol):
            row = trade_update(self.exchange, event.fill, user)
            messages.append(self._message("spot.usertrades", "update", result=[row]))
        if _listens(feed, "spot.orders", event.order.ticket.symbol):
            messages.append(self._message("spot.orders", "update", result=[order_update(self.exchange, event, user)]))
        return messages

    def receive(self, message: Message, feed: Feed) -> None:
        """Handle subscribe, unsubscribe and ping."""
        document = _document(message)
        channel, event, payload = (
            str(document.get("channel")),
            str(document.get("event")),
            document.get("payload") or [],
        )
        if channel == "spot.ping":
            feed.send(self._message("spot.pong", "", result=None))
            return
        error = self._subscription_error(document, channel, event, feed)
        if error is None and event == "subscribe":
            feed.channels.setdefault(channel, set()).update(map(str, payload))
        elif error is None:
            feed.channels.get(channel, set()).difference_update(map(str, payload))
        result = None if error else {"status": "success"}
        echo = {"id": document.get("id"), "payload": payload, "error": error}
        feed.send(self._message(channel, event, result=result, **echo))

    def _subscription_error(self, document: Json, channel: str, event: str, feed: Feed) -> Json | None:
        """Return the error of a subscription, or None; a valid signature assigns the stream to its account."""
        if channel not in CHANNELS or event not in ("subscribe", "unsubscribe"):
            return {"code": 2, "message": f"unknown channel or event: {channel} {event}"}
        auth = document.get("auth") or {}
        account = self.exchange.accounts.get(str(auth.get("KEY")))
        line = f"channel={channel}&event={event}&time={document.get('time')}"
        if account is None or not _is_signed(account, line, str(auth.get("SIGN"))):
            return {"code": 4, "message": '{"label":"INVALID_KEY","message":"Invalid key provided"}\n'}
        feed.account = account.key
        return None

    def _message(self, channel: str, event: str, *, result: object, **more: object) -> str:
        now = milliseconds(self._now())
        head = {"time": now // 1000, "time_ms": now, "channel": channel, "event": event}
        return json.dumps({**head, "error": None, **more, "result": result}, separators=(",", ":"))


def _refusal(status: int, label: str, message: str) -> Reply:
    return json_reply({"label": label, "message": message}, status=status)


def _is_signed(account: Account, line: str, signature: str) -> bool:
    expected = hmac.new(account.secret.encode(), line.encode(), hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _listens(feed: Feed, channel: str, symbol: str) -> bool:
    return not {"!all", symbol}.isdisjoint(feed.channels.get(channel, ()))


def _document(message: Message) -> Json:
    try:
        document = json.loads(message)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
