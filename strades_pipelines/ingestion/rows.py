"""What the kinds of records share: the body's context, and typed rows with the judgement on each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.datamanager.protocol import Output
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.blocks import Block
from strades_pipelines.ingestion.currencies import Currencies
from strades_pipelines.ingestion.sanitizer import Judgement, judge_duplicates
from strades_pipelines.ingestion.values import Column, instants, texts
from strades_pipelines.market.records import SCHEMAS, TIME

PLACE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Context:
    """What is the same for all rows of a body; it was asked for at `fetched_at` and had come at `answered_at`, UTC."""

    output: Output
    scalars: Mapping[str, str]
    given: Mapping[str, str]
    fetched_at: datetime
    answered_at: datetime
    currencies: Currencies

    @property
    def asked(self) -> int:
        """When the body was asked for, microseconds since the epoch: what was over by then is final."""
        return microseconds(self.fetched_at)

    @property
    def now(self) -> int:
        """When the body had come, microseconds since the epoch: what it shows was known by then, and not before."""
        return microseconds(self.answered_at)

    @property
    def earliest(self) -> int:
        """The first instant such data can be about."""
        first = self.output.earliest
        return microseconds(datetime(first.year, first.month, first.day, tzinfo=UTC))

    def need(self, name: str) -> str:
        """A value of the whole body.

        Raises:
            GivenError: neither the request nor the body says it.
        """
        value = self.scalars.get(name)
        if value is None:
            raise GivenError(f"expected {name} to be given, was not; give {name}=...")
        return value

    def instants(self, block: Block, name: str) -> Column:
        """The times of a field."""
        field = self.output.fields[name]
        times = instants(block.cells[name], field.unit)
        return times if field.cut_to is None else replace(times, values=times.values // 1_000 * 1_000)


@dataclass(frozen=True)
class Rows:
    """All rows of a block as canonical columns, and the judgement on each; `order` are the columns to sort by."""

    table: pa.Table
    judgement: Judgement
    order: tuple[str, ...]


def microseconds(time: datetime) -> int:
    """An aware time as microseconds since the epoch."""
    # `timestamp()` is a float, whose last digit is a quarter of a microsecond in these years.
    return int(np.datetime64(time.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64))


def started(block: Block) -> Judgement:
    """A judgement that knows of the rows with too few cells."""
    judgement = Judgement(block.count)
    for reason in dict.fromkeys(block.broken.values()):
        mask = np.zeros(block.count, np.bool_)
        mask[[row for row, its_reason in block.broken.items() if its_reason == reason]] = True
        judgement.mark(mask, reason)
    return judgement


def optional_fields(context: Context) -> dict[str, bool]:
    """Which fields may be without a value."""
    return {name: field.optional for name, field in context.output.fields.items()}


def finished(
    kind: str,
    made: dict[str, pa.Array],
    judgement: Judgement,
    *,
    key: tuple[str, ...],
    order: tuple[str, ...] | None = None,
) -> Rows:
    """The rows with the kind's schema, once their duplicates are judged.

    Args:
        key: the columns that tell the records of a body apart.
        order: the columns to sort by, where not the key.
    """
    table = pa.table(
        [made[name].cast(SCHEMAS[kind].field(name).type) for name in SCHEMAS[kind].names], schema=SCHEMAS[kind]
    )
    judge_duplicates(judgement, [made[name] for name in key], list(made.values()))
    return Rows(table, judgement, order or key)


def symbols_of_rows(block: Block, context: Context, judgement: Judgement) -> pa.Array:
    """The rows' own symbol; one that is not the symbol asked for is held against its row."""
    asked = context.scalars.get("symbol")
    if "symbol" not in block.cells:
        return same_text(context.need("symbol"), block.count)
    own = texts(block.cells["symbol"])
    judgement.mark(own.bad, "symbol_unreadable")
    if asked is None:
        judgement.mark(own.missing, "symbol_missing")
        return pa.array(own.values, pa.string())
    judgement.mark(~own.missing & (own.values != asked), "another_symbol")
    return same_text(asked, block.count)


def usable_times(column: Column, judgement: Judgement) -> NDArray[np.int64]:
    """The times of the good rows; the others get that of the first good one, so that nonsense is not computed with."""
    good = judgement.good
    return np.where(good, column.values, column.values[good][0] if good.any() else 0)


def times_column(values: NDArray[np.int64]) -> pa.Array:
    """Microseconds since the epoch as UTC times."""
    return pa.array(values, pa.int64()).cast(TIME)


def same_text(value: str | None, count: int) -> pa.Array:
    """One text (or none) in every row."""
    return pa.repeat(pa.scalar(value, pa.string()), count)


def written(context: Context, name: str, words: Mapping[str, Column], count: int) -> pa.Array:
    """A text column from the protocol's template; none where it has none for it, or a place has no value.

    Values of the whole body are put in once, those of a row by column.
    """
    if name not in context.output.texts:
        return same_text(None, count)
    parts: list[pa.Array] = []
    for i, piece in enumerate(PLACE.split(context.output.texts[name])):  # text, place, text, place, ..., text
        if i % 2 and piece in words:
            parts.append(pa.array(words[piece].values, pa.string(), mask=words[piece].absent))
        else:
            parts.append(same_text(context.need(piece) if i % 2 else piece, count))
    # The last argument is what stands between the parts.
    return pc.binary_join_element_wise(*parts, "")
