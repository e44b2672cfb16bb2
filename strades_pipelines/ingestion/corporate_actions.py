"""Dividends and splits."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN
from strades_pipelines.ingestion.bars import known_sessions, local_dates, session_of
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
from strades_pipelines.ingestion.sanitizer import judge_cells, judge_times
from strades_pipelines.ingestion.values import numbers


def corporate_actions(block: Block, context: Context) -> Rows:
    """Dividends and splits on the venue's date, known at that session's opening."""
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
    columns = {
        name: numbers(block.cells[name]) for name in ("amount", "numerator", "denominator") if name in block.cells
    }
    judge_cells(judgement, columns, optional_fields(context))
    for name, column in columns.items():
        judgement.mark(~(column.values > 0), f"{name}_not_positive")
    events = usable_times(times, judgement)
    dates, known, closed = _ex_dates(events, context)
    judgement.mark(closed, "not_a_session")
    action = context.output.texts["action"]
    currency = context.need("currency") if "amount" in columns else None
    ratio = None
    if "numerator" in columns:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = columns["numerator"].values / columns["denominator"].values
    made = {
        "symbol": same_text(context.need("symbol"), block.count),
        "action": same_text(action, block.count),
        "ex_date": pa.array(dates),
        "ratio": pa.nulls(block.count, pa.float64()) if ratio is None else pa.array(ratio),
        "amount": pa.array(columns["amount"].values) if "amount" in columns else pa.nulls(block.count, pa.float64()),
        "currency": same_text(currency, block.count),
        "knowledge_time": times_column(known),
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished("corporate_action", made, judgement, key=("ex_date", "action"))


def _ex_dates(
    events: NDArray[np.int64], context: Context
) -> tuple[NDArray[np.datetime64], NDArray[np.int64], NDArray[np.bool_]]:
    """Local date, session's opening and whether there was none, for each event."""
    calendar, zone = context.need("calendar"), context.scalars.get("time_zone")
    if calendar == ALWAYS_OPEN:
        return local_dates(events, zone or "UTC"), events, np.zeros(len(events), np.bool_)
    known = known_sessions(calendar, events, context.answered_at.year)
    row = session_of(events, known, zone)
    return known.dates[np.maximum(row, 0)], known.opens[np.maximum(row, 0)], np.asarray(row < 0)
