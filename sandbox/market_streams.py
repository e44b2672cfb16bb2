"""Market data over WebSockets as the venues send it: Gate.io v4, Binance and Coinbase Exchange, over the one tape.

A connection is sent what happens while it is open, each trade once and in order, unless a fault loses, delays,
duplicates or corrupts it, or cuts the connection (`/-/streams/faults`). Bars are sent when they have closed. A
consumer that is too slow is not cut: what it has not taken waits in its connection.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from sandbox import binance, coinbase, gateio
from sandbox.candles import bars_until
from sandbox.market import MINUTE, PAIRS, Pair
from sandbox.tape import Trade, trades_newest_first
from sandbox.venue.faults import Faults
from sandbox.venue.feed import Feed
from sandbox.world import World, microseconds

BINANCE_HOST = "data-stream.binance.vision"
COINBASE_HOST = "ws-feed.exchange.coinbase.com"
STEP = 0.02  # seconds between two looks at the tape
MOST_TRADES = 100_000  # of one look
GATE_TRADES, GATE_BARS = "spot.trades", "spot.candlesticks"


@dataclass
class MarketStream:
    """A connection's subscriptions to one provider, and how far it has been sent the tape.

    `trades` are pairs; `bars` are pairs with the provider's and our length of a bar (minutes).
    """

    world: World
    host: str
    faults: Faults
    trades: set[str] = field(default_factory=set)
    bars: set[tuple[str, str, int]] = field(default_factory=set)
    sent_until: int = 0

    def __post_init__(self) -> None:
        self.sent_until = microseconds(self.world.now())

    def open(self, query: str) -> None:
        """Take what the address of a connection asks for: Binance's topics."""
        for topic in ",".join(parse_qs(query).get("streams", [])).replace(",", "/").split("/"):
            symbol, _, kind = topic.partition("@")
            pair = binance.SYMBOLS.get(symbol.upper())
            interval = kind.removeprefix("kline_")
            if pair is not None and kind == "aggTrade":
                self.trades.add(pair.symbol)
            elif pair is not None and interval in binance.INTERVALS:
                self.bars.add((pair.symbol, interval, binance.INTERVALS[interval]))

    def receive(self, message: bytes | str, feed: Feed) -> bool:
        """Handle a client's message; whether it was about market data."""
        try:
            document = json.loads(message)
        except ValueError:
            return False
        if not isinstance(document, dict):
            return False
        if self.host == gateio.HOST and document.get("channel") in (GATE_TRADES, GATE_BARS):
            self._receive_gate(document, feed)
            return True
        if self.host == COINBASE_HOST and document.get("type") == "subscribe":
            products = [product for product in document.get("product_ids", []) if product in coinbase.PRODUCTS]
            self.trades.update(coinbase.PRODUCTS[product].symbol for product in products)
            channels = [{"name": name, "product_ids": products} for name in document.get("channels", [])]
            feed.send(_json({"type": "subscriptions", "channels": channels}))
            return True
        return False

    def publish(self, feed: Feed) -> None:
        """Queue what has happened since the last look."""
        now = microseconds(self.world.now())
        for symbol in sorted(self.trades):
            pair = PAIRS[symbol]
            found = trades_newest_first(
                self.world.seed, pair, since=self.sent_until + 1, until=now, skip=0, count=MOST_TRADES
            )
            for trade in reversed(found):
                feed.send_with_faults(_json(self._trade(pair, trade)), self.faults)
        for symbol, word, minutes in sorted(self.bars):
            for bar in self._closed_bars(PAIRS[symbol], word, minutes * MINUTE, now):
                feed.send_with_faults(_json(bar), self.faults)
        self.sent_until = max(now, self.sent_until)

    def _receive_gate(self, document: dict[str, object], feed: Feed) -> None:
        now, channel = microseconds(self.world.now()) // 1_000_000, document["channel"]
        payload = document.get("payload")
        words = [str(word) for word in payload] if isinstance(payload, list) else []
        if channel == GATE_TRADES:
            self.trades.update(word for word in words if word in PAIRS)
        elif len(words) == 2 and words[1] in PAIRS and words[0] in gateio.SECONDS:
            self.bars.add((words[1], words[0], gateio.SECONDS[words[0]] // 60))
        result = {"status": "success"}
        feed.send(_json({"time": now, "channel": channel, "event": "subscribe", "result": result}))

    def _trade(self, pair: Pair, trade: Trade) -> dict[str, object]:
        if self.host == gateio.HOST:
            row = gateio.trade_row(pair, trade)
            numbers = {"id": trade.number, "id_market": trade.sequence, "create_time": trade.time // 1_000_000}
            row_as_sent = {key: value for key, value in row.items() if key != "sequence_id"} | numbers
            return {"time": trade.time // 1_000_000, "channel": GATE_TRADES, "event": "update", "result": row_as_sent}
        if self.host == BINANCE_HOST:
            symbol = pair.symbol.replace("_", "")
            head = {"e": "aggTrade", "E": trade.time // 1_000, "s": symbol}
            return {"stream": f"{symbol.lower()}@aggTrade", "data": head | binance.trade_row(pair, trade)}
        product = pair.symbol.replace("_", "-")
        return {"type": "match", "product_id": product, "sequence": trade.sequence} | coinbase.trade_row(pair, trade)

    def _closed_bars(self, pair: Pair, word: str, step: int, now: int) -> Iterator[dict[str, object]]:
        first, last = self.sent_until // step, now // step - 1  # those that closed after the last look
        if last < first:
            return
        for bar, _ in bars_until(self.world.seed, pair.symbol, interval=step, first=first, last=last, now=now):
            if self.host == gateio.HOST:
                row = dict(zip("tvchloa", gateio.candle_row(pair, bar, closed=True), strict=False))
                result: dict[str, object] = {**row, "n": f"{word}_{pair.symbol}", "w": True}
                yield {"time": now // 1_000_000, "channel": GATE_BARS, "event": "update", "result": result}
            else:
                symbol = pair.symbol.replace("_", "")
                kline = dict(zip("tohlcvTqn", binance.kline(pair, bar, step, bar.start + step), strict=False)) | {
                    "s": symbol,
                    "i": word,
                    "x": True,
                }
                data = {"e": "kline", "E": now // 1_000, "s": symbol, "k": kline}
                yield {"stream": f"{symbol.lower()}@kline_{word}", "data": data}


async def publish_while_open(stream: MarketStream, feed: Feed) -> None:
    """Queue what happens on the tape until this is cancelled or the connection ends."""
    while feed.is_open:
        stream.publish(feed)
        await asyncio.sleep(STEP)


StreamMaker = Callable[[str], MarketStream | None]  # of a host


def stream_maker(world: World, faults: dict[str, Faults]) -> StreamMaker:
    """Makes the market data of a connection to a host; None for a host that has none. `faults` are by host."""
    return lambda host: MarketStream(world, host, faults[host]) if host in faults else None


def stream_faults(seed: int) -> dict[str, Faults]:
    """The faults of market data by host."""
    return {host: Faults(seed) for host in (gateio.HOST, BINANCE_HOST, COINBASE_HOST)}


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))
