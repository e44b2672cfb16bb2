"""Bars."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.ingestion.bars import bar_times
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.rows import (
    Context,
    Rows,
    finished,
    optional_fields,
    same_text,
    started,
    symbols_of_rows,
    times_column,
    usable_times,
)
from strades_pipelines.ingestion.sanitizer import (
    Judgement,
    judge_bars,
    judge_cells,
    judge_spikes,
    judge_sums,
    judge_times,
    judge_unit_blocks,
)
from strades_pipelines.ingestion.values import Column, numbers, texts, whole_numbers

SUMS = ("volume", "quote_volume", "trade_count")


def candles(block: Block, context: Context) -> Rows:
    """Bars: their close from interval and calendar, whether they are final, and what is wrong with them.

    The bars of a body are of one symbol, or each row names its own.
    """
    interval, calendar = (context.need(name) for name in ("interval", "calendar"))
    judgement = started(block)
    symbols = symbols_of_rows(block, context, judgement)
    stamps = context.instants(block, "open_time")
    judge_times(judgement, stamps, earliest=context.earliest, answered_at=context.now)
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    columns = {name: numbers(block.cells[name]) for name in names if name in block.cells}
    if "trade_count" in block.cells:
        columns["trade_count"] = whole_numbers(block.cells["trade_count"])
    judge_cells(judgement, columns, optional_fields(context))
    sums = {name: columns[name] for name in SUMS if name in columns}
    columns |= judge_sums(judgement, sums, optional_fields(context))
    found = {name: _read(columns.get(name), block.count) for name in names}
    prices = {name: context.currencies.prices(found[name]) if name != "volume" else found[name] for name in names}
    judge_bars(judgement, prices, kind=context.scalars.get("kind") or context.given.get("kind"))
    # After all judgements of cells: `usable_times` puts a harmless time in the place of a bad one, so that no calendar
    # is asked for the year 9999.
    usable, zone = usable_times(stamps, judgement), context.scalars.get("time_zone")
    bars = bar_times(usable, interval=interval, calendar=calendar, time_zone=zone, last_year=context.answered_at.year)
    judgement.mark(bars.misfit, "not_on_the_grid")
    # Spikes are judged against neighbouring bars, which have to be of the same symbol.
    for symbol in pc.unique(symbols) if "symbol" in block.cells else (None,):
        own = np.ones(block.count, np.bool_) if symbol is None else np.asarray(pc.equal(symbols, symbol))
        judge_spikes(judgement, bars.opens, prices["high"], prices["low"], among=own)
        judge_unit_blocks(judgement, bars.opens, prices["close"], among=own)
    closed, basis = _closed(block, context, judgement, bars.opens)
    made = {
        "symbol": symbols,
        "interval": same_text(interval, block.count),
        "open_time": times_column(bars.opens),
        "close_time": times_column(bars.closes),
        **{name: pa.array(values, from_pandas=True) for name, values in prices.items()},
        "trade_count": _counts(columns.get("trade_count"), block.count),
        "is_final": pa.array(closed & (bars.closes <= context.asked)),
        "knowledge_time": times_column(bars.closes),
        "knowledge_basis": basis,
    }
    key = ("symbol", "open_time") if "symbol" in block.cells else ("open_time",)
    return finished("candle", made, judgement, key=key)


def _closed(
    block: Block, context: Context, judgement: Judgement, opens: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], pa.Array]:
    """Which bars the provider is done with, and the basis of that: a bar without its flag is closed by the clock."""
    rule, basis = context.output.finality, context.output.knowledge.basis
    if rule == "all_but_last":
        # By the newest good row: a bad one with a time far ahead would make the forming bar final.
        return np.asarray(opens < opens[judgement.good].max(initial=0)), same_text(basis, block.count)
    if rule == "clock":
        return np.ones(block.count, np.bool_), same_text(basis, block.count)
    flags = texts(block.cells["closed"], context.output.fields["closed"].values)
    judge_cells(judgement, {"closed": flags}, optional_fields(context))
    bases = pa.array(np.where(flags.absent, "assumed", basis)) if flags.absent.any() else None
    return np.asarray(flags.absent | (flags.values == "true")), bases or same_text(basis, block.count)


def _read(column: Column | None, count: int) -> NDArray[np.float64]:
    """The values that could be read, NaN elsewhere."""
    return np.full(count, np.nan) if column is None else np.where(column.absent, np.nan, column.values)


def _counts(column: Column | None, count: int) -> pa.Array:
    if column is None:
        return pa.nulls(count, pa.int64())
    # A mask, not NaN: whole numbers beyond 2^53 would lose digits as floats.
    return pa.array(column.values, pa.int64(), mask=column.absent)
