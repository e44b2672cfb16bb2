"""What Alpaca says of a whole account. Formats: its Trading API v2 reference, `Accounts`, `Positions`, `Activities`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strades_pipelines.brokerage.brokers.alpaca.mapping import (
    Document,
    order_terms,
    placed_at,
    venue_fill,
    venue_order,
)
from strades_pipelines.brokerage.brokers.figures import figure, identifier
from strades_pipelines.brokerage.brokers.venue import AccountFill, AccountOrder, Holding, VenueAccount
from strades_pipelines.market.order_states import OrderState


@dataclass(frozen=True, slots=True)
class Statement:
    """The answers to several requests, as they came.

    Args:
        recent: orders of every status, placed since a time; `open_orders` those that are open, whenever placed.
        fills: activities FILL, oldest first.
    """

    recent: Sequence[Document]
    open_orders: Sequence[Document]
    fills: Sequence[Document]
    account: Document
    positions: Sequence[Document]


def venue_account(statement: Statement, symbols: Mapping[int, str]) -> VenueAccount:
    """The account in our words.

    Args:
        symbols: of the listings that are known, by their id.

    Raises:
        KeyError, TypeError, ValueError, ArithmeticError, AttributeError: for a document that lacks what it must have.
    """
    listings = {symbol: listing_id for listing_id, symbol in symbols.items()}
    known = [*statement.recent, *statement.open_orders]
    client_ids = {identifier(one["id"]): str(one.get("client_order_id") or "") for one in known}
    return VenueAccount(
        orders=tuple(_order(document, listings) for document in statement.open_orders),
        fills=tuple(_fill(activity, listings, client_ids) for activity in statement.fills),
        cash={identifier(statement.account["currency"]): figure(statement.account["cash"])},
        holdings=tuple(_holding(document, listings) for document in statement.positions if figure(document["qty"])),
    )


def _order(document: Document, listings: Mapping[str, int]) -> AccountOrder:
    order, symbol = venue_order(document, (), None), identifier(document["symbol"])
    if order.state is OrderState.UNKNOWN:
        raise ValueError(order.reason)
    return AccountOrder(order, symbol, listings.get(symbol), order_terms(document), placed_at(document))


def _fill(activity: Document, listings: Mapping[str, int], client_ids: Mapping[str, str]) -> AccountFill:
    order_id, symbol = identifier(activity["order_id"]), identifier(activity["symbol"])
    side = "buy" if activity["side"] == "buy" else "sell"  # `sell_short` too
    client_id = client_ids.get(order_id) or None
    return AccountFill(venue_fill(activity), order_id, client_id, symbol, listings.get(symbol), side)


def _holding(document: Document, listings: Mapping[str, int]) -> Holding:
    """A position; one that is short has a quantity below zero."""
    symbol = identifier(document["symbol"])
    return Holding(symbol, listings.get(symbol), figure(document["qty"]))
