"""The arguments of ccxt's `create_order` for an order of ours."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.brokers.ccxt.client import Client
from strades_pipelines.brokerage.brokers.ccxt.mapping import order_parameters
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, NotSent, RateLimited, Rejected
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_terms import Order

Market = Mapping[str, Any]
# How much worse than the last price a market purchase may end where the venue takes no number of units for one.
WORST_PRICE = Decimal("1.02")


def order_arguments(client: Client, order: Order, market: Market) -> list[Any]:
    """Symbol, type, side, amount, price and parameters.

    Some venues take a sum of money for a market purchase, not units (Gate.io, its `amount`): an order for units is
    there one with a limit a little worse than the last price, which does not stay in the book.

    Args:
        market: ccxt's description of it.

    Raises:
        Rejected: the venue would round a figure; it is not rounded here.
        NotSent: there is no price to derive the limit of a market purchase from.
        BrokerError: the venue does not answer.
    """
    terms, kind, parameters = order.terms, order.terms.order_type, order_parameters(order.intent_id, order.terms)
    price = terms.limit
    if kind == "market" and order.side == "buy" and _takes_money(client, market):
        kind, price = "limit", _worst_price(client, market)
        parameters["timeInForce"] = "FOK" if terms.time_in_force == "fok" else "IOC"
    _check_precision(client, "amount", order.quantity, market)
    if terms.limit is not None:
        _check_precision(client, "price", terms.limit, market)
    return [
        market["symbol"],
        kind,
        order.side,
        plain(order.quantity),
        plain(price) if price is not None else None,
        parameters,
    ]


def _takes_money(client: Client, market: Market) -> bool:
    features = client.exchange.features or {}
    return bool(((features.get(market["type"]) or {}).get("createOrder") or {}).get("marketBuyRequiresPrice"))


def _worst_price(client: Client, market: Market) -> Decimal:
    try:
        ticker = client.call("fetch_ticker", market["symbol"])
        price = Decimal(ticker.get("ask") or ticker["last"]) * WORST_PRICE
        return Decimal(client.call("price_to_precision", market["symbol"], plain(price)))
    # As it is: `retry_after` would be lost in a NotSent.
    except RateLimited:
        raise
    except (BrokerError, ArithmeticError, TypeError, KeyError) as error:
        raise NotSent(f"no price of {market['symbol']}: {error}") from error


def _check_precision(client: Client, name: str, figure: Decimal, market: Market) -> None:
    sent = Decimal(client.call(f"{name}_to_precision", market["symbol"], plain(figure)))
    if sent != figure:
        raise Rejected(f"ccxt:{client.exchange.id}: {name}: {plain(figure)} is finer than {market['symbol']} has it")
