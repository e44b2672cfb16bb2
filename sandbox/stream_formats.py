"""How each venue speaks over its WebSocket: what a client says to subscribe, and the messages of the one tape."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

from sandbox import alpaca_data, alpaca_stocks, binance, coinbase, gateio, kraken
from sandbox.candles import Bar
from sandbox.market import MINUTE, PAIRS, SHARES, Pair
from sandbox.tape import Quote, Trade

BINANCE_HOST = "data-stream.binance.vision"
COINBASE_HOST = "ws-feed.exchange.coinbase.com"
KRAKEN_HOST = "ws.kraken.com"
ALPACA_HOST = "stream.data.alpaca.markets"
GATE_TRADES, GATE_QUOTES, GATE_BARS = "spot.trades", "spot.book_ticker", "spot.candlesticks"
Document = Mapping[str, Any]


@dataclass
class Wanted:
    """What a connection has subscribed to: pairs by symbol; of bars with the provider's and our length (minutes)."""

    trades: set[str] = field(default_factory=set)
    quotes: set[str] = field(default_factory=set)
    bars: set[tuple[str, str, int]] = field(default_factory=set)


class StreamFormat:
    """A venue's stream; one that takes nothing and sends nothing."""

    def __init__(self) -> None:
        self.wanted = Wanted()

    def open(self, query: str) -> Iterator[object]:
        """Take what the address of a connection asks for; yields what is sent at once."""
        yield from ()

    def receive(self, document: Document, now: int) -> list[object] | None:
        """Take a client's message; returns the answers, None where it is not about market data.

        Args:
            now: microseconds since the epoch.
        """
        return None

    def trade(self, pair: Pair, trade: Trade) -> object:
        """The message of a trade."""
        raise NotImplementedError

    def quote(self, pair: Pair, quote: Quote) -> object:
        """The message of a quote."""
        raise NotImplementedError

    def bar(self, pair: Pair, word: str, step: int, bar: Bar, now: int) -> object:
        """The message of a bar that has closed; `word` is the provider's for its length, `step` microseconds."""
        raise NotImplementedError


class GateStream(StreamFormat):
    """Gate.io v4."""

    def receive(self, document: Document, now: int) -> list[object] | None:
        """Subscriptions to trades, best bid and ask, and bars."""
        channel, payload = document.get("channel"), document.get("payload")
        if channel not in (GATE_TRADES, GATE_QUOTES, GATE_BARS):
            return None
        words = [str(word) for word in payload] if isinstance(payload, list) else []
        if channel != GATE_BARS:
            into = self.wanted.trades if channel == GATE_TRADES else self.wanted.quotes
            into.update(word for word in words if word in PAIRS)
        elif len(words) == 2 and words[1] in PAIRS and words[0] in gateio.SECONDS:
            self.wanted.bars.add((words[1], words[0], gateio.SECONDS[words[0]] // 60))
        result = {"status": "success"}
        return [{"time": now // 1_000_000, "channel": channel, "event": "subscribe", "result": result}]

    def trade(self, pair: Pair, trade: Trade) -> object:
        """As REST has it, with numbers where REST has texts."""
        row = gateio.trade_row(pair, trade)
        numbers = {"id": trade.number, "id_market": trade.sequence, "create_time": trade.time // 1_000_000}
        row_as_sent = {key: value for key, value in row.items() if key != "sequence_id"} | numbers
        return _update(trade.time, GATE_TRADES, row_as_sent)

    def quote(self, pair: Pair, quote: Quote) -> object:
        """Best bid and ask with the number of the book."""
        return _update(quote.time, GATE_QUOTES, gateio.book_ticker_row(pair, quote))

    def bar(self, pair: Pair, word: str, step: int, bar: Bar, now: int) -> object:
        """As REST has it, by letters."""
        # In the order of REST's columns; the last of them, whether the bar is closed, is `w` here.
        row = dict(zip("tvchloa", gateio.candle_row(pair, bar, closed=True), strict=False))
        return _update(now, GATE_BARS, {**row, "n": f"{word}_{pair.symbol}", "w": True})


def _update(time: int, channel: str, result: object) -> object:
    return {"time": time // 1_000_000, "channel": channel, "event": "update", "result": result}


class BinanceStream(StreamFormat):
    """Binance's combined streams."""

    def open(self, query: str) -> Iterator[object]:
        """The topics of the address."""
        for topic in ",".join(parse_qs(query).get("streams", [])).replace(",", "/").split("/"):
            symbol, _, kind = topic.partition("@")
            pair = binance.SYMBOLS.get(symbol.upper())
            interval = kind.removeprefix("kline_")
            if pair is not None and kind == "aggTrade":
                self.wanted.trades.add(pair.symbol)
            elif pair is not None and kind == "bookTicker":
                self.wanted.quotes.add(pair.symbol)
            elif pair is not None and interval in binance.INTERVALS:
                self.wanted.bars.add((pair.symbol, interval, binance.INTERVALS[interval]))
        yield from ()

    def trade(self, pair: Pair, trade: Trade) -> object:
        """As REST has it."""
        head = {"e": "aggTrade", "E": trade.time // 1_000, "s": _plain(pair)}
        return _combined(pair, "aggTrade", head | binance.trade_row(pair, trade))

    def quote(self, pair: Pair, quote: Quote) -> object:
        """Best bid and ask with the number of the book, and no time."""
        return _combined(pair, "bookTicker", binance.book_ticker_message(pair, quote))

    def bar(self, pair: Pair, word: str, step: int, bar: Bar, now: int) -> object:
        """As REST has it, by letters."""
        kline = dict(zip("tohlcvTqn", binance.kline(pair, bar, step, bar.start + step), strict=False))
        data = {"e": "kline", "E": now // 1_000, "s": _plain(pair)}
        return _combined(pair, f"kline_{word}", data | {"k": kline | {"s": _plain(pair), "i": word, "x": True}})


def _plain(pair: Pair) -> str:
    return pair.symbol.replace("_", "")


def _combined(pair: Pair, topic: str, data: object) -> object:
    return {"stream": f"{_plain(pair).lower()}@{topic}", "data": data}


class CoinbaseStream(StreamFormat):
    """Coinbase Exchange."""

    def receive(self, document: Document, now: int) -> list[object] | None:
        """Subscriptions to matches and to the ticker."""
        if document.get("type") != "subscribe":
            return None
        products = [product for product in document.get("product_ids", []) if product in coinbase.PRODUCTS]
        names = document.get("channels", [])
        for into, name in ((self.wanted.trades, "matches"), (self.wanted.quotes, "ticker")):
            if name in names:
                into.update(coinbase.PRODUCTS[product].symbol for product in products)
        return [{"type": "subscriptions", "channels": [{"name": name, "product_ids": products} for name in names]}]

    def trade(self, pair: Pair, trade: Trade) -> object:
        """As REST has it."""
        head = {"type": "match", "product_id": pair.symbol.replace("_", "-"), "sequence": trade.sequence}
        return head | coinbase.trade_row(pair, trade)

    def quote(self, pair: Pair, quote: Quote) -> object:
        """Best bid and ask with each match."""
        head = {"type": "ticker", "product_id": pair.symbol.replace("_", "-"), "sequence": quote.number}
        return head | coinbase.ticker_row(pair, quote)


class KrakenStream(StreamFormat):
    """Kraken's WebSocket v2: several records of one symbol may be in a message; here each has its own."""

    def receive(self, document: Document, now: int) -> list[object] | None:
        """Subscriptions to trades and to the ticker, answered symbol by symbol."""
        params = document.get("params")
        if document.get("method") != "subscribe" or not isinstance(params, dict):
            return None
        channel, symbols = params.get("channel"), params.get("symbol")
        into = {"trade": self.wanted.trades, "ticker": self.wanted.quotes}.get(str(channel))
        answers: list[object] = []
        for symbol in symbols if isinstance(symbols, list) else []:
            is_known = into is not None and symbol in kraken.STREAM_SYMBOLS
            if into is not None and is_known:
                into.add(kraken.STREAM_SYMBOLS[symbol].symbol)
            said: dict[str, object] = {"error": "not supported"}
            if is_known:
                said = {"result": {"channel": channel, "symbol": symbol}}
            answers.append({"method": "subscribe", "success": is_known, **said})
        return answers

    def trade(self, pair: Pair, trade: Trade) -> object:
        """One trade."""
        return {"channel": "trade", "type": "update", "data": [kraken.trade_message(pair, trade)]}

    def quote(self, pair: Pair, quote: Quote) -> object:
        """Best bid and ask, without a time."""
        return {"channel": "ticker", "type": "update", "data": [kraken.ticker_message(pair, quote)]}


class AlpacaStream(StreamFormat):
    """Alpaca's data: a login first, then arrays of messages; one unknown symbol refuses a subscription whole.

    Crypto and shares have addresses of their own at the venue; here one takes the symbols of both.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_known = False

    def open(self, query: str) -> Iterator[object]:
        """The greeting."""
        yield [{"T": "success", "msg": "connected"}]

    def receive(self, document: Document, now: int) -> list[object] | None:
        """The login, and subscriptions."""
        if document.get("action") == "auth":
            self.is_known = bool(document.get("key") and document.get("secret"))
            return [[_ALPACA_WELCOME if self.is_known else _alpaca_error(402, "auth failed")]]
        if document.get("action") != "subscribe":
            return None
        if not self.is_known:
            return [[_alpaca_error(401, "not authenticated")]]
        asked = {name: document.get(name, []) for name in ("trades", "quotes", "bars")}
        known = alpaca_data.SYMBOLS | SHARES
        if any(symbol not in known for symbols in asked.values() for symbol in symbols):
            return [[_alpaca_error(400, "invalid syntax")]]
        pairs = {name: [known[symbol].symbol for symbol in symbols] for name, symbols in asked.items()}
        self.wanted.trades.update(pairs["trades"])
        self.wanted.quotes.update(pairs["quotes"])
        self.wanted.bars.update((symbol, "1m", 1) for symbol in pairs["bars"])
        said: dict[str, object] = {"T": "subscription", **asked}
        return [[said]]

    def trade(self, pair: Pair, trade: Trade) -> object:
        """As REST has it."""
        return [_alpaca("t", pair) | _alpaca_rows(pair).trade_row(pair, trade)]

    def quote(self, pair: Pair, quote: Quote) -> object:
        """As REST has it."""
        return [_alpaca("q", pair) | _alpaca_rows(pair).quote_row(pair, quote)]

    def bar(self, pair: Pair, word: str, step: int, bar: Bar, now: int) -> object:
        """As REST has it."""
        if pair.symbol in SHARES:
            return [_alpaca("b", pair) | alpaca_stocks.bar_row(pair, bar, step // MINUTE)]
        return [_alpaca("b", pair) | alpaca_data.bar_row(pair, bar, step, now)]


_ALPACA_WELCOME = {"T": "success", "msg": "authenticated"}


def _alpaca_error(code: int, message: str) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": message}


def _alpaca_rows(pair: Pair) -> ModuleType:
    return alpaca_stocks if pair.symbol in SHARES else alpaca_data


def _alpaca(kind: str, pair: Pair) -> dict[str, Any]:
    return {"T": kind, "S": pair.symbol.replace("_", "/")}


FORMATS: Mapping[str, type[StreamFormat]] = {
    gateio.HOST: GateStream,
    BINANCE_HOST: BinanceStream,
    COINBASE_HOST: CoinbaseStream,
    KRAKEN_HOST: KrakenStream,
    ALPACA_HOST: AlpacaStream,
}


def encoded(document: object) -> str:
    """A message as it is sent."""
    return json.dumps(document, separators=(",", ":"))
