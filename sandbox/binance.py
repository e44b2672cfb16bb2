"""Binance's spot API over the synthetic market: `data-api.binance.vision/api/v3/{klines,aggTrades}` and
`ticker/bookTicker`.

Shapes and refusals as the provider sends them: candles are lists of 12, oldest first, the first `limit` that open from
`startTime` to `endTime` (milliseconds, both inclusive), their close time the last millisecond; the one that holds now
is still forming and bears no mark of it. Volumes of takers are 0: nothing here counts them. Trades are not aggregated:
each of the market's is one. `fromId` is not spoken here.
"""

from collections.abc import Mapping

from sandbox.candles import Bar, bars_until
from sandbox.gateio import Endpoint, decimal
from sandbox.market import MINUTE, PAIRS, SIZE_DECIMALS, TRADES_PER_MINUTE, Pair
from sandbox.tape import Quote, Trade, newest_quote, trades_newest_first, trades_oldest_first
from sandbox.world import Reply, World, json_reply, microseconds

HOST = "data-api.binance.vision"
SYMBOLS = {symbol.replace("_", ""): pair for symbol, pair in PAIRS.items()}
INTERVALS = {
    **{f"{minutes}m": minutes for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}h": hours * 60 for hours in (1, 2, 4, 6, 8, 12)},
    "1d": 1_440,
}
MILLISECOND = 1_000
DECIMALS = 8
DEFAULT_ROWS = 500
MAXIMUM_ROWS = 1_000


class RefusedError(Exception):
    """A request the venue answers with 400: its code and its message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the venue's API."""
    endpoints: Mapping[str, Endpoint] = {
        "api/v3/klines": klines,
        "api/v3/aggTrades": trades,
        "api/v3/ticker/bookTicker": book_ticker,
    }
    if path not in endpoints:
        return json_reply({"code": -1, "msg": f"sandbox speaks {', '.join(endpoints)}; not {path}"}, status=404)
    try:
        return json_reply(endpoints[path](world, query))
    except RefusedError as refused:
        return json_reply({"code": refused.code, "msg": refused.message}, status=400)


def klines(world: World, query: Mapping[str, str]) -> list[list[object]]:
    """The candles asked for, oldest first; nothing after now.

    Raises:
        RefusedError: as the venue refuses.
    """
    pair, now = _pair(query), microseconds(world.now())
    if query.get("interval") not in INTERVALS:
        raise RefusedError(-1120, "Invalid interval.")
    step = INTERVALS[query["interval"]] * MINUTE
    limit, since, until = _rows(query), _time(query, "startTime"), _time(query, "endTime")
    last = min(now if until is None else until, now) // step
    first = last - limit + 1 if since is None else -(-since // step)
    bars = bars_until(world.seed, pair.symbol, interval=step, first=first, last=min(last, first + limit - 1), now=now)
    return [kline(pair, bar, step, min(now, bar.start + step)) for bar, _ in bars]


def kline(pair: Pair, bar: Bar, step: int, seen_until: int) -> list[object]:
    """One candle; its trades are counted up to `seen_until` (microseconds since the epoch)."""
    quote = decimal(bar.quote * 10 ** (DECIMALS - pair.price_decimals - SIZE_DECIMALS), DECIMALS)
    prices = (
        decimal(price * 10 ** (DECIMALS - pair.price_decimals), DECIMALS)
        for price in (bar.open, bar.high, bar.low, bar.close)
    )
    volume = decimal(bar.size * 10 ** (DECIMALS - SIZE_DECIMALS), DECIMALS)
    count = (seen_until - bar.start) * TRADES_PER_MINUTE // MINUTE
    none = decimal(0, DECIMALS)
    closes = (bar.start + step) // MILLISECOND - 1
    return [bar.start // MILLISECOND, *prices, volume, closes, quote, count, none, none, "0"]


def trades(world: World, query: Mapping[str, str]) -> list[dict[str, object]]:
    """The first `limit` trades from `startTime` on, oldest first; with `endTime`, or without a start, the newest.

    With both ends the venue does not promise which of them it sends; that it sent the newest has been seen.

    Raises:
        RefusedError: as the venue refuses.
    """
    pair, now, limit = _pair(query), microseconds(world.now()), _rows(query)
    if "fromId" in query:
        raise RefusedError(-1, "fromId: not spoken by the sandbox")
    since, until = _time(query, "startTime"), _time(query, "endTime")
    # A time of the query is the whole of its millisecond.
    until = min(now, now if until is None else until + MILLISECOND - 1)
    if since is None or "endTime" in query:
        found = trades_newest_first(world.seed, pair, since=since or 0, until=until, skip=0, count=limit)[::-1]
    else:
        found = trades_oldest_first(world.seed, pair, since=since, until=until, count=limit)
    return [trade_row(pair, trade) for trade in found]


def trade_row(pair: Pair, trade: Trade) -> dict[str, object]:
    """One trade; `m`: the buyer was the maker, so that the taker sold."""
    return {
        "a": trade.number,
        "p": decimal(trade.price * 10 ** (DECIMALS - pair.price_decimals), DECIMALS),
        "q": decimal(trade.size * 10 ** (DECIMALS - SIZE_DECIMALS), DECIMALS),
        "f": trade.sequence,
        "l": trade.sequence,
        "T": trade.time // MILLISECOND,
        "m": not trade.buy,
        "M": True,
    }


def book_ticker(world: World, query: Mapping[str, str]) -> dict[str, str]:
    """The best bid and ask of a symbol.

    Raises:
        RefusedError: as the venue refuses.
    """
    pair = _pair(query)
    words = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
    row = _quote_row(pair, newest_quote(world, pair))
    return {"symbol": query["symbol"]} | {words[letter]: row[letter] for letter in words}


def book_ticker_message(pair: Pair, quote: Quote) -> dict[str, object]:
    """The best bid and ask as the venue's stream has them."""
    return {"u": quote.number, "s": pair.symbol.replace("_", "")} | _quote_row(pair, quote)


def _quote_row(pair: Pair, quote: Quote) -> dict[str, str]:
    price, size = 10 ** (DECIMALS - pair.price_decimals), 10 ** (DECIMALS - SIZE_DECIMALS)
    numbers = {"b": quote.bid * price, "B": quote.bid_size * size, "a": quote.ask * price, "A": quote.ask_size * size}
    return {letter: decimal(number, DECIMALS) for letter, number in numbers.items()}


def _pair(query: Mapping[str, str]) -> Pair:
    if query.get("symbol") not in SYMBOLS:
        raise RefusedError(-1121, "Invalid symbol.")
    return SYMBOLS[query["symbol"]]


def _rows(query: Mapping[str, str]) -> int:
    limit = _number(query, "limit")
    if limit == 0:
        raise RefusedError(-1130, "Data sent for parameter 'limit' is not valid.")
    return DEFAULT_ROWS if limit is None else min(limit, MAXIMUM_ROWS)


def _time(query: Mapping[str, str], name: str) -> int | None:
    """A time of the query in microseconds."""
    found = _number(query, name)
    return None if found is None else found * MILLISECOND


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise RefusedError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)
