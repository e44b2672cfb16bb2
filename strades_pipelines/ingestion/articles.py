"""Articles."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.ingestion.bars import Times
from strades_pipelines.ingestion.blocks import Block, Cells
from strades_pipelines.ingestion.rows import Context, Rows, finished, same_text, started, times_column
from strades_pipelines.ingestion.sanitizer import Judgement, judge_times
from strades_pipelines.ingestion.values import Column, instants
from strades_pipelines.market.records import TIME

TEXTS = ("url", "summary", "text", "language")


def articles(block: Block, context: Context) -> Rows:
    """Articles, known when they were published or last changed, whichever is later.

    One whose publisher does not say when, or says it in words that cannot be read, is known when it was first seen.
    """
    judgement = started(block)
    published, modified = context.instants(block, "published_at"), _modified(block, context)
    dated = ~(published.bad | modified.bad | (published.missing & modified.missing))
    first = np.where(published.missing, modified.values, published.values)
    published_at = np.where(dated, first, context.now)
    known = np.where(dated & ~modified.missing, np.maximum(first, modified.values), published_at)
    nowhere = np.zeros(block.count, np.bool_)
    for times in (published_at, known):
        judge_times(judgement, Column(times, nowhere, nowhere), earliest=context.earliest, answered_at=context.now)
    for name in ("article_id", "title"):
        judgement.mark(np.array([cell is None for cell in block.cells[name]], np.bool_), f"{name}_missing")
    _leave_the_latest(judgement, block.cells["article_id"], known)
    nothing = pa.nulls(block.count, pa.string())
    listed = pa.list_(pa.string())
    made = {
        "article_id": pa.array(block.cells["article_id"], pa.string()),
        "title": pa.array(block.cells["title"], pa.string()),
        **{name: pa.array(block.cells[name], pa.string()) if name in block.cells else nothing for name in TEXTS},
        **{name: pa.array(block.cells[name], listed) for name in ("authors", "categories")},
        "published_at": pc.if_else(pa.array(dated), times_column(published_at), pa.scalar(None, TIME)),
        "knowledge_time": times_column(known),
        "knowledge_basis": pc.if_else(
            pa.array(dated), same_text(context.output.knowledge.basis, block.count), same_text("observed", block.count)
        ),
    }
    return finished("article", made, judgement, key=("article_id",), order=("knowledge_time", "article_id"))


def _leave_the_latest(judgement: Judgement, ids: Cells, known: Times) -> None:
    """Of an article that a feed has twice, as first published and as edited, the words of the latest date stand."""
    good = np.flatnonzero(judgement.good).tolist()
    latest: dict[object, int] = {}
    for row in good:
        latest[ids[row]] = max(latest.get(ids[row], 0), int(known[row]))
    earlier = np.zeros(len(known), np.bool_)
    earlier[[row for row in good if known[row] < latest[ids[row]]]] = True
    judgement.mark(earlier, "superseded_in_the_body")


def _modified(block: Block, context: Context) -> Column:
    """When articles were last changed; missing where the protocol or the publisher does not say."""
    if "modified_at" in block.cells:
        return context.instants(block, "modified_at")
    return instants([None] * block.count, "iso")
