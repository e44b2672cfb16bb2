"""Market data over WebSockets as the venues send it, over the one tape.

A connection is sent what happens while it is open, each trade and quote once and in order, unless a fault loses,
delays, duplicates or corrupts it, or cuts the connection (`/-/streams/faults`). Bars are sent when they have closed. A
consumer that is too slow is not cut: what it has not taken waits in its connection.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sandbox.candles import Bar, bars_until
from sandbox.market import MARKETS, MINUTE, SHARES, Pair
from sandbox.shares import share_bars, share_trades
from sandbox.stream_formats import FORMATS, StreamFormat, encoded
from sandbox.tape import Trade, quote_after, trades_newest_first
from sandbox.venue.faults import Faults
from sandbox.venue.feed import Feed
from sandbox.world import World, microseconds

STEP = 0.02  # seconds between two looks at the tape
MOST_TRADES = 100_000  # of one look


@dataclass
class MarketStream:
    """A connection's subscriptions to one provider, and how far it has been sent the tape."""

    world: World
    venue: StreamFormat
    faults: Faults
    sent_until: int = 0

    def __post_init__(self) -> None:
        self.sent_until = microseconds(self.world.now())

    def open(self, query: str, feed: Feed) -> None:
        """Take what the address of a connection asks for, and greet it."""
        for message in self.venue.open(query):
            feed.send(encoded(message))

    def receive(self, message: bytes | str, feed: Feed) -> bool:
        """Handle a client's message; whether it was about market data."""
        try:
            document = json.loads(message)
        except ValueError:
            return False
        if not isinstance(document, dict):
            return False
        answers = self.venue.receive(document, microseconds(self.world.now()))
        for answer in answers or ():
            feed.send(encoded(answer))
        return answers is not None

    def publish(self, feed: Feed) -> None:
        """Queue what has happened since the last look."""
        now, wanted = microseconds(self.world.now()), self.venue.wanted
        for symbol in sorted(wanted.trades | wanted.quotes):
            pair = MARKETS[symbol]
            for trade in self._new_trades(pair, now):
                if symbol in wanted.trades:
                    feed.send_with_faults(encoded(self.venue.trade(pair, trade)), self.faults)
                if symbol in wanted.quotes:
                    feed.send_with_faults(encoded(self.venue.quote(pair, quote_after(trade))), self.faults)
        for symbol, word, minutes in sorted(wanted.bars):
            pair, step = MARKETS[symbol], minutes * MINUTE
            for bar in self._closed_bars(pair, step, now):
                feed.send_with_faults(encoded(self.venue.bar(pair, word, step, bar, now)), self.faults)
        # Where the clock was set back nothing is sent twice.
        self.sent_until = max(now, self.sent_until)

    def _new_trades(self, pair: Pair, now: int) -> Iterator[Trade]:
        since = self.sent_until + 1
        if pair.symbol in SHARES:
            return iter(share_trades(self.world.seed, pair, since=since, until=now, count=MOST_TRADES))
        found = trades_newest_first(self.world.seed, pair, since=since, until=now, skip=0, count=MOST_TRADES)
        return reversed(found)

    def _closed_bars(self, pair: Pair, step: int, now: int) -> Iterator[Bar]:
        first, last = self.sent_until // step, now // step - 1  # those that closed after the last look
        if last < first:
            return
        if pair.symbol in SHARES:
            closed = {"since": first * step, "until": (last + 1) * step, "count": last + 1 - first}
            yield from share_bars(self.world.seed, pair, minutes=step // MINUTE, **closed)
            return
        for bar, _ in bars_until(self.world.seed, pair.symbol, interval=step, first=first, last=last, now=now):
            yield bar


async def publish_while_open(stream: MarketStream, feed: Feed) -> None:
    """Queue what happens on the tape until this is cancelled or the connection ends."""
    while feed.is_open:
        stream.publish(feed)
        await asyncio.sleep(STEP)


StreamMaker = Callable[[str], MarketStream | None]  # of a host


def stream_maker(world: World, faults: dict[str, Faults]) -> StreamMaker:
    """Makes the market data of a connection to a host; None for a host that has none. `faults` are by host."""
    return lambda host: MarketStream(world, FORMATS[host](), faults[host]) if host in faults else None


def stream_faults(seed: int) -> dict[str, Faults]:
    """The faults of market data by host."""
    return {host: Faults(seed) for host in FORMATS}
