"""Articles."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.rows import Context, Rows, finished, same_text, started, times_column
from strades_pipelines.ingestion.sanitizer import judge_times
from strades_pipelines.ingestion.values import Column

TEXTS = ("url", "summary", "text", "language")


def articles(block: Block, context: Context) -> Rows:
    """Articles, known when they were published; one whose publisher does not say when, from when it was first seen."""
    judgement = started(block)
    published = context.instants(block, "published_at")
    dated = ~(published.missing | published.bad)
    times = np.where(dated, published.values, context.now)
    everywhere = np.zeros(block.count, np.bool_)
    judge_times(judgement, Column(times, everywhere, everywhere), earliest=context.earliest, fetched_at=context.now)
    for name in ("article_id", "title"):
        judgement.mark(np.array([cell is None for cell in block.cells[name]], np.bool_), f"{name}_missing")
    stamps = times_column(times)
    nothing = pa.nulls(block.count, pa.string())
    listed = pa.list_(pa.string())
    made = {
        "article_id": pa.array(block.cells["article_id"], pa.string()),
        "title": pa.array(block.cells["title"], pa.string()),
        **{name: pa.array(block.cells[name], pa.string()) if name in block.cells else nothing for name in TEXTS},
        **{name: pa.array(block.cells[name], listed) for name in ("authors", "categories")},
        "published_at": pc.if_else(pa.array(dated), stamps, pa.scalar(None, stamps.type)),
        "knowledge_time": stamps,
        "knowledge_basis": pc.if_else(
            pa.array(dated), same_text(context.output.knowledge.basis, block.count), same_text("observed", block.count)
        ),
    }
    return finished("article", made, judgement, key=("article_id",), order=("knowledge_time", "article_id"))
