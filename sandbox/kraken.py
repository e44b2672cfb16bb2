"""Kraken's spot API over the synthetic market: `api.kraken.com/0/public/{OHLC,Trades,Ticker}`.

Bodies and errors are as the provider sends them. Every answer is `{"error": [...], "result": {...}}`; errors have HTTP
status 200. Bars are `[t, o, h, l, c, vwap, volume, count]`: the newest 720 whatever `since` is, the last one still
forming. Trades are those after `since` (nanoseconds, or seconds), oldest first; `last` is the `since` of the next page.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.candles import Bar, bars_until
from sandbox.gateio import decimal
from sandbox.market import MINUTE, PAIRS, SIZE_DECIMALS, TRADES_PER_MINUTE, Pair
from sandbox.tape import Quote, Trade, newest_quote, trades_newest_first, trades_oldest_first
from sandbox.world import MICROSECOND, Reply, World, iso, json_reply, microseconds

HOST = "api.kraken.com"
SYMBOLS = {symbol.replace("_", "").replace("BTC", "XBT"): pair for symbol, pair in PAIRS.items()}
STREAM_SYMBOLS = {symbol.replace("_", "/"): pair for symbol, pair in PAIRS.items()}  # REST takes them too
INTERVALS = ("1", "5", "15", "30", "60", "240", "1440", "10080")
BARS = 720
MAXIMUM_TRADES = 1_000
SECONDS_BELOW = 10**12  # a smaller `since` is in seconds


class RefusedError(Exception):
    """A request that the venue answers with an error in the body."""


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the venue's API."""
    endpoints = {"0/public/OHLC": ohlc, "0/public/Trades": trades, "0/public/Ticker": ticker}
    try:
        if path not in endpoints:
            raise RefusedError("EGeneral:Unknown method")
        symbol = query.get("pair", "").replace("/", "").replace("BTC", "XBT")
        if symbol not in SYMBOLS:
            raise RefusedError("EQuery:Unknown asset pair")
        return json_reply({"error": [], "result": endpoints[path](world, symbol, query)})
    except RefusedError as refused:
        return json_reply({"error": [str(refused)]}, status=404 if path not in endpoints else 200)


def ohlc(world: World, symbol: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The newest bars, oldest first, and the time of the last one that has closed.

    Raises:
        RefusedError: a parameter that the venue refuses.
    """
    if query.get("interval", "1") not in INTERVALS:
        raise RefusedError("EGeneral:Invalid arguments")
    pair, now = SYMBOLS[symbol], microseconds(world.now())
    step = int(query.get("interval", "1")) * MINUTE
    last = now // step
    bars = bars_until(world.seed, pair.symbol, interval=step, first=last - BARS + 1, last=last, now=now)
    since = _number(query, "since")
    rows = [row for bar, _ in bars if (row := bar_row(pair, bar, min(now, bar.start + step)))[0] > since]
    # The last one is still forming.
    return {symbol: rows, "last": bars[-2][0].start // MICROSECOND}


def bar_row(pair: Pair, bar: Bar, seen_until: int) -> list[Any]:
    """One bar; its trades are counted up to `seen_until` (microseconds since the epoch)."""
    opened, high, low, close = (
        decimal(price, pair.price_decimals) for price in (bar.open, bar.high, bar.low, bar.close)
    )
    average = decimal(bar.quote // bar.size if bar.size else 0, pair.price_decimals)
    volume = decimal(bar.size * 10 ** (8 - SIZE_DECIMALS), 8)
    count = (seen_until - bar.start) * TRADES_PER_MINUTE // MINUTE
    return [bar.start // MICROSECOND, opened, high, low, close, average, volume, count]


def trades(world: World, symbol: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Up to `count` trades after `since`, oldest first; the newest if `since` is missing or 0.

    Raises:
        RefusedError: a parameter that the venue refuses.
    """
    pair, now = SYMBOLS[symbol], microseconds(world.now())
    count, since = _number(query, "count", MAXIMUM_TRADES), _number(query, "since")
    if not 1 <= count <= MAXIMUM_TRADES:
        raise RefusedError("EGeneral:Invalid arguments:count")
    if since:
        after = since * MICROSECOND if since < SECONDS_BELOW else since // 1_000
        found = trades_oldest_first(world.seed, pair, since=after + 1, until=now, count=count)
    else:
        found = trades_newest_first(world.seed, pair, since=0, until=now, skip=0, count=count)[::-1]
    last = found[-1].time * 1_000 if found else since
    return {symbol: [trade_row(pair, trade) for trade in found], "last": str(last)}


def trade_row(pair: Pair, trade: Trade) -> list[Any]:
    """One trade: price, volume, time in seconds, side, order type, empty miscellaneous field, id."""
    return [
        decimal(trade.price, pair.price_decimals),
        decimal(trade.size * 10 ** (8 - SIZE_DECIMALS), 8),
        trade.time / MICROSECOND,
        "b" if trade.buy else "s",
        "m",
        "",
        trade.sequence,
    ]


def ticker(world: World, symbol: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Best bid and ask: each its price, the units at it rounded down to a whole one, and as they are."""
    pair = SYMBOLS[symbol]
    quote = newest_quote(world, pair)
    sides = {"a": (quote.ask, quote.ask_size), "b": (quote.bid, quote.bid_size)}
    lot = 10**SIZE_DECIMALS
    return {
        symbol: {
            side: [decimal(price, pair.price_decimals), str(size // lot), decimal(size, SIZE_DECIMALS)]
            for side, (price, size) in sides.items()
        }
    }


def trade_message(pair: Pair, trade: Trade) -> dict[str, Any]:
    """A trade as the venue's stream (v2) has it: numbers, and a time with microseconds."""
    return {
        "symbol": pair.symbol.replace("_", "/"),
        "side": "buy" if trade.buy else "sell",
        "price": trade.price / 10**pair.price_decimals,
        "qty": trade.size / 10**SIZE_DECIMALS,
        "ord_type": "market",
        "trade_id": trade.sequence,
        "timestamp": iso(trade.time),
    }


def ticker_message(pair: Pair, quote: Quote) -> dict[str, Any]:
    """The best bid and ask as the venue's stream (v2) has them, without a time."""
    tick, lot = 10**pair.price_decimals, 10**SIZE_DECIMALS
    bid = {"bid": quote.bid / tick, "bid_qty": quote.bid_size / lot}
    return {"symbol": pair.symbol.replace("_", "/")} | bid | {"ask": quote.ask / tick, "ask_qty": quote.ask_size / lot}


def _number(query: Mapping[str, str], name: str, default: int = 0) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise RefusedError("EGeneral:Invalid arguments")
    return int(text)
