"""Alpaca's Trading API v2 over the core, `paper-api.alpaca.markets/v2/...`, and its stream `trade_updates`."""

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from sandbox.limits import Limit, Limiter
from sandbox.venue import alpaca_accounts as accounts
from sandbox.venue import alpaca_orders as orders
from sandbox.venue.account import Account
from sandbox.venue.alpaca_format import identifier, update
from sandbox.venue.alpaca_refusals import refusal
from sandbox.venue.calls import Call, Request, Route, find_route, json_body
from sandbox.venue.exchange import Exchange, Rules
from sandbox.venue.faults import Operation
from sandbox.venue.feed import Feed, Message
from sandbox.venue.instruments import stocks
from sandbox.venue.orders import OrderEvent, OrderRefused
from sandbox.venue.prices import PriceSource
from sandbox.world import Reply, json_reply

HOST = "paper-api.alpaca.markets"
STREAM = "trade_updates"
LIMIT = Limit(200, 60)  # requests a minute of an account
ORDER, SYMBOL = "(?P<order_id>[^/]+)", "(?P<symbol>[^/]+)"
ROUTES = (
    Route("POST", "v2/orders", Operation.SUBMIT, orders.submit),
    Route("GET", "v2/orders", Operation.LIST, orders.list_orders),
    Route("DELETE", "v2/orders", Operation.CANCEL, orders.cancel_all),
    Route("GET", "v2/orders:by_client_order_id", Operation.LOOKUP, orders.by_client_id),
    Route("GET", f"v2/orders/{ORDER}", Operation.LOOKUP, orders.by_id),
    Route("PATCH", f"v2/orders/{ORDER}", Operation.REPLACE, orders.replace),
    Route("DELETE", f"v2/orders/{ORDER}", Operation.CANCEL, orders.cancel),
    Route("GET", "v2/account", Operation.ACCOUNT, accounts.account),
    Route("GET", "v2/account/activities(?:/FILL)?", Operation.LIST, accounts.fills),
    Route("GET", "v2/positions", Operation.ACCOUNT, accounts.positions),
    Route("DELETE", "v2/positions", Operation.SUBMIT, accounts.close_all_positions),
    Route("GET", f"v2/positions/{SYMBOL}", Operation.ACCOUNT, accounts.position),
    Route("DELETE", f"v2/positions/{SYMBOL}", Operation.SUBMIT, accounts.close_position),
    Route("GET", "v2/clock", Operation.ACCOUNT, accounts.clock),
    Route("GET", "v2/assets", Operation.ACCOUNT, accounts.assets),
    Route("GET", f"v2/assets/{SYMBOL}", Operation.ACCOUNT, accounts.asset),
)


class AlpacaApi:
    """Alpaca's formats over an exchange of stocks."""

    host = HOST

    def __init__(self, now: Callable[[], datetime], prices: PriceSource) -> None:
        # By the time: a venue that is started anew gives no id a second time.
        first_id = int(now().timestamp() * 1000)
        rules = Rules(
            instruments=stocks(),
            currency="USD",
            first_id=first_id,
            order_id=lambda count: identifier("order", first_id + count),
            default_client_id=lambda count: identifier("client", first_id + count),
            client_ids_are_unique=True,
            client_id_lifetime=None,
            margin=True,
        )
        self.exchange = Exchange(rules, prices, now)

    def operation(self, request: Request) -> Operation | None:
        """Classify a request; None when this API does not serve it."""
        match = find_route(ROUTES, request)
        return match[0].operation if match else None

    def answer(self, request: Request, *, with_fills: bool) -> Reply:
        """Execute a request and return its reply."""
        headers, match = request.headers, find_route(ROUTES, request)
        account = self.authorized(headers.get("apca-api-key-id", ""), headers.get("apca-api-secret-key", ""))
        if account is None:
            return json_reply({"code": 40110000, "message": "request is not authorized"}, status=401)
        if match is None:
            return json_reply({"code": 40410000, "message": "endpoint not found."}, status=404)
        route, parts = match
        query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        try:
            return route.answer(Call(self.exchange, query, parts, account, json_body(request), with_fills))
        except OrderRefused as refused:
            status, body = refusal(refused)
            return json_reply(body, status=status)

    def authorized(self, key: str, secret: str) -> Account | None:
        """Return the account of a key pair, or None."""
        account = self.exchange.accounts.get(key)
        # As bytes: of texts `compare_digest` takes ASCII only.
        return account if account and hmac.compare_digest(account.secret.encode(), secret.encode()) else None

    def over_limit(self, request: Request, limiter: Limiter) -> tuple[int, Mapping[str, str]]:
        """Count a request against its account's limit; return the seconds to wait and Alpaca's three headers."""
        taken = limiter.take_from(LIMIT, (HOST, request.headers.get("apca-api-key-id", "")))
        reset = int(self.exchange.now().timestamp()) + (taken.wait or 1)
        figures = {"Limit": LIMIT.capacity, "Remaining": taken.remaining, "Reset": reset}
        return taken.wait, {f"X-Ratelimit-{name}": str(value) for name, value in figures.items()}

    def too_many(self, wait: int) -> Reply:
        """Alpaca's 429."""
        body = {"code": 42910000, "message": "rate limit exceeded"}
        return json_reply(body, status=429, headers={"Retry-After": str(wait)})

    def server_error(self, status: int) -> Reply:
        """Alpaca's 5xx."""
        return json_reply({"code": status * 100_000, "message": "internal server error occurred"}, status=status)

    def messages(self, event: OrderEvent, feed: Feed) -> list[Message]:
        """Return the `trade_updates` message of an event, if the stream listens to that channel."""
        return [encoded(update(self.exchange, event), feed)] if STREAM in feed.channels else []

    def receive(self, message: Message, feed: Feed) -> None:
        """Authenticate a stream (as documented, or as alpaca-py does) or set its channels."""
        document = decoded(message, feed)
        inner = document.get("data")
        data: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
        match document.get("action"):
            case "auth" | "authenticate":
                key = document.get("key") or data.get("key_id")
                secret = document.get("secret") or data.get("secret_key")
                account = self.authorized(str(key), str(secret))
                feed.account = account.key if account else None
                status = "authorized" if account else "unauthorized"
                self._send("authorization", {"status": status, "action": "authenticate"}, feed)
            case "listen" if feed.account is None:
                self._send("authorization", {"status": "unauthorized", "action": "listen"}, feed)
            case "listen":
                feed.channels = {STREAM: set()} if STREAM in (data.get("streams") or ()) else {}
                self._send("listening", {"streams": list(feed.channels)}, feed)
            case _:
                feed.send(encoded({"action": "error", "data": {"error_message": "invalid request"}}, feed))

    def _send(self, stream: str, data: Mapping[str, object], feed: Feed) -> None:
        feed.send(encoded({"stream": stream, "data": data}, feed))


def encoded(document: Mapping[str, object], feed: Feed) -> bytes:
    """Encode a message for a binary frame, as JSON or MessagePack."""
    if feed.is_packed:
        import msgpack

        return bytes(msgpack.packb(document))
    return json.dumps(document, separators=(",", ":")).encode()


def decoded(message: Message, feed: Feed) -> Mapping[str, Any]:
    """Decode a client's message; {} when it is malformed."""
    try:
        if feed.is_packed and isinstance(message, bytes):
            import msgpack

            document = msgpack.unpackb(message)
        else:
            document = json.loads(message)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
