"""What bars must be before anything is traded on them; the first bad one is found without looking at each in Python."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.bad_input import BadInput, bad_row
from strades_pipelines.bars.bar_table import PRICES, TIME, BarTable
from strades_pipelines.engine.columns import Floats, Integers

Bools = NDArray[np.bool_]
Rule = tuple[str, Bools, str, Callable[[int], Any]]


def check(path: Path, table: BarTable) -> None:
    """Refuse the first bar that cannot be.

    Raises:
        BadInput: naming its row and field: a price that is no number above 0, a volume below 0, a time that is not
            later than the one before, a high below the low, an open or close outside of them.
    """
    faults = [(int(np.argmax(bad)), k, rule) for k, rule in enumerate(_rules(table)) if (bad := rule[1]).any()]
    if faults:
        row, _, rule = min(faults, key=lambda fault: fault[:2])
        raise _bad_input(path, table, row, rule)


def _bad_input(path: Path, table: BarTable, row: int, rule: Rule) -> BadInput:
    field, _, expected, found = rule
    return bad_row(path, row + table.first_row, field, expected, found(row))


def _rules(table: BarTable) -> Iterator[Rule]:
    """Field, what is bad, what was expected, what was found at a row."""
    open_, high, low, close, volume = table.prices
    for name, values in zip(PRICES, table.prices, strict=True):
        if name != "volume":
            yield name, ~(np.isfinite(values) & (values > 0.0)), "a price above 0", values.item
    yield "volume", ~(np.isfinite(volume) & (volume >= 0.0)), "a volume of 0 or more", volume.item
    backwards = np.zeros(len(table.time), np.bool_)
    # The first has none before it.
    np.less_equal(table.time[1:], table.time[:-1], out=backwards[1:])
    yield TIME, backwards, "a time after the one of the row before", lambda row: _order(table.time, row)
    yield "high", high < low, "a high not below the low", lambda row: f"high {high[row]} and low {low[row]}"
    for name, values in (("open", open_), ("close", close)):
        yield name, (values < low) | (values > high), "a price within low and high", _outside(values, low, high)


def _outside(values: Floats, low: Floats, high: Floats) -> Callable[[int], str]:
    return lambda row: f"{values[row]} outside of {low[row]} to {high[row]}"


def _order(time: Integers, row: int) -> str:
    if time[row] == time[row - 1]:
        return f"{iso(time[row])} twice"
    return f"{iso(time[row])} after {iso(time[row - 1])}"


def iso(time: int) -> str:
    """Microseconds as people read them: ISO 8601 in UTC, with Z."""
    moment = np.datetime64(int(time), "us")
    return f"{np.datetime_as_string(moment, unit='s' if int(time) % 1_000_000 == 0 else 'us')}Z"
