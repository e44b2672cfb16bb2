"""Alpaca's stock data over the synthetic trades of shares: `data.alpaca.markets/v2/stocks/{trades,quotes,bars}`.

As its crypto data in shape and paging, and with what a consolidated tape says: the exchange (`x`; V is IEX), conditions
(`c`: @ a regular sale, I of less than 100 shares) and the tape (`z`: A of New York's listings, C of Nasdaq's), but not
which side took. The feed is `iex`; any other wants a subscription. Bars are given when they have closed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox import alpaca_data
from sandbox.alpaca_data import RefusedError, page_limit, query_time
from sandbox.candles import Bar
from sandbox.market import DAY, SHARES, Pair
from sandbox.shares import share_bars, share_trades, trades_in
from sandbox.stocks import NEW_YORK, SYMBOLS
from sandbox.tape import Quote, Trade, quote_after
from sandbox.world import Reply, World, iso, json_reply, microseconds

PATH = "v2/stocks/"
TIMEFRAMES = {"1Min": 1, "5Min": 5, "15Min": 15, "30Min": 30, "1Day": 1_440}
IEX = "V"
ROUND_LOT = 100


def answer(world: World, path: str, query: Mapping[str, str]) -> Reply:
    """Answer `path` (below the host): stocks here, crypto by `alpaca_data`."""
    if not path.startswith(PATH):
        return alpaca_data.answer(world, path, query)
    kind = path.removeprefix(PATH)
    if kind not in ("trades", "quotes", "bars"):
        return json_reply({"message": "endpoint not found."}, status=404)
    if query.get("feed", "sip") != "iex":
        return json_reply({"message": "subscription does not permit querying recent SIP data"}, status=403)
    try:
        symbol = query.get("symbols", "")
        if symbol not in SHARES:
            raise RefusedError(f"invalid symbol: {symbol}")
        rows, token = _page(world, SHARES[symbol], kind, query)
    except RefusedError as refused:
        return json_reply({"message": str(refused)}, status=400)
    return json_reply({kind: {symbol: rows} if rows else {}, "next_page_token": token})


def _page(world: World, pair: Pair, kind: str, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page and the token of the next one: the time of its last row."""
    now, limit = microseconds(world.now()), page_limit(query)
    since, until = query_time(query, "start", 0), min(query_time(query, "end", now), now)
    if (token := query.get("page_token")) is not None:
        since = int(token) + 1
    if kind == "bars":
        if query.get("timeframe") not in TIMEFRAMES:
            raise RefusedError("invalid timeframe")
        minutes = TIMEFRAMES[query["timeframe"]]
        bars = share_bars(world.seed, pair, minutes=minutes, since=since, until=now, count=limit + 1)
        found = [(bar.start, bar_row(pair, bar, minutes)) for bar in bars if bar.start <= until]
    else:
        trades = share_trades(world.seed, pair, since=since, until=until, count=limit + 1)
        made = [trade_row(pair, trade) if kind == "trades" else quote_row(pair, quote_after(trade)) for trade in trades]
        found = [(trade.time, row) for trade, row in zip(trades, made, strict=True)]
    return [row for _, row in found[:limit]], str(found[limit - 1][0]) if len(found) > limit else None


def trade_row(pair: Pair, trade: Trade) -> dict[str, Any]:
    """One trade."""
    said = {"t": iso(trade.time), "x": IEX, "p": trade.price / 10**pair.price_decimals, "s": trade.size}
    return said | {"c": ["@", "I"] if trade.size < ROUND_LOT else ["@"], "i": trade.number, "z": _tape(pair)}


def quote_row(pair: Pair, quote: Quote) -> dict[str, Any]:
    """The best bid and ask."""
    tick = 10**pair.price_decimals
    ask = {"ax": IEX, "ap": quote.ask / tick, "as": quote.ask_size}
    bid = {"bx": IEX, "bp": quote.bid / tick, "bs": quote.bid_size}
    return {"t": iso(quote.time)} | ask | bid | {"c": ["R"], "z": _tape(pair)}


def bar_row(pair: Pair, bar: Bar, minutes: int) -> dict[str, Any]:
    """One bar; that of a day is labelled by its midnight in New York."""
    tick, start = 10**pair.price_decimals, bar.start
    if minutes == TIMEFRAMES["1Day"]:
        day = datetime.fromtimestamp(start / 1e6, UTC).astimezone(NEW_YORK)
        start = microseconds(day.replace(hour=0, minute=0, second=0, microsecond=0))
    prices = {"o": bar.open / tick, "h": bar.high / tick, "l": bar.low / tick, "c": bar.close / tick}
    count = trades_in(minutes, bar.start // DAY)
    more = {"v": bar.size, "n": count, "vw": round(bar.quote / bar.size / tick, 6)}
    return {"t": iso(start).replace(".000000", "")} | prices | more


def _tape(pair: Pair) -> str:
    return "A" if SYMBOLS[pair.symbol][1] == "NYQ" else "C"
