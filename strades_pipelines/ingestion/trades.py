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
    symbols_of_rows,
    times_column,
    usable_times,
)
from strades_pipelines.ingestion.sanitizer import Judgement, judge_cells, judge_times
from strades_pipelines.ingestion.values import Column, numbers, texts


def trades(block: Block, context: Context) -> Rows:
    """Trades, known when they happened; without a side where the venue does not say who took."""
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
    columns = {name: numbers(block.cells[name]) for name in ("price", "size")}
    named = [name for name in ("trade_id", "side") if name in block.cells]
    words = {name: texts(block.cells[name], context.output.fields[name].values) for name in named}
    judge_cells(judgement, columns | words, optional_fields(context))
    for name, column in columns.items():
        judgement.mark(~(column.values > 0), f"{name}_not_positive")
    symbols = symbols_of_rows(block, context, judgement)
    happened = times_column(usable_times(times, judgement))
    made = {
        "symbol": symbols,
        "trade_id": pa.array(words["trade_id"].values, pa.string()),
        "event_time": happened,
        "price": pa.array(context.currencies.prices(columns["price"].values)),
        "size": pa.array(columns["size"].values),
        "side": _sides(words.get("side"), block.count, judgement),
        "knowledge_time": happened,
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished(
        "trade", made, judgement, key=("symbol", "trade_id", "event_time"), order=("event_time", "trade_id")
    )


def _sides(said: Column | None, count: int, judgement: Judgement) -> pa.Array:
    if said is None:
        return pa.nulls(count, pa.string())
    judgement.mark(~said.absent & ~np.isin(said.values, ("buy", "sell")), "side_unreadable")
    return pa.array(said.values, pa.string(), mask=said.absent)
