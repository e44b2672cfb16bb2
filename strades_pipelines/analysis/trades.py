"""Round trips from fills: from flat until flat again, at average cost.

Flat to flat, because one decision is then one trade however many fills the market made of it: matched lot by lot (FIFO)
an order filled in ten parts would count as ten trades, and hit rate, expectancy and SQN would measure how deep the
market was. The sum of all profits is the same either way. A fill through zero ends one trade and starts the next at the
same price, its fee shared by quantity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis.arrays import Bools, Floats, Ints
from strades_pipelines.analysis.excursions import Bars, bars_held, excursions
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.trade_pieces import DUST, Pieces, pieces_of


@dataclass(frozen=True)
class Trades:
    """Round trips in the order of their exit, open ones last, each array of shape (n,).

    i: instrument. direction: 1 long, -1 short. quantity: units entered in all, > 0. entry_time, exit_time: the first
    and the last fill, int64 microseconds UTC. entry_price, exit_price: averages by quantity. fee: money. profit: money,
    after fees. return_: profit over the money entered. is_open: not closed by a fill; exit_price then has the mark in
    it, if one was given. bars_held, mae, mfe: nan where no bars were given. mae <= 0 <= mfe: the worst and the best
    price while it was held, in the trade's favour, as a fraction of the entry price.
    """

    i: Ints
    direction: Ints
    quantity: Floats
    entry_time: Ints
    exit_time: Ints
    entry_price: Floats
    exit_price: Floats
    fee: Floats
    profit: Floats
    return_: Floats
    is_open: Bools
    bars_held: Floats
    mae: Floats
    mfe: Floats

    def __len__(self) -> int:
        return len(self.i)

    def take(self, rows: npt.NDArray[np.generic]) -> "Trades":
        """The chosen rows: indices, or one boolean a row."""
        return Trades(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def closed(self) -> "Trades":
        """Those that are over: what the statistics are made of."""
        return self.take(~self.is_open)


def round_trips(
    fills: Fills,
    *,
    bars: Mapping[int, Bars] | None = None,
    marks: Mapping[int, float] | None = None,
    units: Mapping[int, float] | None = None,
) -> Trades:
    """The trades that the fills make.

    Args:
        bars: per instrument, for bars held and excursions.
        marks: per instrument, the price that values what is still open; without one its profit is nan.
        units: per instrument, what a point of that price is worth in money; None: what it was at the last fill.
    """
    found = [
        _of_instrument(i, part, (bars or {}).get(i), (marks or {}).get(i, np.nan), (units or {}).get(i))
        for i, part in fills.by_instrument()
    ]
    if not found:
        return no_trades()
    trades = Trades(**{field.name: np.concatenate([getattr(x, field.name) for x in found]) for field in fields(Trades)})
    # `lexsort` sorts by its last key first.
    return trades.take(np.lexsort((trades.entry_time, trades.exit_time, trades.is_open)))


def no_trades() -> Trades:
    """Of shape (0,)."""
    integers, numbers = np.zeros(0, np.int64), np.zeros(0)
    given: dict[str, Any] = {field.name: numbers for field in fields(Trades)}
    whole = dict.fromkeys(("i", "direction", "entry_time", "exit_time"), integers)
    return Trades(**(given | whole | {"is_open": np.zeros(0, bool)}))


def _of_instrument(i: int, fills: Fills, bars: Bars | None, mark: float, unit: float | None) -> Trades:
    pieces = pieces_of(fills)
    entry_time, exit_time, is_open = pieces.time[pieces.first], pieces.time[pieces.last], pieces.remaining != 0
    entry_price = pieces.value_entered / pieces.entered
    mae, mfe = excursions(bars, entry_time, exit_time, pieces.direction, entry_price, is_open)
    profit = _profit(pieces, mark, unit)
    return Trades(
        i=np.full(len(entry_time), i, np.int64),
        direction=pieces.direction,
        quantity=pieces.entered,
        entry_time=entry_time,
        exit_time=exit_time,
        entry_price=entry_price,
        exit_price=_exit_price(pieces, mark),
        fee=pieces.total(pieces.fee),
        profit=profit,
        return_=profit / pieces.money_entered,
        is_open=is_open,
        bars_held=bars_held(bars, entry_time, exit_time, is_open),
        mae=mae,
        mfe=mfe,
    )


def _profit(pieces: Pieces, mark: float, unit: float | None) -> Floats:
    """Money after fees; less than `DUST` of the money entered is what rounding left of nothing."""
    money = pieces.total(-pieces.quantity * pieces.price * pieces.multiplier) - pieces.total(pieces.fee)
    held = pieces.remaining != 0
    worth = mark * (pieces.multiplier[pieces.last] if unit is None else unit)
    profit = money + np.where(held, pieces.remaining * worth, 0.0)
    return np.where(np.abs(profit) <= DUST * pieces.money_entered, 0.0, profit)


def _exit_price(pieces: Pieces, mark: float) -> Floats:
    still = np.abs(pieces.remaining)
    size = np.where(pieces.entering, 0.0, np.abs(pieces.quantity))
    value = pieces.total(size * pieces.price) + np.where(still > 0, still * mark, 0.0)
    return value / (pieces.total(size) + still)
