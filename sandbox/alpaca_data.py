"""Alpaca's crypto data over the synthetic market: `data.alpaca.markets/v1beta3/crypto/us/{trades,quotes,bars}`.

Answers are `{"trades": {"BTC/USDT": [...]}, "next_page_token": ...}`, oldest first, at most `limit` (10,000) rows from
`start` to `end` (both inclusive, RFC 3339); a token that is null says that the page is the last. An object without the
symbol says that there is nothing. Trades have the taker's side (`tks`), quotes no number.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.candles import Bar, bars_until
from sandbox.market import MINUTE, PAIRS, SIZE_DECIMALS, TRADES_PER_MINUTE, Pair
from sandbox.tape import Quote, Trade, quote_after, trades_oldest_first
from sandbox.world import Reply, World, iso, json_reply, microseconds

HOST = "data.alpaca.markets"
SYMBOLS = {symbol.replace("_", "/"): pair for symbol, pair in PAIRS.items()}
TIMEFRAMES = {"1Min": 1, "5Min": 5, "15Min": 15, "30Min": 30, "1Hour": 60, "1Day": 1_440}
MAXIMUM_ROWS = 10_000
PATH = "v1beta3/crypto/us/"


class RefusedError(Exception):
    """A request that the venue answers with 400 and a message."""


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host) of the venue's API."""
    kind = path.removeprefix(PATH)
    if not path.startswith(PATH) or kind not in ("trades", "quotes", "bars"):
        return json_reply({"message": "endpoint not found."}, status=404)
    try:
        symbol = query.get("symbols", "")
        if symbol not in SYMBOLS:
            raise RefusedError(f"invalid symbol: {symbol}")
        rows, token = _page(world, SYMBOLS[symbol], kind, query)
    except RefusedError as refused:
        return json_reply({"message": str(refused)}, status=400)
    return json_reply({kind: {symbol: rows} if rows else {}, "next_page_token": token})


def _page(world: World, pair: Pair, kind: str, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page and the token of the next one: the time of its last row, and how many of that time it has."""
    now, limit = microseconds(world.now()), page_limit(query)
    since, until = query_time(query, "start", 0), min(query_time(query, "end", now), now)
    token = query.get("page_token")
    since = since if token is None else int(token) + 1
    if kind == "bars":
        step = _step(query)
        # Rounded up: the first bar that opens at `since` or later.
        first, last = -(-since // step), until // step
        bars = bars_until(world.seed, pair.symbol, interval=step, first=first, last=min(last, first + limit), now=now)
        found = [(bar.start, bar_row(pair, bar, step, now)) for bar, _ in bars]
    else:
        # One more than a page has tells whether there is another.
        trades = trades_oldest_first(world.seed, pair, since=since, until=until, count=limit + 1)
        made = [trade_row(pair, trade) if kind == "trades" else quote_row(pair, quote_after(trade)) for trade in trades]
        found = [(trade.time, row) for trade, row in zip(trades, made, strict=True)]
    rows = [row for _, row in found[:limit]]
    return rows, str(found[limit - 1][0]) if len(found) > limit else None


def trade_row(pair: Pair, trade: Trade) -> dict[str, Any]:
    """One trade."""
    price, size = trade.price / 10**pair.price_decimals, trade.size / 10**SIZE_DECIMALS
    return {"t": iso(trade.time), "p": price, "s": size, "tks": "B" if trade.buy else "S", "i": trade.number}


def quote_row(pair: Pair, quote: Quote) -> dict[str, Any]:
    """The best bid and ask."""
    tick, lot = 10**pair.price_decimals, 10**SIZE_DECIMALS
    bid = {"bp": quote.bid / tick, "bs": quote.bid_size / lot}
    return {"t": iso(quote.time)} | bid | {"ap": quote.ask / tick, "as": quote.ask_size / lot}


def bar_row(pair: Pair, bar: Bar, step: int, now: int) -> dict[str, Any]:
    """One bar of `step` microseconds; its trades are counted up to `now`."""
    tick, lot = 10**pair.price_decimals, 10**SIZE_DECIMALS
    prices = {"o": bar.open / tick, "h": bar.high / tick, "l": bar.low / tick, "c": bar.close / tick}
    count = (min(now, bar.start + step) - bar.start) * TRADES_PER_MINUTE // MINUTE
    average = bar.quote / bar.size / tick if bar.size else 0
    return {"t": iso(bar.start).replace(".000000", "")} | prices | {"v": bar.size / lot, "n": count, "vw": average}


def _step(query: Mapping[str, str]) -> int:
    if query.get("timeframe") not in TIMEFRAMES:
        raise RefusedError("invalid timeframe")
    return TIMEFRAMES[query["timeframe"]] * MINUTE


def page_limit(query: Mapping[str, str]) -> int:
    """How many rows a page has."""
    limit = query.get("limit", "1000")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MAXIMUM_ROWS):
        raise RefusedError("invalid limit")
    return int(limit)


def query_time(query: Mapping[str, str], name: str, default: int) -> int:
    """A time of the query, in microseconds since the epoch."""
    if name not in query:
        return default
    try:
        moment = datetime.fromisoformat(query[name])
    except ValueError:
        raise RefusedError(f"invalid {name}") from None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
