"""Values of statistical series."""

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

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
)
from strades_pipelines.ingestion.sanitizer import judge_cells, judge_times
from strades_pipelines.ingestion.values import Column, numbers, texts

PLACE = re.compile(r"\{([a-z_]+)\}")


def observations(block: Block, context: Context) -> Rows:
    """Values of series, known at a local time of their day or with the event; where there is none is no record."""
    judgement = started(block)
    times = context.instants(block, "event_time")
    judge_times(judgement, times, earliest=context.earliest, fetched_at=context.now)
    values = numbers(block.cells["value"])
    if context.output.missing:
        judgement.leave_out(values.missing)
    others = [name for name in block.cells if name not in ("event_time", "value")]
    words = {name: texts(block.cells[name], context.output.fields[name].values) for name in others}
    judge_cells(judgement, {"value": values} | words, optional_fields(context))
    if context.output.positive:
        judgement.mark(~(values.values > 0), "value_not_positive")
    events = usable_times(times, judgement)
    rule = context.output.knowledge
    known = events
    if rule.rule == "daily":
        known = at_local_time(events.astype("datetime64[us]"), str(rule.at), str(rule.time_zone))
    made = {
        "series": _written(context, "series", words, block.count),
        "event_time": times_column(events),
        "value": pa.array(values.values),
        "unit": _written(context, "unit", words, block.count),
        "vintage": pa.nulls(block.count, pa.date32()),
        "knowledge_time": times_column(known),
        "knowledge_basis": same_text(rule.basis, block.count),
    }
    return finished("observation", made, judgement, key=("series", "event_time"))


def _written(context: Context, name: str, words: Mapping[str, Column], count: int) -> pa.Array:
    """A text column from the protocol's template: each different value is written once."""
    template = context.output.texts[name]
    places = [place for place in PLACE.findall(template) if place in words]
    constants = {place: context.need(place) for place in PLACE.findall(template) if place not in words}
    template = PLACE.sub(lambda found: constants.get(found[1], found[0]), template)
    if not places:
        return same_text(template, count)
    encoded = pa.array(words[places[0]].values, pa.string()).dictionary_encode()
    written = [template.replace(f"{{{places[0]}}}", value) for value in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(written, pa.string()), encoded.indices)
