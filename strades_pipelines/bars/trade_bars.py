"""Bars made of a file of trades: of a length of time, a number of trades, a volume or an amount of money."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.bars.bar_checks import iso
from strades_pipelines.bars.bar_table import TIME, read_columns
from strades_pipelines.bars.bar_timing import DAY
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.market.instruments import interval_length

Flags = np.typing.NDArray[np.bool_]
COLUMNS = ("price", "amount")
MOST_BARS = 50_000_000
SPEC = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ticks|volume|notional)")
EXPECTED = "1m, 4h or another interval, 1000ticks, 50volume or 1000000notional, and ,skip-empty after an interval"


@dataclass(frozen=True)
class Trades:
    """Trades of one instrument in the order of the file: `time` microseconds UTC, `price` and `amount`, shape (n,)."""

    time: Integers
    price: Floats
    amount: Floats


@dataclass(frozen=True)
class Every:
    """When a bar ends.

    Args:
        length: of time, in microseconds; 0 for one of the others.
        unit: ticks, volume or notional; empty for a time.
        size: how many of the unit make a bar.
        fills_empty: whether a time without a trade has a bar at the last price, without volume.
    """

    length: int = 0
    unit: str = ""
    size: float = 0.0
    fills_empty: bool = True

    @property
    def full_at(self) -> float:
        """How many of the unit fill a bar: ten amounts of 0.1 fill one of 1, whose sum as floats is below it."""
        return self.size if self.unit == "ticks" else self.size * (1.0 - 1e-12)


def parse_every(text: str) -> Every:
    """The meaning of `--every`.

    Raises:
        BadInput: for anything else.
    """
    spec, comma, rest = text.partition(",")
    if found := SPEC.fullmatch(spec):
        size = float(found["number"])
        if size > 0.0 and not comma and (found["unit"] != "ticks" or size.is_integer()):
            return Every(unit=found["unit"], size=size)
    elif rest == "skip-empty" or not comma:
        try:
            return Every(length=round(interval_length(spec).total_seconds() * 1_000_000), fills_empty=not comma)
        except ValueError:
            pass
    raise BadInput(f"--every: expected {EXPECTED}; found {text!r}")


def read_trades(path: Path) -> Trades:
    """A csv, csv.gz or parquet file with the columns ts_utc, price and amount; equal times are in the file's order.

    Raises:
        BadInput: naming the file, the row and the field.
    """
    time, (price, amount), first_row = read_columns(path, COLUMNS, "trades")
    backwards = np.append(False, time[1:] < time[:-1])
    rules: list[tuple[str, Flags, str, Callable[[int], object]]] = [
        ("price", ~(np.isfinite(price) & (price > 0.0)), "a price above 0", price.item),
        ("amount", ~(np.isfinite(amount) & (amount >= 0.0)), "an amount of 0 or more", amount.item),
        (TIME, backwards, "a time not before the one of the row before", lambda row: iso(int(time[row]))),
    ]
    faults = [(int(np.argmax(bad)), k) for k, (_, bad, _, _) in enumerate(rules) if bad.any()]
    if faults:
        row, k = min(faults)
        field, _, expected, found = rules[k]
        raise bad_row(path, row + first_row, field, expected, found(row))
    return Trades(time, price, amount)


def as_bars(trades: Trades) -> Floats:
    """Each trade as a bar of its one price: open, high, low, close and volume, shape (5, n)."""
    return np.array([*(trades.price,) * 4, trades.amount])


def complete_groups(path: Path, trades: Trades, every: Every) -> tuple[Integers, int, Integers]:
    """The bars of so many trades, such a volume or so much money: the first trade of each, where the last ends, and
    when each is known, microseconds UTC.

    One that is not full is closed by the midnight (UTC) that ends its day; what is left behind the last bar makes none.

    Raises:
        BadInput: all trades together do not make one.
    """
    ends, is_full = daily_ends(trades.time, trades.price, trades.amount, every)
    kept = len(ends) - int(len(ends) > 0 and not is_full[-1])
    ends, last = ends[:kept], trades.time[ends[:kept] - 1]
    if not kept:
        total = weights(trades.price, trades.amount, every.unit).sum()
        raise BadInput(f"{path}: --every: expected {every.size:g} {every.unit} or more, found {total:g}")
    known = np.where(is_full[:kept], last, (last // DAY + 1) * DAY)
    return np.append(0, ends[:-1]), int(ends[-1]), known


def weights(prices: Floats, amounts: Floats, unit: str) -> Floats:
    """What each trade adds to a bar of ticks, volume or notional, shape (n,)."""
    return {"ticks": np.ones_like(prices), "volume": amounts, "notional": prices * amounts}[unit]


def daily_ends(times: Integers, prices: Floats, amounts: Floats, every: Every) -> tuple[Integers, Flags]:
    """Behind which trades a bar ends, oldest first, and whether it is full; every trade is in one.

    Bars begin anew at each midnight (UTC), so that a day's bars are a function of its trades, whatever day came
    before: the last of a day may be smaller.

    Args:
        times: of n trades, microseconds UTC, never falling.
        prices, amounts: of the same n trades.
        every: with a unit.
    """
    days = times // DAY
    borders = np.append(np.flatnonzero(np.diff(days, prepend=days[:1] - 1)), len(times))
    ends: list[Integers] = [np.zeros(0, np.int64)]
    is_full: list[Flags] = [np.zeros(0, np.bool_)]
    for first, last in pairwise(borders.tolist()):
        full = first + full_ends(prices[first:last], amounts[first:last], every)
        rest = [] if len(full) and full[-1] == last else [last]
        ends += [full, np.array(rest, np.int64)]
        is_full += [np.ones(len(full), np.bool_), np.zeros(len(rest), np.bool_)]
    return np.concatenate(ends), np.concatenate(is_full)


def full_ends(prices: Floats, amounts: Floats, every: Every) -> Integers:
    """Behind which trades a bar of so many ticks, such a volume or so much money is full, oldest first.

    A trade that fills a bar belongs to it whole.

    Args:
        prices, amounts: of n trades in their order.
        every: with a unit.
    """
    if every.unit == "ticks":
        return np.arange(int(every.size), len(prices) + 1, int(every.size))
    added = weights(prices, amounts, every.unit)
    ends: list[int] = []
    at, length = 0, 64
    while at < len(added):
        # The sums of a bar alone: whatever trades came before it, or came with it, it ends with the same trade.
        filled = np.cumsum(added[at : at + length])
        count = int(np.searchsorted(filled, every.full_at, side="left")) + 1
        if count <= len(filled):
            at += count
            ends.append(at)
            length = count + count // 8 + 16
        elif at + length < len(added):
            length *= 4
        else:
            break
    return np.array(ends, np.int64)


def with_empty(path: Path, length: int, opens: Integers, stops: Integers | None) -> tuple[Integers, Integers]:
    """Bars of time with those that no trade is in: when each opens, and the bar with trades that it follows or is.

    Args:
        opens: of the bars that have trades, shape (n,).
        stops: the end of the session of each; behind it there are none until the next trade. None: there is no end.

    Raises:
        BadInput: so many would be made that nobody means it.
    """
    until = np.append(opens[1:], opens[-1] + 1)
    if stops is not None:
        until = np.minimum(until, np.maximum(stops, opens + 1))
    counts = -((opens - until) // length)
    if (total := int(counts.sum())) > MOST_BARS:
        raise BadInput(
            f"{path}: --every: expected at most {MOST_BARS:,} bars, found {total:,}; a longer one, or ,skip-empty"
        )
    source = np.repeat(np.arange(len(opens)), counts)
    number = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    return opens[source] + number * length, source
