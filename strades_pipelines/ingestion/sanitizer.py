"""Which rows are fit to load. Each row that is not gets one reason; its good neighbours are kept.

The laws are those of the tables: a price is a positive number but for a future's, a bar's high and low hold its open
and close, an event has happened when its bytes were fetched, a key is there once. Nothing is
repaired: values are taken or left.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.ingestion.values import Column

Mask = NDArray[np.bool_]
CLOCK_SKEW = 10_000_000  # microseconds by which a provider's clock may be ahead of ours
SPIKE = 20.0  # a bar this many times above or below both its neighbours is a mistake of units, not a price
HUNDREDFOLD = (80.0, 125.0)  # the changes of a price that are taken for one of its unit
TIME_REASONS = ("time_unreadable", "time_before_the_earliest", "time_in_the_future")


class Judgement:
    """The first reason found against each row; none is good."""

    def __init__(self, count: int) -> None:
        self.codes = np.zeros(count, np.int16)
        self.empty: Mask = np.zeros(count, np.bool_)
        self.reasons = ["good"]
        self.lost_fields: list[tuple[str, Mask]] = []  # rows that are kept without a field, and why

    @property
    def good(self) -> Mask:
        """The rows nothing is held against."""
        return np.asarray(self.codes == 0)

    def mark(self, mask: Mask, reason: str) -> None:
        """Hold `reason` against the good rows of `mask`."""
        if not mask.any():
            return
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.codes[mask & (self.codes == 0)] = self.reasons.index(reason)

    def lose_field(self, mask: Mask, reason: str) -> None:
        """The rows of `mask` are without a field that they need not have."""
        if mask.any():
            self.lost_fields.append((reason, mask))

    def leave_out(self, mask: Mask) -> None:
        """The good rows of `mask` say nothing: they are no records, and no rejects."""
        self.empty |= mask & self.good
        self.mark(mask, "empty")

    def reason(self, row: int) -> str:
        """What is held against a row."""
        return self.reasons[int(self.codes[row])]

    def all_for(self, reasons: Sequence[str]) -> bool:
        """Whether there are rows and every one has a reason of `reasons`."""
        wanted = [code for code, name in enumerate(self.reasons) if name in reasons]
        return len(self.codes) > 0 and bool(np.isin(self.codes, wanted).all())


def judge_cells(judgement: Judgement, columns: Mapping[str, Column], optional: Mapping[str, bool]) -> None:
    """Values that are missing where they must not be, or that cannot be read.

    What a row may be without, it is without where it cannot be read: that is told, and the row stays.
    """
    for name, column in columns.items():
        if optional[name]:
            judgement.lose_field(column.bad, f"{name}_unreadable")
        else:
            judgement.mark(column.bad, f"{name}_unreadable")
            judgement.mark(column.missing, f"{name}_missing")


def judge_times(judgement: Judgement, times: Column, *, earliest: int, answered_at: int) -> None:
    """Events before there could be any, or after their bytes had come: most often a wrong unit."""
    judgement.mark(times.missing | times.bad, "time_unreadable")
    judgement.mark(times.values < earliest, "time_before_the_earliest")
    judgement.mark(times.values > answered_at + CLOCK_SKEW, "time_in_the_future")


def judge_sums(judgement: Judgement, columns: Mapping[str, Column], optional: Mapping[str, bool]) -> dict[str, Column]:
    """Volumes and counts without those below zero, which providers write where they have none (-1)."""
    kept = {}
    for name, column in columns.items():
        negative = ~column.absent & (column.values < 0)
        if optional[name]:
            judgement.lose_field(negative, f"{name}_negative")
        else:
            judgement.mark(negative, f"{name}_negative")
        kept[name] = Column(column.values, column.missing | negative, column.bad)
    return kept


def judge_bars(judgement: Judgement, prices: Mapping[str, NDArray[np.float64]], *, kind: str | None = None) -> None:
    """A bar's prices are positive, and its high and low hold the others.

    Args:
        prices: open, high, low, close.
        kind: of instrument. The price of a `future` may be any: crude oil settled at -37.63 on 2020-04-20.
    """
    o, h, low, c = (prices[name] for name in ("open", "high", "low", "close"))
    with np.errstate(invalid="ignore"):
        if kind != "future":
            # Turned round, so that a NaN is not positive either.
            judgement.mark(~((o > 0) & (h > 0) & (low > 0) & (c > 0)), "price_not_positive")
        judgement.mark(h < low, "high_below_low")
        judgement.mark((o > h) | (o < low), "open_outside_range")
        judgement.mark((c > h) | (c < low), "close_outside_range")


def judge_spikes(
    judgement: Judgement, times: NDArray[np.int64], high: NDArray[np.float64], low: NDArray[np.float64], *, among: Mask
) -> None:
    """A bar whose whole range is many times above, or below, the ranges of both its neighbours in time.

    Args:
        among: the rows of one symbol.
    """
    rows = np.flatnonzero(judgement.good & among)
    rows = rows[np.argsort(times[rows], kind="stable")]
    if len(rows) < 3:
        return
    tall, deep = high[rows], low[rows]
    if deep.min() <= 0:
        return  # ratios say nothing of prices that cross zero
    before_high, after_high, before_low, after_low = tall[:-2], tall[2:], deep[:-2], deep[2:]
    above = deep[1:-1] > SPIKE * np.maximum(before_high, after_high)
    below = tall[1:-1] * SPIKE < np.minimum(before_low, after_low)
    mask = np.zeros(len(judgement.codes), np.bool_)
    mask[rows[1:-1][above | below]] = True
    judgement.mark(mask, "price_spike")


def judge_unit_blocks(
    judgement: Judgement, times: NDArray[np.int64], close: NDArray[np.float64], *, among: Mask
) -> None:
    """A few bars between a change to about a hundredth, or a hundredfold, and the change back are in another unit.

    Known of Yahoo's London and Johannesburg prices (yfinance calls them "100x errors"). Where they are more than a
    third of the bars on either side, or prices do not change back within the body, nothing tells which unit is wrong.

    Args:
        among: the rows of one symbol.
    """
    rows = np.flatnonzero(judgement.good & among)
    rows = rows[np.argsort(times[rows], kind="stable")]
    if len(rows) < 3 or close[rows].min() <= 0:
        return
    change = close[rows[1:]] / close[rows[:-1]]
    least, most = HUNDREDFOLD
    up, down = (change > least) & (change < most), (change > 1 / most) & (change < 1 / least)
    borders = np.flatnonzero(up | down) + 1
    bounds = [0, *borders.tolist(), len(rows)]
    mask = np.zeros(len(judgement.codes), np.bool_)
    # Blocks at either end of a body have nothing beyond them to be compared with: they stay.
    for before, begin, end, after in zip(bounds, bounds[1:], bounds[2:], bounds[3:], strict=False):
        is_back = up[begin - 1] != up[end - 1]
        if is_back and 3 * (end - begin) <= min(begin - before, after - end):
            mask[rows[begin:end]] = True
    judgement.mark(mask, "price_in_another_unit")


def judge_duplicates(judgement: Judgement, key: Sequence[pa.Array], values: Sequence[pa.Array]) -> None:
    """A key is there once. Of equal rows the first is kept; of rows that differ none is: nothing says which is right.

    Each extra or conflicting row is a reject of its own.
    """
    rows = np.flatnonzero(judgement.good)
    codes = [np.asarray(part.dictionary_encode().indices.to_numpy(zero_copy_only=False))[rows] for part in key]
    # `lexsort` sorts by its last key first.
    order = np.lexsort(codes[::-1])
    same = np.ones(max(len(rows) - 1, 0), np.bool_)
    for code in codes:
        same &= code[order][1:] == code[order][:-1]
    if not same.any():
        return
    twice, conflicting = np.zeros(len(judgement.codes), np.bool_), np.zeros(len(judgement.codes), np.bool_)
    for group in np.split(rows[order], np.flatnonzero(~same) + 1):
        if len(group) > 1:
            # As text, in which a NaN is equal to a NaN.
            versions = {repr([value[row].as_py() for value in values]) for row in group.tolist()}
            if len(versions) == 1:
                twice[group[1:]] = True
            else:
                conflicting[group] = True
    judgement.mark(twice, "duplicate")
    judgement.mark(conflicting, "conflicting_duplicate")
