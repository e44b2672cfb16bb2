"""Admin endpoints of the venues, `/-/venue/...`: state, faults, prices, accounts, session, limits.

Every body names its venue: `alpaca` or `gate`. The request guard of `/-/` refuses cross-site requests.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.venue import execution
from sandbox.venue.decimals import plain
from sandbox.venue.faults import FaultRuleError, fault_rule
from sandbox.venue.venue import Venue

Document = dict[str, Any]


class ControlError(ValueError):
    """An invalid body: the key, what was expected, what was found."""


def routes(venues: Mapping[str, Venue]) -> list[Route]:
    """Return the endpoints over venues by name."""

    def switch(change: Callable[[Venue, Document], None]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def answer(request: Request) -> JSONResponse:
            try:
                document = await request.json()
                if not isinstance(document, dict) or document.get("venue") not in venues:
                    raise ControlError(f"venue: expected one of {', '.join(venues)}")
                change(venues[document.pop("venue")], document)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=400)
            return JSONResponse(states(venues))

        return answer

    async def show(_: Request) -> JSONResponse:
        return JSONResponse(states(venues))

    async def clear_faults(_: Request) -> JSONResponse:
        for venue in venues.values():
            venue.faults.rules.clear()
        return JSONResponse(states(venues))

    changes = {"accounts": open_account, "prices": set_price, "session": set_session, "limits": set_limits}
    return [
        Route("/-/venue", show),
        Route("/-/venue/faults", clear_faults, methods=["DELETE"]),
        Route("/-/venue/faults", switch(add_fault), methods=["POST"]),
        *(Route(f"/-/venue/{name}", switch(change), methods=["POST"]) for name, change in changes.items()),
    ]


def states(venues: Mapping[str, Venue]) -> Document:
    """Return the state of each venue."""
    return {name: state(venue) for name, venue in venues.items()}


def state(venue: Venue) -> Document:
    """Return a venue's balances, counts and faults as JSON."""
    exchange, faults = venue.exchange, venue.faults
    balances = {
        key: {asset: plain(amount) for asset, amount in account.balances.items()}
        for key, account in exchange.accounts.items()
    }
    rules = [{**asdict(rule), "operations": sorted(rule.operations)} for rule in faults.rules]
    return {
        "host": venue.api.host,
        "now": venue.now().isoformat(),
        "seed": venue.seed,
        "limits_are_on": venue.limits_are_on,
        "session_is_open": exchange.session_is_open,
        "accounts": balances,
        "orders": len(exchange.orders),
        "working": len(exchange.working),
        "fills": len(exchange.fills),
        "streams": len(venue.feeds),
        "faults": rules,
        "counts": {kind.value: count for kind, count in faults.counts.items() if count},
    }


def add_fault(venue: Venue, document: Document) -> None:
    """Add a fault rule: `{"venue", "kind", "operations", "chance", "times", "seconds", "status"}`."""
    try:
        venue.faults.rules.append(fault_rule(document))
    except FaultRuleError as error:
        raise ControlError(str(error)) from None


def open_account(venue: Venue, document: Document) -> None:
    """Open or reset an account: `{"venue", "key", "secret", "balances": {"USD": "1"}, "multiplier"}`."""
    key, secret, balances = document.get("key"), document.get("secret"), document.get("balances")
    if not isinstance(key, str) or not key or not isinstance(secret, str) or not isinstance(balances, dict):
        raise ControlError("expected key and secret as text and balances as an object")
    amounts = {str(asset): _number(amount, f"balances.{asset}") for asset, amount in balances.items()}
    venue.exchange.open_account(key, secret, amounts, _number(document.get("multiplier", "1"), "multiplier"))


def set_price(venue: Venue, document: Document) -> None:
    """Hold an instrument's price, or release it with null: `{"venue", "symbol", "price", "size"}`."""
    symbol, price, size = str(document.get("symbol")), document.get("price"), document.get("size")
    if symbol not in venue.exchange.rules.instruments:
        raise ControlError(f"symbol: expected one of {', '.join(venue.exchange.rules.instruments)}, was {symbol!r}")
    if price is None:
        execution.release_price(venue.exchange, symbol)
    else:
        at_most = None if size is None else _number(size, "size")
        execution.hold_price(venue.exchange, symbol, _number(price, "price"), at_most)


def set_session(venue: Venue, document: Document) -> None:
    """Open or close the trading session: `{"venue", "open": true}`."""
    if not isinstance(document.get("open"), bool):
        raise ControlError(f"open: expected true or false, was {document.get('open')!r}")
    (execution.open_session if document["open"] else execution.close_session)(venue.exchange)


def set_limits(venue: Venue, document: Document) -> None:
    """Switch the rate limits on or off: `{"venue", "on": false}`."""
    if not isinstance(document.get("on"), bool):
        raise ControlError(f"on: expected true or false, was {document.get('on')!r}")
    venue.limits_are_on = document["on"]


def _number(value: object, name: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ControlError(f"{name}: expected a number, was {value!r}") from None
    if not number.is_finite() or number < 0:
        raise ControlError(f"{name}: expected a number from 0, was {value!r}")
    return number
