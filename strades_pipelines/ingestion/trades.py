"""Trades."""

import numpy as np
import pyarrow as pa

from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.rows import (
    Context,
    Rows,
    finished,
    optional_fields,
    same_text,
    started,
    times_column,
    usable_times,
)
from strades_pipelines.ingestion.sanitizer import Judgement, judge_cells, judge_times
from strades_pipelines.ingestion.values import numbers, texts


def trades(block: Block, context: Context) -> Rows:
    """Trades, known when they happened."""
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
    columns = {name: numbers(block.cells[name]) for name in ("price", "size")}
    words = {name: texts(block.cells[name], context.output.fields[name].values) for name in ("trade_id", "side")}
    judge_cells(judgement, columns | words, optional_fields(context))
    for name, column in columns.items():
        judgement.mark(~(column.values > 0), f"{name}_not_positive")
    judgement.mark(~np.isin(words["side"].values, ("buy", "sell")), "side_unreadable")
    symbols = _symbols(block, context, judgement)
    happened = times_column(usable_times(times, judgement))
    made = {
        "symbol": symbols,
        "trade_id": pa.array(words["trade_id"].values, pa.string()),
        "event_time": happened,
        "price": pa.array(context.currencies.prices(columns["price"].values)),
        "size": pa.array(columns["size"].values),
        "side": pa.array(words["side"].values, pa.string()),
        "knowledge_time": happened,
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished(
        "trade", made, judgement, key=("symbol", "trade_id", "event_time"), order=("event_time", "trade_id")
    )


def _symbols(block: Block, context: Context, judgement: Judgement) -> pa.Array:
    """The rows' own symbol; one that is not the symbol asked for is held against its row."""
    asked = context.scalars.get("symbol")
    if "symbol" not in block.cells:
        return same_text(context.need("symbol"), block.count)
    own = texts(block.cells["symbol"])
    judgement.mark(own.bad, "symbol_unreadable")
    if asked is None:
        judgement.mark(own.missing, "symbol_missing")
        return pa.array(own.values, pa.string())
    judgement.mark(~own.missing & (own.values != asked), "another_symbol")
    return same_text(asked, block.count)
