"""Gate.io's spot API v4 over the synthetic market: `api.gateio.ws/api/v4/spot/{candlesticks,trades,tickers}`.

Shapes and refusals as the provider sends them: candles are lists of 8 strings `[t, quote volume, close, high, low,
open, base volume, window closed]`, oldest first, `from` and `to` both inclusive, at most 1,000 a request and none more
than 10,000 points ago; trades are objects, newest first, paged. Intervals are those that divide a day, and `1d`, `7d`;
the venue's `10s` and `30d` (calendar months) are not spoken here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.candles import Bar, bars_until
from sandbox.market import PAIRS, SIZE_DECIMALS, Pair
from sandbox.tape import Quote, Trade, newest_quote, trades_newest_first
from sandbox.world import MICROSECOND, Reply, World, json_reply, microseconds

HOST = "api.gateio.ws"
SECONDS = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "4h": 14_400,
    "8h": 28_800,
    "1d": 86_400,
    "7d": 604_800,
}
MAXIMUM_POINTS = 1_000
MAXIMUM_POINTS_AGO = 10_000
MAXIMUM_TRADES = 1_000
DEFAULT_POINTS = 100
Endpoint = Callable[[World, Mapping[str, str]], Any]


class RefusedError(Exception):
    """A request the venue answers with 400: its label and its message."""

    def __init__(self, label: str, message: str) -> None:
        super().__init__(message)
        self.label, self.message = label, message


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the venue's API."""
    endpoints: Mapping[str, Endpoint] = {
        "api/v4/spot/candlesticks": candlesticks,
        "api/v4/spot/trades": trades,
        "api/v4/spot/tickers": tickers,
    }
    if path not in endpoints:
        return json_reply(
            {"label": "URL_NOT_FOUND", "message": f"sandbox speaks {', '.join(endpoints)}; not {path}"}, status=404
        )
    try:
        return json_reply(endpoints[path](world, query))
    except RefusedError as refused:
        return json_reply({"label": refused.label, "message": refused.message}, status=400)


def candlesticks(world: World, query: Mapping[str, str]) -> list[list[str]]:
    """The candles asked for, oldest first; nothing after now, the bar that holds now marked "false".

    Raises:
        RefusedError: as the venue refuses.
    """
    pair, now = _pair(query), microseconds(world.now())
    interval = SECONDS.get(query.get("interval", "30m"))
    if interval is None:
        raise RefusedError("INVALID_PARAM_VALUE", f"Invalid request parameter `interval` value: {query['interval']}")
    first, last = _window(query, interval, now // MICROSECOND)
    bars = bars_until(world.seed, pair.symbol, interval=interval * MICROSECOND, first=first, last=last, now=now)
    return [candle_row(pair, bar, closed=closed) for bar, closed in bars]


def _window(query: Mapping[str, str], interval: int, now: int) -> tuple[int, int]:
    """The first and last bar asked for, counted in intervals since the epoch."""
    if "limit" in query and ("from" in query or "to" in query):
        raise RefusedError(
            "INVALID_PARAM_VALUE", "Invalid request parameter `limit`: it conflicts with `from` and `to`"
        )
    limit = _number(query, "limit", default=DEFAULT_POINTS)
    if not 1 <= limit <= MAXIMUM_POINTS:
        raise RefusedError("INVALID_PARAM_VALUE", f"Invalid request parameter `limit` value: {limit}")
    last = _number(query, "to", default=now) // interval
    first = _number(query, "from", default=(last - limit + 1) * interval) // interval
    if last < first:
        raise RefusedError("INVALID_PARAM_VALUE", "Invalid time range: `from` is later than `to`")
    if last - first + 1 > MAXIMUM_POINTS:
        message = f"Candlestick range too broad. Maximum {MAXIMUM_POINTS} data points are allowed per request"
        raise RefusedError("INVALID_PARAM_VALUE", message)
    if now // interval - first + 1 > MAXIMUM_POINTS_AGO:
        raise RefusedError(
            "INVALID_PARAM_VALUE", f"Candlestick too long ago. Maximum {MAXIMUM_POINTS_AGO} points ago are allowed"
        )
    return first, last


def candle_row(pair: Pair, bar: Bar, *, closed: bool) -> list[str]:
    """One candle in the venue's order and precision (volumes with 8 decimals)."""
    quote_decimals = pair.price_decimals + SIZE_DECIMALS
    return [
        str(bar.start // MICROSECOND),
        decimal(bar.quote * 10 ** (8 - quote_decimals), 8),
        decimal(bar.close, pair.price_decimals),
        decimal(bar.high, pair.price_decimals),
        decimal(bar.low, pair.price_decimals),
        decimal(bar.open, pair.price_decimals),
        decimal(bar.size * 10 ** (8 - SIZE_DECIMALS), 8),
        "true" if closed else "false",
    ]


def trades(world: World, query: Mapping[str, str]) -> list[dict[str, str]]:
    """One page of trades in [from, to] (seconds), newest first; nothing after now.

    Raises:
        RefusedError: as the venue refuses.
    """
    pair, now = _pair(query), microseconds(world.now())
    limit, page = _number(query, "limit", default=100), _number(query, "page", default=1)
    if not 1 <= limit <= MAXIMUM_TRADES:
        raise RefusedError("INVALID_PARAM_VALUE", f"Invalid request parameter `limit` value: {limit}")
    if page < 1:
        raise RefusedError("INVALID_PARAM_VALUE", f"Invalid request parameter `page` value: {page}")
    until = min(now, _number(query, "to", default=now // MICROSECOND + 1) * MICROSECOND)
    since = _number(query, "from", default=0) * MICROSECOND
    found = trades_newest_first(world.seed, pair, since=since, until=until, skip=(page - 1) * limit, count=limit)
    return [trade_row(pair, trade) for trade in found]


def trade_row(pair: Pair, trade: Trade) -> dict[str, str]:
    """One trade as the venue prints it; `create_time_ms` is milliseconds with microseconds after the point."""
    return {
        "id": str(trade.number),
        "create_time": str(trade.time // MICROSECOND),
        "create_time_ms": f"{trade.time // 1000}.{trade.time % 1000:03d}000",
        "currency_pair": pair.symbol,
        "side": "buy" if trade.buy else "sell",
        "amount": decimal(trade.size, SIZE_DECIMALS),
        "price": decimal(trade.price, pair.price_decimals),
        "sequence_id": str(trade.sequence),
    }


def tickers(world: World, query: Mapping[str, str]) -> list[dict[str, str]]:
    """The ticker of a pair, its best bid and ask alone.

    Raises:
        RefusedError: as the venue refuses.
    """
    pair = _pair(query)
    quote = newest_quote(world, pair)
    bid, ask = (decimal(price, pair.price_decimals) for price in (quote.bid, quote.ask))
    bid_size, ask_size = (decimal(size, SIZE_DECIMALS) for size in (quote.bid_size, quote.ask_size))
    prices = {"lowest_ask": ask, "lowest_size": ask_size, "highest_bid": bid, "highest_size": bid_size}
    return [{"currency_pair": pair.symbol} | prices]


def book_ticker_row(pair: Pair, quote: Quote) -> dict[str, object]:
    """The best bid and ask as the venue's stream has them."""
    prices = {name: decimal(price, pair.price_decimals) for name, price in (("b", quote.bid), ("a", quote.ask))}
    sizes = {name: decimal(size, SIZE_DECIMALS) for name, size in (("B", quote.bid_size), ("A", quote.ask_size))}
    return {"t": quote.time // 1_000, "u": quote.number, "s": pair.symbol} | prices | sizes


def decimal(number: int, decimals: int) -> str:
    """A whole number of units of 10**-decimals in decimal notation, exactly."""
    unit = 10**decimals
    return f"{number // unit}.{number % unit:0{decimals}d}"


def _pair(query: Mapping[str, str]) -> Pair:
    symbol = query.get("currency_pair")
    if symbol is None:
        raise RefusedError("MISSING_REQUIRED_PARAM", "Missing required parameter: currency_pair")
    if symbol not in PAIRS:
        raise RefusedError("INVALID_CURRENCY_PAIR", f"Invalid currency pair {symbol}")
    return PAIRS[symbol]


def _number(query: Mapping[str, str], name: str, *, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise RefusedError("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value: {text}")
    return int(text)
