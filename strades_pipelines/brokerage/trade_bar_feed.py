"""Bars of a number of trades, a volume or an amount of money, made of the trades that a wallet hears.

They are in no table. A replay hears a trade when it happened, a wallet that trades when it was stored, so that one
trade may be of two bars. Both are the same function of `records.trades`, to which a decision's inputs lead.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from strades_pipelines.bars.trade_bars import parse_every, weights
from strades_pipelines.engine.columns import Columns
from strades_pipelines.market.instruments import Listing
from strades_pipelines.strategy.events import BAR, DAY_LENGTH, RECORDED_FILL, TRADE

Row = tuple[int, int, int, float, float, float, float, float]  # as the columns of a bar, without its kind


@dataclass
class OpenBar:
    """The bar that the trades of a listing go into.

    Args:
        opened: when its first trade was heard, microseconds UTC.
        filled: how many of its unit are in it.
    """

    opened: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    filled: float = 0.0

    def add(self, price: float, size: float, weight: float) -> None:
        """Take in a trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += size
        self.filled += weight

    @property
    def day_end(self) -> int:
        """The midnight (UTC) by which it is closed, full or not."""
        return (self.opened // DAY_LENGTH + 1) * DAY_LENGTH

    def row(self, i: int, time: int) -> Row:
        """It as an event that is known at `time`."""
        return i, time, self.opened, self.open, self.high, self.low, self.close, self.volume


class TradeBars:
    """Makes bars of trades, in any parts: a listing's open bar stays from one part to the next.

    A trade that fills a bar belongs to it whole, and the bar is known with it. Bars begin anew at each midnight (UTC),
    where one that is not full is closed: what is missed or corrected on a day changes the bars of no other.

    Args:
        every: what fills a bar, as `--every` says it: 500ticks, 100volume, 1000000notional; empty: none are made.
        hands_on_trades: whether the trades stay events beside their bars.
    """

    def __init__(self, every: str, listings: Sequence[Listing], *, hands_on_trades: bool) -> None:
        self._every = parse_every(every) if every else None
        self._hands_on_trades = hands_on_trades
        self._ids = np.array([listing.listing_id for listing in listings], np.int64)
        self._open: list[OpenBar | None] = [None] * len(listings)

    def make(self, columns: Columns, *, until: int) -> Columns:
        """The next events with the bars that their trades make, in their total order.

        Args:
            columns: events later than all that were given before.
            until: all events known up to and with this time have been given, microseconds UTC.
        """
        if self._every is None:
            return columns
        rows: list[Row] = []
        is_trade = columns.kind == TRADE
        own = [array[is_trade] for array in (columns.i, columns.time, columns.a, columns.b)]
        added = weights(own[2], own[3], self._every.unit)
        for i, time, price, size, weight in zip(*(array.tolist() for array in (*own, added)), strict=True):
            self._end_day(i, time, rows)
            bar = self._open[i] = self._open[i] or OpenBar(time, price, price, price, price)
            bar.add(price, size, weight)
            if bar.filled >= self._every.full_at:
                rows.append(bar.row(i, time))
                self._open[i] = None
        for i in range(len(self._open)):
            self._end_day(i, until, rows)
        others = columns if self._hands_on_trades else Columns(*(array[~is_trade] for array in columns.arrays))
        return self._merged(others, rows)

    def memory(self) -> list[Any]:
        """The open bars, as plain data."""
        return [None if bar is None else astuple(bar) for bar in self._open]

    def recall(self, memory: Sequence[Any]) -> None:
        """Go on from what `memory` gave."""
        self._open = [None if bar is None else OpenBar(*bar) for bar in memory]

    def _end_day(self, i: int, until: int, rows: list[Row]) -> None:
        """Close the bar of a day that has ended by `until`."""
        if (bar := self._open[i]) is not None and bar.day_end <= until:
            rows.append(bar.row(i, bar.day_end))
            self._open[i] = None

    def _merged(self, others: Columns, rows: Sequence[Row]) -> Columns:
        """Events in the order of `feed`; bars of one instrument and instant stay in the order in which they filled."""
        if not rows:
            return others
        i, time, opened, *prices = (np.array(column) for column in zip(*rows, strict=True))
        bars = (np.full(len(rows), BAR), i, time, opened, *prices)
        together = [
            np.concatenate([array, made.astype(array.dtype)]) for array, made in zip(others.arrays, bars, strict=True)
        ]
        kind = np.where(together[0] == RECORDED_FILL, -1, together[0])
        order = np.lexsort((self._ids[together[1]], kind, together[2]))
        return Columns(*(np.ascontiguousarray(array[order]) for array in together))
