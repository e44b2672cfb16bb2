"""Dividends and splits."""

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN
from strades_pipelines.ingestion.bars import known_sessions, local_dates, session_of
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.currencies import convert, is_convertible
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
from strades_pipelines.ingestion.values import Column, numbers, texts


def corporate_actions(block: Block, context: Context) -> Rows:
    """Dividends and splits on the venue's date, known at that session's opening.

    Amounts in a unit of the listing's currency (pence, say) are converted; other currencies are kept.
    """
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
    columns = {
        name: numbers(block.cells[name]) for name in ("amount", "numerator", "denominator") if name in block.cells
    }
    stated = {"currency": texts(block.cells["currency"])} if "currency" in block.cells else {}
    judge_cells(judgement, columns, optional_fields(context))
    for name, column in stated.items():  # to take the listing's for it would be to convert it at a rate of 1
        judgement.mark(column.bad, f"{name}_unreadable")
    for name, column in columns.items():
        # Not `<= 0`: a NaN is not positive either.
        judgement.mark(~(column.values > 0), f"{name}_not_positive")
    events = usable_times(times, judgement)
    dates, known, misfit = _ex_dates(events, context)
    judgement.mark(misfit, "not_a_session")
    action = context.output.texts["action"]
    amounts, currencies = _money(columns.get("amount"), stated.get("currency"), context)
    ratio = None
    if "numerator" in columns:
        # A zero stands in a row that is marked already; its quotient is never used.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = columns["numerator"].values / columns["denominator"].values
    if amounts is not None:
        amounts = _paid_together(amounts, currencies, dates, judgement)
    made = {
        "symbol": same_text(context.need("symbol"), block.count),
        "action": same_text(action, block.count),
        "ex_date": pa.array(dates),
        "ratio": pa.nulls(block.count, pa.float64()) if ratio is None else pa.array(ratio),
        "amount": pa.nulls(block.count, pa.float64()) if amounts is None else pa.array(amounts),
        "currency": same_text(None, block.count) if amounts is None else pa.array(currencies, pa.string()),
        "knowledge_time": times_column(known),
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished("corporate_action", made, judgement, key=("ex_date", "action"))


def _money(
    column: Column | None, stated: Column | None, context: Context
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Amounts and the currency of each: the listing's, where theirs is a unit of it; else their own, unconverted."""
    if column is None:
        return None, []
    of_body = context.currencies.body or context.need("currency")
    listing = context.currencies.listing or of_body
    amounts, currencies = column.values.copy(), [listing] * len(column.values)
    for row in range(len(amounts)):
        own = of_body if stated is None or stated.missing[row] or stated.bad[row] else str(stated.values[row])
        if is_convertible(own, listing):
            amounts[row : row + 1] = convert(amounts[row : row + 1], own, listing)
        else:
            currencies[row] = own
    return amounts, currencies


def _paid_together(
    amounts: NDArray[np.float64], currencies: list[str], dates: NDArray[np.datetime64], judgement: Judgement
) -> NDArray[np.float64]:
    """Sum the dividends of one date and currency into its first row; the others of the date are left out.

    A special dividend comes beside the usual one. Equal amounts of a date are duplicates and count once.
    """
    groups: dict[tuple[object, str], list[int]] = {}
    for row in np.flatnonzero(judgement.good).tolist():
        groups.setdefault((dates[row], currencies[row]), []).append(row)
    paid, added = amounts.copy(), np.zeros(len(amounts), np.bool_)
    for group in groups.values():
        different = {float(amounts[row]): row for row in reversed(group)}  # the first row of each amount
        # `fsum`: the sum does not depend on the order in which the provider lists them.
        paid[group] = math.fsum(different)
        added[[row for row in different.values() if row != group[0]]] = True
    judgement.leave_out(added)
    return paid


def _ex_dates(
    events: NDArray[np.int64], context: Context
) -> tuple[NDArray[np.datetime64], NDArray[np.int64], NDArray[np.bool_]]:
    """Date and opening of the session on which each event has its effect, and whether none is known.

    An event of a day without session has its effect on the next one, whose prices are the first without the dividend.
    A stamp from after the session's close is no label of that session: a date's midnight in UTC is the evening before
    in New York, and would make the dividend known a day early.
    """
    calendar, zone = context.need("calendar"), context.scalars.get("time_zone")
    if calendar == ALWAYS_OPEN:
        return local_dates(events, zone or "UTC"), events, np.zeros(len(events), np.bool_)
    known = known_sessions(calendar, events, context.answered_at.year)
    row = session_of(events, known, zone)
    closed = np.flatnonzero(row < 0)
    if len(closed):
        days = local_dates(events[closed], zone or known.time_zone)
        following = np.searchsorted(known.dates, days)
        is_known = (days > known.dates[0]) & (following < len(known.dates))
        row[closed] = np.where(is_known, following, -1)
    at = np.maximum(row, 0)
    return known.dates[at], known.opens[at], np.asarray((row < 0) | (events >= known.closes[at]))
