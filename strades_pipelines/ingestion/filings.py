"""Documents that companies and authorities file."""

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
    written,
)
from strades_pipelines.ingestion.sanitizer import judge_cells, judge_times
from strades_pipelines.ingestion.values import Column, instants, texts
from strades_pipelines.ingestion.verdicts import BodyRefused

CIK_DIGITS = 10
NEW_YORK_BEHIND = 5 * 3_600_000_000  # microseconds; 4 hours in summer


def documents(block: Block, context: Context) -> Rows:
    """Documents, known when the archive took them in."""
    judgement = started(block)
    entity = _entity(context)
    filed = _accepted(block, context)
    judge_times(judgement, filed, earliest=context.earliest, answered_at=context.now)
    others = [name for name in block.cells if name not in ("filed_at", "period_end")]
    words = {name: texts(block.cells[name]) for name in others}
    periods = instants(block.cells["period_end"], context.output.fields["period_end"].unit)
    judge_cells(judgement, words | {"period_end": periods}, optional_fields(context))
    times = times_column(usable_times(filed, judgement))
    days = pa.array(periods.values.astype("datetime64[us]").astype("datetime64[D]"), mask=periods.absent)
    titles = words["title"]
    made = {
        "document_id": pa.array(words["document_id"].values, pa.string()),
        "entity": same_text(entity, block.count),
        "form": pa.array(words["form"].values, pa.string()),
        "title": pa.array(titles.values, pa.string(), mask=titles.absent),
        "url": written(context, "url", words, block.count),
        "period_end": days,
        "filed_at": times,
        "knowledge_time": times,
        "knowledge_basis": same_text(context.output.knowledge.basis, block.count),
    }
    return finished("document", made, judgement, key=("document_id",), order=("filed_at", "document_id"))


def _accepted(block: Block, context: Context) -> Column:
    """When the archive took them in: right, or late by New York's distance from UTC, never early.

    EDGAR writes New York's clock with a Z for some companies and UTC for others, and nothing says which. Read as New
    York's clock, a filing of the last hours may lie after the fetch that brought it: by that it was known.
    """
    filed = context.instants(block, "filed_at")
    if context.output.fields["filed_at"].unit != "iso_new_york":
        return filed
    ahead = (filed.values > context.now) & (filed.values <= context.now + NEW_YORK_BEHIND)
    return Column(np.where(ahead, context.now, filed.values), filed.missing, filed.bad)


def _entity(context: Context) -> str:
    """Who filed: a CIK in full length; that of the body, which must be the one asked for."""
    if "entity" not in context.scalars:
        raise BodyRefused("expected filings of someone, was a body that does not say whose")
    said, asked = context.scalars["entity"].zfill(CIK_DIGITS), context.scalars.get("symbol")
    if asked is not None and asked.zfill(CIK_DIGITS) != said:
        raise BodyRefused(f"expected the filings of {asked}, was {said}")
    return said
