"""A request of a known endpoint and account, and how its route and its numbers are read."""

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

SMALLEST, LARGEST = -18, 15  # decimal exponents of numbers that are taken: products of two stay exact


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` is below the host, without the leading slash; header names are in lower case."""

    method: str
    path: str
    query: str  # as it came, percent-encoded
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class PublicCall:
    """A request after its endpoint was found."""

    exchange: Exchange
    query: Mapping[str, str]
    parts: Mapping[str, str]  # of the path


@dataclass(frozen=True)
class Call(PublicCall):
    """A request of an account."""

    account: Account
    body: Mapping[str, Any]
    with_fills: bool  # the answer to a new order may have its fills


C = TypeVar("C", bound=PublicCall)


@dataclass(frozen=True)
class Route(Generic[C]):
    """An endpoint: a method, a pattern of the whole path, what it does and who answers."""

    method: str
    pattern: str
    operation: Operation
    answer: Callable[[C], Reply]


def find_route(routes: Iterable[Route[C]], request: Request) -> tuple[Route[C], Mapping[str, str]] | None:
    """The first route of a request and the named parts of its path; None when there is none."""
    for route in routes:
        if route.method == request.method and (found := re.fullmatch(route.pattern, unquote(request.path))):
            return route, found.groupdict()
    return None


def json_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of a request that has a body, its numbers exact.

    Raises:
        OrderRefused: when it is no JSON object.
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
    """A finite number of a JSON document, exactly as it was written; None where it is missing.

    Raises:
        OrderRefused: when it is no number.
    """
    value = document.get(name)
    if value is None or value == "":
        return None
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        raise OrderRefused(Reason.INVALID, f"{name} must be a number") from None
    if isinstance(value, bool) or not read.is_finite():
        raise OrderRefused(Reason.INVALID, f"{name} must be a number")
    if read and not SMALLEST <= read.adjusted() <= LARGEST:
        raise OrderRefused(Reason.INVALID, f"{name} is out of range")
    return read


def row_count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """How many rows a query asks for, at most `most`.

    Raises:
        OrderRefused: when it asks for less than one.
    """
    count = int(number(query, name) or default)
    if count < 1:
        raise OrderRefused(Reason.INVALID, f"{name} must be > 0")
    return min(count, most)
