"""The synthetic market's tape: its trades of a span of time, one by one, and the quote that each leaves."""

from dataclasses import dataclass

import numpy as np

from sandbox.candles import day_of_trades
from sandbox.market import DAY, MINUTE, TRADES_PER_DAY, TRADES_PER_MINUTE, Pair, first_trade_index
from sandbox.world import World, microseconds


@dataclass(frozen=True)
class Trade:
    """One trade: price in ticks, size in lots, time in microseconds since the epoch. Both numbers rise with time."""

    number: int
    sequence: int
    time: int
    price: int
    size: int
    buy: bool


@dataclass(frozen=True)
class Quote:
    """The best bid and ask: prices in ticks, sizes in lots, time in microseconds since the epoch."""

    number: int
    time: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


def quote_after(trade: Trade) -> Quote:
    """The quote that a trade leaves: the trade was done at one side of it, the other is a tick away."""
    bid = trade.price - 1 if trade.buy else trade.price
    return Quote(trade.sequence, trade.time, bid, 1 + trade.size % 997, bid + 1, 1 + trade.size % 991)


def trades_newest_first(seed: int, pair: Pair, *, since: int, until: int, skip: int, count: int) -> list[Trade]:
    """Up to `count` trades with since <= time <= until, newest first, after leaving out the newest `skip`.

    Goes back day by day and stops as soon as it has enough; whole days that are skipped are not drawn.
    """
    found: list[Trade] = []
    day = until // DAY
    while day >= 0 and (day + 1) * DAY > since and len(found) < count:
        whole = since <= day * DAY and (day + 1) * DAY <= until
        if whole and skip >= TRADES_PER_DAY:
            skip -= TRADES_PER_DAY
        else:
            here = _trades_of_day(seed, pair, day, since=since, until=until)
            found += here[skip : skip + count - len(found)]
            skip = max(0, skip - len(here))
        day -= 1
    return found


def newest_quote(world: World, pair: Pair) -> Quote:
    """The quote of now."""
    now = microseconds(world.now())
    [newest] = trades_newest_first(world.seed, pair, since=0, until=now, skip=0, count=1)
    return quote_after(newest)


def trades_oldest_first(seed: int, pair: Pair, *, since: int, until: int, count: int) -> list[Trade]:
    """Up to `count` trades with since <= time <= until, oldest first."""
    enough = since + (count // TRADES_PER_MINUTE + 2) * MINUTE  # a minute has so many trades, neither more nor fewer
    # They are read from the newest on: so many that none of the oldest is left out.
    most = count + 4 * TRADES_PER_MINUTE
    return trades_newest_first(seed, pair, since=since, until=min(until, enough), skip=0, count=most)[::-1][:count]


def _trades_of_day(seed: int, pair: Pair, day: int, *, since: int, until: int) -> list[Trade]:
    trades = day_of_trades(seed, pair.symbol, day)
    times = trades.times().T.ravel()  # minute-major: in the order of time
    begin, end = np.searchsorted(times, [since, until + 1])
    columns = (times, trades.prices.T.ravel(), trades.sizes.T.ravel(), trades.buys().T.ravel())
    rows = list(zip(*(column[begin:end].tolist() for column in columns), strict=True))
    first = first_trade_index(day) + int(begin)
    numbered = [
        Trade(number=2 * (first + i) + pair.number, sequence=first + i, time=time, price=price, size=size, buy=buy)
        for i, (time, price, size, buy) in enumerate(rows)
    ]
    return numbered[::-1]
