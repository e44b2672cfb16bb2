"""Rows as they came out of a body: by column, untyped, unjudged, and each still able to say where it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol as Interface
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.datamanager.protocol import NUMBER_FIELDS, Field, Output
from strades_pipelines.ingestion.number_formats import plain_numbers

Cells: TypeAlias = "Sequence[object] | pa.Array"


@dataclass(frozen=True)
class Block:
    """The rows of one output: `cells` by field name, each `count` long (text columns may be Arrow arrays).

    `where(i)` and `raw(i)` describe row i for people. `broken` are the rows that have too few cells, with the reason.
    """

    count: int
    cells: Mapping[str, Cells]
    where: Callable[[int], str]
    raw: Callable[[int], str]
    broken: Mapping[int, str] = field(default_factory=dict)
    lost: Sequence[tuple[str, str, str]] = ()  # reason, where, raw of rows that could not even be cut into cells


def without_markers(block: Block, markers: tuple[str, ...]) -> Block:
    """The block with no value where a provider wrote a word for that: N/A, a dot, nothing."""
    if not markers:
        return block
    known = pa.array(markers, pa.string())
    cells: dict[str, Cells] = {}
    for name, column in block.cells.items():
        if isinstance(column, pa.Array):
            cells[name] = pc.if_else(pc.is_in(column, known), pa.scalar(None, pa.string()), column)
        else:
            cells[name] = [None if isinstance(cell, str) and cell in markers else cell for cell in column]
    return replace(block, cells=cells)


def cleared(block: Block, output: Output) -> Block:
    """The block without the letters that a field is written with and that are not of its value: $, thousands marks."""
    cells = dict(block.cells)
    for name, place in output.fields.items():
        if name in cells and (place.remove or place.decimal != "."):
            cells[name] = _cleared(name, place, _listed(cells[name]))
    return replace(block, cells=cells)


def _cleared(name: str, place: Field, cells: Sequence[object]) -> list[object]:
    if name in NUMBER_FIELDS:
        return plain_numbers(cells, remove=place.remove, decimal=place.decimal)
    out = str.maketrans("", "", place.remove)
    return [cell.translate(out) if isinstance(cell, str) else cell for cell in cells]


def _listed(cells: Cells) -> Sequence[object]:
    return cells.to_pylist() if isinstance(cells, pa.Array) else cells


class Reader(Interface):
    """An opened body of one format."""

    def scalar(self, pointer: str) -> object:
        """The value at a place of the body, or None."""

    def block(self, output: Output) -> Block:
        """The rows of an output.

        Raises:
            BodyRefused: the rows are not where or how the protocol says.
        """
