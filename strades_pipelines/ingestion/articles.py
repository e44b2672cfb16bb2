"""Articles."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.ingestion.bars import Times
from strades_pipelines.ingestion.blocks import Block, Cells
from strades_pipelines.ingestion.rows import Context, Rows, finished, same_text, started, times_column
from strades_pipelines.ingestion.sanitizer import CLOCK_SKEW, Judgement, judge_times
from strades_pipelines.ingestion.values import DAY, Column, instants
from strades_pipelines.market.records import TIME

TEXTS = ("url", "summary", "text", "language")
LISTS = ("authors", "categories")
# PostgreSQL's index entries have at most 2,704 bytes: one longer id would keep its whole batch from being stored.
LONGEST_ID_BYTES = 500


def articles(block: Block, context: Context) -> Rows:
    """Articles, known when they were published or last changed, whichever is later.

    One whose publisher does not say when, says it in words that cannot be read, or names a time that cannot be true, is
    known when it was first seen: a clock's zero stands for no date, and an answer holds no words of later. By the rule
    `answer` all are known when their answer had come, whenever they were published.
    """
    judgement = started(block)
    published, modified = context.instants(block, "published_at"), _modified(block, context)
    stated = ~(published.bad | modified.bad | (published.missing & modified.missing))
    first = np.where(published.missing, modified.values, published.values)
    last = np.where(modified.missing, first, np.maximum(first, modified.values))
    is_published = stated & (first >= context.earliest) & (first <= context.now + CLOCK_SKEW)
    dated = is_published & (last <= context.now + CLOCK_SKEW)
    _judge_unit(judgement, stated, first, context)
    if context.output.knowledge.rule == "answer":
        dated = np.zeros(block.count, np.bool_)
    known = np.where(dated, last, context.now)
    for name in ("article_id", "title"):
        judgement.mark(np.array([cell is None for cell in block.cells[name]], np.bool_), f"{name}_missing")
    ids = [_short_id(cell) for cell in block.cells["article_id"]]
    _leave_the_latest(judgement, ids, known)
    nothing = pa.nulls(block.count, pa.string())
    listed = pa.list_(pa.string())
    made = {
        "article_id": pa.array(ids, pa.string()),
        "title": pa.array(block.cells["title"], pa.string()),
        **{name: pa.array(block.cells[name], pa.string()) if name in block.cells else nothing for name in TEXTS},
        **{name: pa.array(map(_as_list, block.cells.get(name, [None] * block.count)), listed) for name in LISTS},
        "published_at": pc.if_else(pa.array(is_published), times_column(first), pa.scalar(None, TIME)),
        "knowledge_time": times_column(known),
        "knowledge_basis": pc.if_else(
            pa.array(dated), same_text(context.output.knowledge.basis, block.count), same_text("observed", block.count)
        ),
    }
    return finished("article", made, judgement, key=("article_id",), order=("knowledge_time", "article_id"))


def _as_list(cell: object) -> object:
    """One text, as interfaces that answer in JSON have an author, as a list of it."""
    return [cell] if isinstance(cell, str) else cell


def _short_id(cell: object) -> object:
    """An id as it came; one of more than `LONGEST_ID_BYTES` as the SHA-256 of its UTF-8."""
    if not isinstance(cell, str) or len(cell) * 4 <= LONGEST_ID_BYTES:
        return cell
    written = cell.encode("utf-8", "surrogatepass")
    return cell if len(written) <= LONGEST_ID_BYTES else hashlib.sha256(written).hexdigest()


def _judge_unit(judgement: Judgement, stated: NDArray[np.bool_], first: Times, context: Context) -> None:
    """Reject articles all of whose times are far from any that can be true: they are in another unit.

    A written date has no unit, and zero is the same in all of them.
    """
    numbered = stated & (first != 0)
    far = numbered & ((first < context.earliest) | (first > context.now + DAY))
    if context.output.fields["published_at"].unit not in ("iso", "iso_basic") and far.any() and far[numbered].all():
        nowhere = np.zeros(len(far), np.bool_)
        times = Column(np.where(far, first, context.now), nowhere, nowhere)
        judge_times(judgement, times, earliest=context.earliest, answered_at=context.now)


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
