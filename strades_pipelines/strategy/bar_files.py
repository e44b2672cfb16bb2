"""Bars from files: read, checked, put into sessions, adjusted, cut to a range."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from strades_pipelines.strategy.backtest import Bars
from strades_pipelines.strategy.bad_input import BadInput, bad_row
from strades_pipelines.strategy.bar_checks import check, iso
from strades_pipelines.strategy.bar_table import TIME, BarTable, read_table
from strades_pipelines.strategy.columns import Integers
from strades_pipelines.strategy.factors import read_factors

DAY = 86_400_000_000
FRIDAY = 1  # days since 1970-01-01, a Thursday, modulo 7


class Sessions(Protocol):
    """The sessions of a trading calendar, oldest first, shape (n,)."""

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
        resample: the length of the bars to make of those of a file, in microseconds; None leaves them.
    """

    sessions: Callable[[int, int], Sessions] | None = None
    interval: int | None = None
    start: int | None = None
    end: int | None = None
    multiplier: float = 1.0
    lot: float = 0.0
    resample: int | None = None

    def bars(self, path: Path, name: str | None = None, factors: Path | None = None) -> Bars:
        """The bars of a csv, csv.gz or parquet file with the columns ts_utc, open, high, low, close, volume.

        Args:
            name: of the instrument; None takes the file's.
            factors: a LEAN factor file to adjust the prices with, see `factors`.

        Raises:
            BadInput: one line naming the file, and for what is wrong in a row its row and field.
        """
        table = read_table(path)
        check(path, table)
        if self.resample is not None:
            table = resampled(path, table, self.interval or _interval(path, table.time), self.resample)
        opens, closes, days = self._in_time(path, table)
        kept = self._kept(path, table.time)
        prices = table.prices if factors is None else read_factors(factors).apply(days, table.prices)
        prices = np.ascontiguousarray(prices[:, kept])
        return Bars(name or name_of(path), closes[kept], opens[kept], prices, self.multiplier, self.lot)

    def _in_time(self, path: Path, table: BarTable) -> tuple[Integers, Integers, Integers]:
        """When each bar opens and is final, and the day of its session (since 1970)."""
        time, interval = table.time, self.resample or self.interval or _interval(path, table.time)
        closes = time + interval
        np.minimum(closes[:-1], time[1:], out=closes[:-1])
        days = time // DAY
        if self.sessions is None:
            return time, closes, days
        years = (np.array([time[0], time[-1]], "M8[us]").astype("M8[Y]").astype(np.int64) + 1970).tolist()
        known = self.sessions(years[0], years[1])
        if interval == DAY:
            row = _sessions_of(path, table, known, days)
            return known.opens[row], known.closes[row], days
        row = np.minimum(np.searchsorted(known.closes, time, side="right"), len(known.closes) - 1)
        inside = (known.opens[row] <= time) & (time < known.closes[row])
        days = np.where(inside, known.dates[row].astype("M8[D]").astype(np.int64), days)
        return time, np.where(inside, np.minimum(closes, known.closes[row]), closes), days

    def _kept(self, path: Path, time: Integers) -> slice:
        bounds = [None if at is None else int(np.searchsorted(time, at)) for at in (self.start, self.end)]
        kept = slice(*bounds)
        if len(time[kept]) == 0:
            raise BadInput(f"{path}: expected bars in the range, found bars from {iso(time[0])} to {iso(time[-1])}")
        return kept


def _sessions_of(path: Path, table: BarTable, known: Sessions, days: Integers) -> Integers:
    dates = known.dates.astype("M8[D]").astype(np.int64)
    row = np.minimum(np.searchsorted(dates, days), len(dates) - 1)
    if np.any(other := (dates[row] != days) | (table.time % DAY != 0)):
        first = int(np.argmax(other))
        expected = "the date of a session of the calendar, at 00:00Z"
        raise bad_row(path, first + table.first_row, TIME, expected, iso(table.time[first]))
    return row.astype(np.int64)


def resampled(path: Path, table: BarTable, interval: int, length: int) -> BarTable:
    """Bars of `length` of shorter ones: from a whole number of lengths since 1970 (UTC) on, where there are any."""
    if length < interval or length % interval:
        raise BadInput(f"{path}: --resample: expected a whole number of its bars, of {interval / 1e6:g} s")
    first = np.flatnonzero(np.diff(table.time // length, prepend=-1) != 0)
    open_, high, low, close, volume = table.prices
    last = np.append(first[1:], len(table.time)) - 1
    prices = [
        open_[first],
        np.maximum.reduceat(high, first),
        np.minimum.reduceat(low, first),
        close[last],
        np.add.reduceat(volume, first),
    ]
    return BarTable(table.time[first] // length * length, np.array(prices), table.first_row)


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
        for array in (one.time, one.open_time, one.prices):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
