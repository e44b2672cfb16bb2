"""Bars from files: read, checked, put into sessions, adjusted, cut to a range."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.bars.action_files import ActionFile, Placement
from strades_pipelines.bars.bar_checks import check, iso
from strades_pipelines.bars.bar_table import TIME, BarTable, read_table
from strades_pipelines.bars.bar_timing import DAY, LAST, Timing
from strades_pipelines.bars.factors import read_factors
from strades_pipelines.bars.trade_bars import Every, as_bars, complete_groups, read_trades, with_empty
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.events import microseconds

FRIDAY = 1  # days since 1970-01-01, a Thursday, modulo 7


class Sessions(Protocol):
    """The sessions of a trading calendar, oldest first, shape (n,)."""

    @property
    def time_zone(self) -> str:
        """Of the venue, such as America/New_York."""

    @property
    def dates(self) -> Any:
        """datetime64[D], the venue's own dates."""

    @property
    def opens(self) -> Integers:
        """Microseconds UTC."""

    @property
    def closes(self) -> Integers:
        """Microseconds UTC."""


@dataclass(frozen=True)
class Reading:
    """How files of bars are read.

    Args:
        sessions: the calendar's sessions in the years from the first to the last; daily bars then open and close with
            their session, and no bar outlasts it. None: a daily bar lasts 24 hours.
        interval: the length of a bar in microseconds; None infers it.
        start, end: bars whose `ts_utc` lies in [start, end) are kept, microseconds UTC; None is no bound.
        multiplier, lot: see `Bars`.
        resample: the length of the bars to make of those of a file, in microseconds; None leaves them. See
            `Timing.grouped`.
    """

    sessions: Callable[[int, int], Sessions] | None = None
    interval: int | None = None
    start: int | None = None
    end: int | None = None
    multiplier: float = 1.0
    lot: float = 0.0
    resample: int | None = None

    def bars(
        self, path: Path, name: str | None = None, factors: Path | None = None, actions: ActionFile | None = None
    ) -> Bars:
        """The bars of a csv, csv.gz or parquet file with the columns ts_utc, open, high, low, close, volume.

        Args:
            name: of the instrument; None takes the file's.
            factors: a LEAN factor file to adjust the prices with, see `factors`.
            actions: splits and dividends, of which those of this instrument become events.

        Raises:
            BadInput: one line naming the file, and for what is wrong in a row its row and field.
        """
        name = name or name_of(path)
        table = read_table(path)
        check(path, table)
        interval = self.interval or _interval(path, table.time)
        timing = self._timing(path, table, interval)
        prices = table.prices if factors is None else read_factors(factors).apply(timing.days, table.prices)
        if actions is not None:
            actions.check_length(name, interval)
        placed = None if actions is None else Placement.of(actions, name, timing.days)
        first, labels = np.arange(len(table.time)), table.time
        if self.resample is not None:
            first, timing = timing.grouped(path, interval, self.resample)
            prices = _joined(prices if placed is None else placed.restated(prices, first), first)
            labels = timing.opens if self.sessions is None or self.resample < DAY else timing.days * DAY
        return self._cut(path, name, labels, timing, prices, first, placed)

    def _cut(
        self,
        path: Path,
        name: str,
        labels: Integers,
        timing: "Timing",
        prices: Floats,
        first: Integers,
        placed: Placement | None,
    ) -> Bars:
        """The bars of the range, by their labels, with the actions of what is in it."""
        kept = self._kept(path, labels)
        actions = None if placed is None else placed.grouped(first, timing.closes, prices, kept)
        prices = np.ascontiguousarray(prices[:, kept])
        times, days = (timing.closes[kept], timing.opens[kept]), None if timing.starts is None else timing.days[kept]
        return Bars(name, *times, prices, self.multiplier, self.lot, actions, days)

    def trade_bars(self, path: Path, every: Every, name: str | None = None, actions: ActionFile | None = None) -> Bars:
        """Bars made of a csv, csv.gz or parquet file of trades with the columns ts_utc, price, amount.

        Those of time are where `resample` would put them, and known at their end. The others begin anew at each
        midnight (UTC), by which one that is not full is known; a full one is with its last trade, a microsecond after
        the bar before where that ended at the same instant.

        Raises:
            BadInput: one line naming the file, and for what is wrong in a row its row and field.
        """
        name = name or name_of(path)
        trades = read_trades(path)
        timing = self._timing(path, BarTable(trades.time, as_bars(trades), 2), 0)
        placed = None if actions is None else Placement.of(actions, name, timing.days)
        end = len(trades.time)
        if every.length:
            first, longer = timing.grouped(path, 1, every.length)
            if longer.starts is not None and every.length >= DAY:
                longer = replace(longer, opens=longer.starts)
        else:
            first, end, known = complete_groups(path, trades, every)
            number = np.arange(len(first))
            known = np.maximum.accumulate(known - number) + number
            longer = replace(timing.of(first), closes=known)
        placed = None if placed is None else placed.before(end)
        prices = as_bars(trades)[:, :end]
        prices = _joined(prices if placed is None else placed.restated(prices, first), first)
        if every.length and every.fills_empty and (self.sessions is None or every.length < DAY):
            # A bar outside of sessions has no stop: none is made between it and the next.
            until = None if longer.stops is None else np.where(longer.stops < LAST, longer.stops, 0)
            opens, source = with_empty(path, every.length, longer.opens, until)
            empty = opens != longer.opens[source]
            first, longer = first[source + empty], longer.of(source)
            closes = opens + every.length
            if longer.stops is not None:
                np.minimum(closes, longer.stops, out=closes)
            np.minimum(closes[:-1], opens[1:], out=closes[:-1])
            longer = replace(longer, opens=opens, closes=closes)
            prices = np.where(empty, np.outer([1, 1, 1, 1, 0], prices[3, source]), prices[:, source])
        return self._cut(path, name, longer.opens, longer, prices, first, placed)

    def _timing(self, path: Path, table: BarTable, interval: int) -> "Timing":
        """When each bar opens and is final, and the day of its session; outside of sessions, of the venue's clocks."""
        time = table.time
        closes = time + interval
        np.minimum(closes[:-1], time[1:], out=closes[:-1])
        days = time // DAY
        if self.sessions is None:
            return Timing(time, closes, days)
        years = (np.array([time[0] - DAY, time[-1] + DAY], "M8[us]").astype("M8[Y]").astype(np.int64) + 1970).tolist()
        known = self.sessions(years[0], years[1])
        if interval == DAY:
            row = _sessions_of(path, table, known, days)
            return Timing(known.opens[row], known.closes[row], days, known.opens[row], known.closes[row])
        ended = np.searchsorted(known.closes, time, side="right")
        row = np.minimum(ended, len(known.closes) - 1)
        inside = (known.opens[row] <= time) & (time < known.closes[row])
        # A bar of weeks is labelled with its date, at 00:00Z: no instant of the venue's clocks.
        begins, days = (days * DAY, days) if interval > DAY else _days_of(time, known.time_zone)
        days = np.where(inside, known.dates[row].astype("M8[D]").astype(np.int64), days)
        ends = np.where(inside, np.minimum(closes, known.closes[row]), closes)
        # Behind a session whole lengths count from its close: a longer bar that began before would cut the session's.
        outside = np.maximum(begins, np.append(-LAST, known.closes)[ended])
        starts, stops = np.where(inside, known.opens[row], outside), np.where(inside, known.closes[row], LAST)
        return Timing(time, ends, days, starts, stops)

    def _kept(self, path: Path, time: Integers) -> slice:
        start = 0 if self.start is None else int(np.searchsorted(time, self.start))
        end = len(time) if self.end is None else int(np.searchsorted(time, self.end))
        kept = slice(start, end)
        if len(time[kept]) == 0:
            raise BadInput(f"{path}: expected bars in the range, found bars from {iso(time[0])} to {iso(time[-1])}")
        return kept


def _days_of(time: Integers, time_zone: str) -> tuple[Integers, Integers]:
    """When the day of each instant began on a zone's clocks, microseconds UTC, and that day since 1970; shape (n,).

    Args:
        time: microseconds UTC, not falling, shape (n,).
    """
    zone, days = ZoneInfo(time_zone), np.arange(time[0] // DAY - 1, time[-1] // DAY + 3)
    midnights = [datetime(1970, 1, 1, tzinfo=zone) + timedelta(days=day) for day in days.tolist()]
    begins = np.array([microseconds(midnight) for midnight in midnights], np.int64)
    row = np.searchsorted(begins, time, side="right") - 1
    return begins[row], days[row]


def _sessions_of(path: Path, table: BarTable, known: Sessions, days: Integers) -> Integers:
    dates = known.dates.astype("M8[D]").astype(np.int64)
    row = np.minimum(np.searchsorted(dates, days), len(dates) - 1)
    if np.any(other := (dates[row] != days) | (table.time % DAY != 0)):
        first = int(np.argmax(other))
        expected = "the date of a session of the calendar, at 00:00Z"
        raise bad_row(path, first + table.first_row, TIME, expected, iso(table.time[first]))
    return row.astype(np.int64)


def _joined(prices: Floats, first: Integers) -> Floats:
    """The first open, the highest high, the lowest low, the last close and the sum of the volumes of each group."""
    open_, high, low, close, volume = prices
    last = np.append(first[1:], len(close)) - 1
    extremes = np.maximum.reduceat(high, first), np.minimum.reduceat(low, first)
    return np.array([open_[first], *extremes, close[last], np.add.reduceat(volume, first)])


def _interval(path: Path, time: Integers) -> int:
    """The most common spacing; the shortest of those that are as common. From Friday to Monday is one day."""
    spacing = np.diff(time)
    spacing[(spacing == 3 * DAY) & (time[:-1] // DAY % 7 == FRIDAY) & (time[:-1] % DAY == 0)] = DAY
    if len(spacing) == 0:
        raise BadInput(f"{path}: expected two bars or more, or --interval, to tell how long a bar is; found one")
    middle = int(np.median(spacing[: 2 * ((len(spacing) + 1) // 2) - 1]))
    if 2 * np.count_nonzero(spacing == middle) > len(spacing):
        return middle
    values, counts = np.unique(spacing, return_counts=True)
    return int(values[np.argmax(counts)])


def name_of(path: Path) -> str:
    """The file's name without what says its format."""
    name = path.name
    for ending in (".gz", ".csv", ".parquet"):
        name = name.removesuffix(ending)
    return name or path.name


def data_hash(bars: Sequence[Bars]) -> str:
    """SHA-256 over the times and prices of every instrument in turn, whatever the files they came from."""
    digest = hashlib.sha256()
    for one in bars:
        digest.update(f"{len(one.time)},{one.multiplier},{one.lot};".encode())
        arrays = [one.time, one.open_time, one.prices]
        arrays += [one.actions.time, one.actions.at_open, one.actions.ratio, one.actions.amount] if one.actions else []
        arrays += [one.rates.time, one.rates.rate] if one.rates else []
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
