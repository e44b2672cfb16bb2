"""Documents that companies and authorities file."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.ingestion.bars import at_local_time
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
from strades_pipelines.ingestion.values import Column, instants, texts
from strades_pipelines.ingestion.verdicts import BodyRefused

CIK_DIGITS = 10
NEW_YORK = "America/New_York"
SIX_HOURS = 6 * 3_600_000_000  # microseconds
NEW_YORK_BEHIND = 5 * 3_600_000_000  # microseconds; 4 hours in summer


def documents(block: Block, context: Context) -> Rows:
    """Documents, known when the archive gave them out: when it took them in, or in the morning of their filing date.

    Where only the filing date is stated (knowledge `daily`), it took them in by that local time of the day.
    """
    judgement = started(block)
    filed = _accepted(block, context)
    judge_times(judgement, filed, earliest=context.earliest, answered_at=context.now)
    others = [name for name in block.cells if name not in ("filed_at", "filing_date", "period_end")]
    words = {name: texts(block.cells[name]) for name in others}
    judge_cells(judgement, words, optional_fields(context))
    entities = _entities(words, context, judgement)
    days = _period_ends(block, context, judgement)
    times = usable_times(filed, judgement)
    if context.output.knowledge.rule == "daily":
        times = _by_the_end_of_the_day(times, context)
    titles = words["title"]
    made = {
        "document_id": pa.array(words["document_id"].values, pa.string()),
        "entity": entities,
        "form": pa.array(words["form"].values, pa.string()),
        "title": pa.array(titles.values, pa.string(), mask=titles.absent),
        "url": written(context, "url", words, block.count),
        "period_end": days,
        "filed_at": times_column(times),
        "knowledge_time": times_column(_given_out(times, block, context, judgement)),
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished("document", made, judgement, key=("document_id",), order=("filed_at", "document_id"))


def _period_ends(block: Block, context: Context, judgement: Judgement) -> pa.Array:
    """The last days that documents report on, as dates; none where the source does not state them."""
    if "period_end" not in block.cells:
        return pa.nulls(block.count, pa.date32())
    periods = instants(block.cells["period_end"], context.output.fields["period_end"].unit)
    judge_cells(judgement, {"period_end": periods}, optional_fields(context))
    return pa.array(periods.values.astype("datetime64[us]").astype("datetime64[D]"), mask=periods.absent)


def _accepted(block: Block, context: Context) -> Column:
    """When the archive took them in: right, or late by New York's distance from UTC, never early.

    EDGAR writes New York's clock with a Z for some companies and UTC for others, and nothing says which. Read as New
    York's clock, a filing of the last hours may lie after the fetch that brought it: by that it was known.
    """
    filed = context.instants(block, "filed_at")
    if context.output.fields["filed_at"].unit != "iso_new_york":
        return filed
    # At most New York's distance from UTC: more than that is a wrong time, and judged as one.
    ahead = (filed.values > context.now) & (filed.values <= context.now + NEW_YORK_BEHIND)
    return Column(np.where(ahead, context.now, filed.values), filed.missing, filed.bad)


def _given_out(accepted: NDArray[np.int64], block: Block, context: Context, judgement: Judgement) -> NDArray[np.int64]:
    """When anybody could read them: EDGAR holds what comes after 17:30 in New York back until 6:00 of the next business
    day, which is its filing date; what it gives out the same evening, such as a Form 4, has that day's.

    Where the stamp is in UTC, an evening's is of the filing date too, and still before that morning. By the fetch that
    brought it, a filing was there.
    """
    if "filing_date" not in block.cells:
        return accepted
    days = instants(block.cells["filing_date"], context.output.fields["filing_date"].unit)
    judge_cells(judgement, {"filing_date": days}, optional_fields(context))
    # Through the zone, not by a fixed offset: New York's morning is at 10:00 or 11:00 UTC.
    morning = pc.assume_timezone(pa.array(days.values + SIX_HOURS, pa.timestamp("us")), NEW_YORK)
    lifted = np.minimum(pc.cast(morning, pa.int64()).to_numpy(), max(context.now, 0))
    return np.where(days.absent, accepted, np.maximum(accepted, lifted))


def _by_the_end_of_the_day(labels: NDArray[np.int64], context: Context) -> NDArray[np.int64]:
    """When documents of a filing date had been taken in at the latest: that day's local time, or the answer's."""
    rule = context.output.knowledge
    dates = labels.astype("datetime64[us]").astype("datetime64[D]")
    return np.minimum(at_local_time(dates, str(rule.at), str(rule.time_zone)), max(context.now, 0))


def _entities(words: Mapping[str, Column], context: Context, judgement: Judgement) -> pa.Array:
    """Who filed each document, a CIK in full length; one of another than was asked for is held against its row."""
    if "entity" not in words:
        return same_text(_entity(context), len(judgement.codes))
    found, asked = words["entity"], context.scalars.get("symbol")
    full = [cik.zfill(CIK_DIGITS) for cik in found.values]
    if asked is not None:
        judgement.mark(np.array([cik != asked.zfill(CIK_DIGITS) for cik in full], np.bool_), "another_symbol")
    return pa.array(full, pa.string())


def _entity(context: Context) -> str:
    """Who filed: a CIK in full length; that of the body, which must be the one asked for."""
    if "entity" not in context.scalars:
        raise BodyRefused("expected filings of someone, was a body that does not say whose")
    said, asked = context.scalars["entity"].zfill(CIK_DIGITS), context.scalars.get("symbol")
    if asked is not None and asked.zfill(CIK_DIGITS) != said:
        raise BodyRefused(f"expected the filings of {asked}, was {said}")
    return said
