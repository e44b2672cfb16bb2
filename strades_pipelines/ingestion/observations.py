"""Values of statistical series."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.ingestion.bars import USUAL_YEAR, GivenError, Times, at_local_time, known_sessions
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
    written,
)
from strades_pipelines.ingestion.sanitizer import Judgement, judge_cells, judge_times
from strades_pipelines.ingestion.values import DAY, Column, numbers, texts

DAYS_OF_A_MONTH = 365.25 / 12
USUAL_GAP_DAYS = 6  # over a weekend and holidays; labels that are usually further apart are those of weeks or months


def observations(block: Block, context: Context) -> Rows:
    """Values of series; where there is none is no record.

    They are known with the event, at a local time of their day or, where a row has one, of the day of its vintage. A
    vintage that says what the one before it said is no record: it was known already.

    Raises:
        GivenError: values of weeks, months or years would be known before their interval has ended.
    """
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)
    values = numbers(block.cells["value"])
    if context.output.missing:
        judgement.leave_out(values.missing)
    vintages = context.instants(block, "vintage") if "vintage" in block.cells else None
    if vintages is not None:
        judge_times(judgement, vintages, earliest=context.earliest, answered_at=context.now)
    others = [name for name in block.cells if name not in ("event_time", "value", "vintage", "period_start")]
    fields = context.output.fields
    words = {name: texts(block.cells[name], fields[name].values, fields[name].pattern) for name in others}
    judge_cells(judgement, {"value": values} | words, optional_fields(context))
    if context.output.positive:
        judgement.mark(~(values.values > 0), "value_not_positive")
    if "period_start" in block.cells:
        words["period"] = _periods(context.instants(block, "period_start"), times, judgement)
    if "series" in words and "symbol" in context.given:  # unit and delay are those of the series asked for
        judgement.mark(words["series"].values != context.given["symbol"], "another_symbol")
    events = usable_times(times, judgement)
    rule = context.output.knowledge
    known = events
    series = written(context, "series", words, block.count)
    if rule.rule == "daily":
        _check_lag(events[judgement.good], series.filter(pa.array(judgement.good)), context)
        known = at_local_time(_published(events, context), str(rule.at), str(rule.time_zone))
    stated = pa.nulls(block.count, pa.date32())
    if vintages is not None:
        days = usable_times(vintages, judgement).astype("datetime64[us]").astype("datetime64[D]")
        stated = pa.array(days)
        if rule.rule == "vintage":  # today's is in the answer before the day is over
            known = np.minimum(at_local_time(days, str(rule.at), str(rule.time_zone)), context.now)
    made = {
        "series": series,
        "event_time": times_column(events),
        "value": pa.array(values.values),
        "unit": written(context, "unit", words, block.count),
        "vintage": stated,
        "knowledge_time": times_column(known),
        "knowledge_basis": same_text(rule.basis, block.count),
    }
    if vintages is None:
        return finished("observation", made, judgement, key=("series", "event_time"))
    judgement.leave_out(_repeated(made, judgement, by=("series", "event_time", "vintage", "value")))
    rows = finished("observation", made, judgement, key=("series", "event_time", "vintage"))
    judgement.leave_out(_repeated(made, judgement, by=("series", "event_time", "value")))
    return rows


def _periods(starts: Column, ends: Column, judgement: Judgement) -> Column:
    """How long the periods are that values are of: `instant`, `P3M`, `P12M`; by the day where shorter than a month.

    Periods of 13 weeks, of 14 weeks and of three months of the calendar are all quarters: to the nearest month.
    """
    judgement.mark(starts.bad, "period_start_unreadable")
    judgement.mark(~starts.absent & (starts.values > ends.values), "period_ends_before_it_starts")
    days = (ends.values - starts.values) // DAY + 1
    # To the nearest month: quarters have 89 to 98 days.
    months = np.rint(days / DAYS_OF_A_MONTH).astype(np.int64)
    names = [f"P{month}M" if month else f"P{day}D" for month, day in zip(months, days, strict=True)]
    words = np.where(starts.missing, "instant", np.array(names, object))
    return Column(words, np.zeros(len(words), np.bool_), starts.bad)


def _repeated(made: dict[str, pa.Array], judgement: Judgement, *, by: tuple[str, ...]) -> NDArray[np.bool_]:
    """Good rows that are equal in `by` to the one before them in the order of series, time and vintage."""
    codes = {
        name: made[name].dictionary_encode().indices.to_numpy(zero_copy_only=False) for name in {*by} - {"vintage"}
    }
    codes["vintage"] = made["vintage"].cast(pa.int32()).to_numpy(zero_copy_only=False)
    good = np.flatnonzero(judgement.good)
    order = good[np.lexsort([codes[name][good] for name in ("value", "vintage", "event_time", "series")])]
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for name in by:
        same &= codes[name][order][1:] == codes[name][order][:-1]
    mask = np.zeros(len(judgement.codes), np.bool_)
    mask[order[1:][same]] = True
    return mask


def _check_lag(labels: Times, series: pa.Array, context: Context) -> None:
    """Refuse a lag that does not reach over the interval of each series: its first day is its label.

    The interval is the usual (median) distance of the labels of a series; one label alone tells of none.
    """
    days, encoded, lag = labels // DAY, series.dictionary_encode(), _lag_days(context)
    codes = np.asarray(encoded.indices)
    order = np.lexsort((days, codes))
    for own in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        gaps = np.diff(np.unique(days[own]))
        usual = float(np.median(gaps)) if len(gaps) else 0.0
        if usual > USUAL_GAP_DAYS and lag <= usual:
            name = encoded.dictionary[int(codes[own[0]])]
            raise GivenError(
                f"expected lag_days above {usual:g}, the usual distance of {name}'s labels, was {lag}: "
                "a value is published only after its interval has ended; give lag_days=..."
            )


def _lag_days(context: Context) -> int:
    given = context.scalars.get("lag_days")
    if given is not None and not (given.isascii() and given.isdigit() and len(given) <= 6):
        raise GivenError(f"expected lag_days as a number of days, was {given[:20]!r}")
    return int(given or context.output.knowledge.lag_days)


def _published(labels: Times, context: Context) -> NDArray[np.datetime64]:
    """The publication dates of values: `lag_days` after their labels, moved to the next day with a session."""
    rule = context.output.knowledge
    days = labels.astype("datetime64[us]").astype("datetime64[D]") + _lag_days(context)
    if rule.calendar is None:
        return np.asarray(days)
    # Weekdays before the calendar's first session and after its last: better than no day, and never earlier.
    weekdays = np.busday_offset(days, 0, roll="forward")  # where the calendar does not reach
    recent = days[days >= np.datetime64(f"{USUAL_YEAR}-01-01")].astype("datetime64[us]").astype(np.int64)
    known = known_sessions(rule.calendar, recent, context.answered_at.year).dates
    at = np.searchsorted(known, days)
    covered = (days >= known[0]) & (at < len(known))
    return np.where(covered, known[np.minimum(at, len(known) - 1)], weekdays)
