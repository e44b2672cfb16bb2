"""Requests and their parsing: routes, JSON bodies, numbers."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

from sandbox.venue.account import Account
from sandbox.venue.exchange import Exchange
from sandbox.venue.faults import Operation
from sandbox.venue.orders import OrderRefused, Reason
from sandbox.world import Reply

SMALLEST, LARGEST = -18, 15  # decimal exponents of accepted numbers: products of two stay exact


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` is below the host, without the leading slash; header names are in lower case."""

    method: str
    path: str
    query: str  # percent-encoded, as received
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class PublicCall:
    """A routed request."""

    exchange: Exchange
    query: Mapping[str, str]
    parts: Mapping[str, str]  # of the path


@dataclass(frozen=True)
class Call(PublicCall):
    """A routed and authenticated request."""

    account: Account
    body: Mapping[str, Any]
    with_fills: bool  # match a new order before replying


C = TypeVar("C", bound=PublicCall)


@dataclass(frozen=True)
class Route(Generic[C]):
    """An endpoint: method, pattern of the whole path, operation and handler."""

    method: str
    pattern: str
    operation: Operation
    answer: Callable[[C], Reply]


def find_route(routes: Iterable[Route[C]], request: Request) -> tuple[Route[C], Mapping[str, str]] | None:
    """Return the first matching route and the named groups of its path, or None."""
    for route in routes:
        if route.method == request.method and (match := re.fullmatch(route.pattern, unquote(request.path))):
            return route, match.groupdict()
    return None


def json_body(request: Request) -> Mapping[str, Any]:
    """Parse the JSON object of a POST or PATCH; numbers become exact decimals.

    Raises:
        OrderRefused: if the body is not a JSON object.
    """
    if request.method not in ("POST", "PATCH"):
        return {}
    try:
        document = json.loads(request.body or b"{}", parse_float=Decimal)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise OrderRefused(Reason.INVALID, "request body format is invalid")
    return document


def number(document: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a finite number of a document exactly as written, or None where it is missing.

    Raises:
        OrderRefused: if it is not a number, or out of range.
    """
    value = document.get(name)
    if value is None or value == "":
        return None
    try:
        parsed = Decimal(str(value))
    except InvalidOperation:
        raise OrderRefused(Reason.INVALID, f"{name} must be a number") from None
    if isinstance(value, bool) or not parsed.is_finite():
        raise OrderRefused(Reason.INVALID, f"{name} must be a number")
    if parsed and not SMALLEST <= parsed.adjusted() <= LARGEST:
        raise OrderRefused(Reason.INVALID, f"{name} is out of range")
    return parsed


def row_count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return the number of rows that a query requests, at most `most`.

    Raises:
        OrderRefused: if it is less than one.
    """
    count = int(number(query, name) or default)
    if count < 1:
        raise OrderRefused(Reason.INVALID, f"{name} must be > 0")
    return min(count, most)
