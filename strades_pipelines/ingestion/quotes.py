"""Best bids and asks."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.rows import (
    Context,
    Rows,
    finished,
    same_text,
    started,
    symbols_of_rows,
    times_column,
    usable_times,
)
from strades_pipelines.ingestion.sanitizer import Judgement, judge_times
from strades_pipelines.ingestion.values import Column, numbers, texts

SIDES = ("bid", "ask")


def quotes(block: Block, context: Context) -> Rows:
    """Quotes, known when the venue states them; where it states no time, when their bytes had come.

    A side without a price, or with a price of 0, is one on which nobody stands; a row without both says nothing fit to
    store. An output with `every_ms` has the newest quote of each so many milliseconds, as it came.
    """
    judgement = started(block)
    times, basis = _times(block, context, judgement)
    sides = {side: _side(block, judgement, side) for side in SIDES}
    (bid, _), (ask, _) = sides["bid"], sides["ask"]
    judgement.mark(np.isnan(bid) & np.isnan(ask), "bid_and_ask_missing")
    with np.errstate(invalid="ignore"):
        judgement.mark(bid > ask, "bid_above_ask")
    ids = texts(block.cells["quote_id"]) if "quote_id" in block.cells else None
    if ids is not None:
        judgement.mark(ids.absent, "quote_id_unreadable")
    symbols = symbols_of_rows(block, context, judgement)
    stated = usable_times(times, judgement)
    if context.output.every_ms:
        _leave_out_older(judgement, symbols, stated // (context.output.every_ms * 1_000), stated)
    happened = times_column(stated)
    made = {
        "symbol": symbols,
        "quote_id": same_text("", block.count) if ids is None else pa.array(ids.values, pa.string()),
        "event_time": happened,
        **{side: pa.array(context.currencies.prices(sides[side][0]), from_pandas=True) for side in SIDES},
        **{f"{side}_size": pa.array(sides[side][1], from_pandas=True) for side in SIDES},
        "knowledge_time": happened,
        "knowledge_basis": same_text(basis, block.count),
    }
    key = ("symbol", "event_time", "quote_id")
    return finished("quote", made, judgement, key=key, order=("event_time", "quote_id"))


def _times(block: Block, context: Context, judgement: Judgement) -> tuple[Column, str]:
    """The times of the rows and their basis."""
    if "event_time" in block.cells:
        times = context.instants(block, "event_time")
        judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
        return times, context.output.knowledge.basis
    fine = np.zeros(block.count, np.bool_)
    return Column(np.full(block.count, context.now, np.int64), fine, fine), "observed"


def _side(block: Block, judgement: Judgement, side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The price of a side and the units at it, NaN where there is none."""
    price, size = (_read(block, judgement, name) for name in (side, f"{side}_size"))
    price = np.where(price == 0, np.nan, price)
    return price, np.where(np.isnan(price), np.nan, size)


def _read(block: Block, judgement: Judgement, name: str) -> NDArray[np.float64]:
    if name not in block.cells:
        return np.full(block.count, np.nan)
    column = numbers(block.cells[name])
    judgement.mark(column.bad, f"{name}_unreadable")
    judgement.mark(~column.absent & (column.values < 0), f"{name}_negative")
    return np.where(column.absent, np.nan, column.values)


def _leave_out_older(
    judgement: Judgement, symbols: pa.Array, cells: NDArray[np.int64], times: NDArray[np.int64]
) -> None:
    """Leave out all but the newest good row of each symbol and cell of time; of one instant the last that came."""
    rows = np.flatnonzero(judgement.good)
    codes = symbols.dictionary_encode().indices.to_numpy(zero_copy_only=False)[rows]
    order = np.lexsort((times[rows], cells[rows], codes))  # stable: of one instant in the order of arrival
    is_newest = np.ones(len(rows), np.bool_)
    is_newest[:-1] = (np.diff(codes[order]) != 0) | (np.diff(cells[rows][order]) != 0)
    older = np.zeros(len(times), np.bool_)
    older[rows[order][~is_newest]] = True
    judgement.leave_out(older)
