"""Candles of the synthetic market: always the exact aggregate of its trades, of whatever interval.

Prices are in ticks, volumes in lots and quote volumes in ticks times lots, all integers. Final bars come from cached
minutes and days; the bar that is still forming from the trades up to now.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.market import DAY, MINUTE, MINUTES, DayOfTrades, Integers, trades_of_day


@dataclass(frozen=True)
class Bar:
    """One bar; its open time in microseconds since the epoch. With no trade in it: the price before, and volume 0."""

    start: int
    open: int
    high: int
    low: int
    close: int
    size: int
    quote: int


@dataclass(frozen=True)
class Bars:
    """Equally long bars in a row: arrays of shape (n,)."""

    opens: Integers
    highs: Integers
    lows: Integers
    closes: Integers
    sizes: Integers
    quotes: Integers

    def grouped(self, width: int) -> "Bars":
        """Bars of `width` bars each; n must be a multiple of it."""
        return Bars(
            opens=self.opens.reshape(-1, width)[:, 0],
            highs=self.highs.reshape(-1, width).max(axis=1),
            lows=self.lows.reshape(-1, width).min(axis=1),
            closes=self.closes.reshape(-1, width)[:, -1],
            sizes=self.sizes.reshape(-1, width).sum(axis=1),
            quotes=self.quotes.reshape(-1, width).sum(axis=1),
        )

    def listed(self, start: int, interval: int) -> list[Bar]:
        """As `Bar`s, the first one opening at `start`."""
        columns = (self.opens, self.highs, self.lows, self.closes, self.sizes, self.quotes)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [Bar(start + i * interval, *row) for i, row in enumerate(rows)]


@lru_cache(maxsize=64)
def day_of_trades(seed: int, symbol: str, day: int) -> DayOfTrades:
    """The trades of a day, kept for the next question about it."""
    return trades_of_day(seed, symbol, day)


@lru_cache(maxsize=256)
def minutes_of_day(seed: int, symbol: str, day: int) -> Bars:
    """The 1,440 minute bars of a whole day."""
    trades = day_of_trades(seed, symbol, day)
    prices, sizes = trades.prices, trades.sizes
    return Bars(
        prices[0], prices.max(axis=0), prices.min(axis=0), prices[-1], sizes.sum(axis=0), (prices * sizes).sum(axis=0)
    )


@lru_cache(maxsize=65_536)
def whole_day(seed: int, symbol: str, day: int) -> Bar:
    """The bar of a whole day, straight from its trades: a year of days costs a tenth of a second."""
    trades = trades_of_day(seed, symbol, day)
    prices, sizes = trades.prices, trades.sizes
    return Bar(
        trades.start,
        int(prices[0, 0]),
        int(prices.max()),
        int(prices.min()),
        int(prices[-1, -1]),
        int(sizes.sum()),
        int(np.vdot(prices, sizes)),
    )


def final_bars(seed: int, symbol: str, *, interval: int, first: int, count: int) -> list[Bar]:
    """`count` bars in a row as they are once closed.

    Args:
        interval: in microseconds; a divisor of a day of at least a minute, or a multiple of a day.
        first: the first bar's open time, microseconds since the epoch, a multiple of `interval`.
    """
    if count <= 0:
        return []
    if interval % DAY == 0:
        width = interval // DAY
        days = [whole_day(seed, symbol, first // DAY + i) for i in range(count * width)]
        return [combined(days[i * width : (i + 1) * width]) for i in range(count)]
    days_needed = range(first // DAY, (first + count * interval - 1) // DAY + 1)
    minutes = _joined([minutes_of_day(seed, symbol, day) for day in days_needed])
    skipped, width = first % DAY // MINUTE, interval // MINUTE
    return _sliced(minutes, skipped, skipped + count * width).grouped(width).listed(first, interval)


def bars_until(seed: int, symbol: str, *, interval: int, first: int, last: int, now: int) -> list[tuple[Bar, bool]]:
    """The bars `first` to `last`, and of each whether it has closed by `now`; none that opens later.

    Args:
        interval: in microseconds, as for `final_bars`.
        first: counted in intervals since the epoch, as is `last`.
        now: microseconds since the epoch.
    """
    forming = now // interval * interval
    count = min(last - first, forming // interval - first)  # final bars before the one that may be forming
    final = final_bars(
        seed, symbol, interval=interval, first=first * interval, count=count + (last * interval < forming)
    )
    bars = [(bar, True) for bar in final]
    if first * interval <= forming <= last * interval:
        bars.append((forming_bar(seed, symbol, start=forming, now=now), False))
    return bars


def forming_bar(seed: int, symbol: str, *, start: int, now: int) -> Bar:
    """The bar that opened at `start`, of the trades up to and including `now` (both microseconds since the epoch)."""
    parts = [whole_day(seed, symbol, day) for day in range(start // DAY, now // DAY)] if start % DAY == 0 else []
    trades = day_of_trades(seed, symbol, now // DAY)
    times = trades.times()
    seen = ((times >= start) & (times <= now)).T  # minute-major: in the order of time
    prices, sizes = trades.prices.T[seen], trades.sizes.T[seen]
    if prices.size:
        parts.append(_aggregate(max(start, trades.start), prices, sizes))
    return combined(parts) if parts else _without_trade(seed, symbol, start)


def combined(parts: list[Bar]) -> Bar:
    """One bar of several in a row."""
    return Bar(
        start=parts[0].start,
        open=parts[0].open,
        high=max(bar.high for bar in parts),
        low=min(bar.low for bar in parts),
        close=parts[-1].close,
        size=sum(bar.size for bar in parts),
        quote=sum(bar.quote for bar in parts),
    )


def _aggregate(start: int, prices: Integers, sizes: Integers) -> Bar:
    quote = int((prices * sizes).sum())
    return Bar(start, int(prices[0]), int(prices.max()), int(prices.min()), int(prices[-1]), int(sizes.sum()), quote)


def _without_trade(seed: int, symbol: str, start: int) -> Bar:
    previous = int(minutes_of_day(seed, symbol, (start - MINUTE) // DAY).closes[(start - MINUTE) % DAY // MINUTE])
    return Bar(start, previous, previous, previous, previous, 0, 0)


def _joined(parts: list[Bars]) -> Bars:
    return Bars(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("opens", "highs", "lows", "closes", "sizes", "quotes")
        )
    )


def _sliced(bars: Bars, start: int, end: int) -> Bars:
    assert end <= MINUTES * (len(bars.opens) // MINUTES)
    return Bars(
        bars.opens[start:end],
        bars.highs[start:end],
        bars.lows[start:end],
        bars.closes[start:end],
        bars.sizes[start:end],
        bars.quotes[start:end],
    )
