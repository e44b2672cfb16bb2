"""Coinbase Exchange over the synthetic market: `api.exchange.coinbase.com/products/<id>/{candles,trades,ticker}`.

Shapes and refusals as the provider sends them: candles are lists of numbers `[t, LOW, high, open, close, volume]`,
newest first, at most 300 a request, from `start` to `end` (ISO 8601); trades are objects, newest first, with the
**maker's** side. Pages of trades (`after`) are not spoken here.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.candles import bars_until
from sandbox.gateio import decimal
from sandbox.market import PAIRS, SIZE_DECIMALS, Pair
from sandbox.tape import Quote, Trade, quote_after, trades_newest_first
from sandbox.world import MICROSECOND, Reply, World, iso, json_reply, microseconds

HOST = "api.exchange.coinbase.com"
PRODUCTS = {symbol.replace("_", "-"): pair for symbol, pair in PAIRS.items()}
GRANULARITIES = ("60", "300", "900", "3600", "21600", "86400")
MAXIMUM_CANDLES = 300
MAXIMUM_TRADES = 1_000


class RefusedError(Exception):
    """A request the venue answers with 400 and a message."""


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the venue's API."""
    match path.split("/"):
        case ["products", product, "candles" | "trades" | "ticker" as what] if product in PRODUCTS:
            endpoints: Mapping[str, Callable[[World, Pair, Mapping[str, str]], Any]]
            endpoints = {"candles": candles, "trades": trades, "ticker": ticker}
            listed = endpoints[what]
        case _:
            return json_reply({"message": "NotFound"}, status=404)
    try:
        return json_reply(listed(world, PRODUCTS[product], query))
    except RefusedError as refused:
        return json_reply({"message": str(refused)}, status=400)


def candles(world: World, pair: Pair, query: Mapping[str, str]) -> list[list[float]]:
    """The candles asked for, newest first; without both ends the newest; the first may still be forming.

    Raises:
        RefusedError: as the venue refuses.
    """
    if query.get("granularity", "60") not in GRANULARITIES:
        raise RefusedError("Unsupported granularity")
    step = int(query.get("granularity", "60")) * MICROSECOND
    now = microseconds(world.now())
    last = now // step
    first = last - MAXIMUM_CANDLES + 1
    if "start" in query and "end" in query:
        first, last = _time(query, "start") // step, _time(query, "end") // step
    if last - first + 1 > MAXIMUM_CANDLES:
        raise RefusedError(
            "granularity too small for the requested time range. Count of aggregations requested exceeds 300"
        )
    bars = bars_until(world.seed, pair.symbol, interval=step, first=first, last=last, now=now)
    unit, lot = 10**pair.price_decimals, 10**SIZE_DECIMALS
    return [
        [
            bar.start // MICROSECOND,
            *(price / unit for price in (bar.low, bar.high, bar.open, bar.close)),
            bar.size / lot,
        ]
        for bar, _ in reversed(bars)
    ]


def trades(world: World, pair: Pair, query: Mapping[str, str]) -> list[dict[str, object]]:
    """The newest trades, newest first.

    Raises:
        RefusedError: as the venue refuses.
    """
    limit = query.get("limit", "1000")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MAXIMUM_TRADES):
        raise RefusedError("Invalid limit")
    now = microseconds(world.now())
    found = trades_newest_first(world.seed, pair, since=0, until=now, skip=0, count=int(limit))
    return [trade_row(pair, trade) for trade in found]


def trade_row(pair: Pair, trade: Trade) -> dict[str, object]:
    """One trade as the venue prints it."""
    return {
        "trade_id": trade.sequence,
        "side": "sell" if trade.buy else "buy",
        "size": decimal(trade.size * 10 ** (8 - SIZE_DECIMALS), 8),
        "price": decimal(trade.price * 10 ** (8 - pair.price_decimals), 8),
        "time": iso(trade.time),
    }


def ticker(world: World, pair: Pair, query: Mapping[str, str]) -> dict[str, object]:
    """The newest trade with the best bid and ask, of which no size is said."""
    now = microseconds(world.now())
    [newest] = trades_newest_first(world.seed, pair, since=0, until=now, skip=0, count=1)
    prices = ticker_row(pair, quote_after(newest))
    return trade_row(pair, newest) | {"bid": prices["best_bid"], "ask": prices["best_ask"]}


def ticker_row(pair: Pair, quote: Quote) -> dict[str, str]:
    """The best bid and ask as the venue's stream has them."""
    price, size = 10 ** (8 - pair.price_decimals), 10 ** (8 - SIZE_DECIMALS)
    numbers = {
        "best_bid": quote.bid * price,
        "best_bid_size": quote.bid_size * size,
        "best_ask": quote.ask * price,
        "best_ask_size": quote.ask_size * size,
    }
    return {name: decimal(number, 8) for name, number in numbers.items()} | {"time": iso(quote.time)}


def _time(query: Mapping[str, str], name: str) -> int:
    """A time of the query in microseconds since the epoch."""
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise RefusedError(f"Invalid {name}") from None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
