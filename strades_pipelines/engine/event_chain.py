"""The event chain: any number of streams, merged into the one total order, block by block."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.memory import floats


class EventChain:
    """Merges sorted streams of columns by time, kind, instrument and content, whatever the blocks they come in.

    An event is given only when no stream can hold another of its instant: memory is bounded by a block of each stream
    and the events of one instant.
    """

    def __init__(self, streams: Sequence[Iterable[Columns]]) -> None:
        self._streams = streams

    def blocks(self) -> Iterator[Columns]:
        """The events in blocks, each in total order and later than the one before.

        Raises:
            ValueError: when a stream goes back in time.
        """
        sources = [_checked(number, stream) for number, stream in enumerate(self._streams)]
        held = [next(source, None) for source in sources]
        waiting: list[Columns] = []
        while any(block is not None for block in held):
            horizon = min(int(block.time[-1]) for block in held if block is not None)
            for k, block in enumerate(held):
                if block is None:
                    continue
                cut = int(np.searchsorted(block.time, horizon, side="right"))
                waiting.append(block.rows(0, cut))
                held[k] = block.rows(cut, len(block)) if cut < len(block) else next(sources[k], None)
            # A stream whose block ended at the horizon may go on at the same instant: those events wait for it.
            later = min((int(block.time[0]) for block in held if block is not None), default=None)
            together = interleaved(waiting) or in_order(joined(waiting))
            ready = len(together) if later is None else int(np.searchsorted(together.time, later, side="left"))
            if ready:
                yield together.rows(0, ready)
            waiting = [together.rows(ready, len(together))]


def _checked(number: int, stream: Iterable[Columns]) -> Iterator[Columns]:
    last = None
    for block in stream:
        if len(block) == 0:
            continue
        falls = not block.is_rising and np.any(block.time[1:] < block.time[:-1])
        if falls or (last is not None and int(block.time[0]) < last):
            raise ValueError(f"stream {number} goes back in time; expected events sorted by time")
        last = int(block.time[-1])
        yield block


def joined(parts: Sequence[Columns]) -> Columns:
    """Blocks one after the other."""
    # Of empty blocks one stands for all: it has the columns' types.
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    return Columns(*(np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True)))


def interleaved(parts: Sequence[Columns]) -> Columns | None:
    """Parts with the same instants, an event of each at every one, in their total order; None where they are not so.

    Bars of many instruments from one calendar are: a sort of a hundred of them takes six times as long as this.
    """
    first, count = parts[0], len(parts)
    if count == 1 or not first.is_rising:
        return None
    if not all(_is_of_one_series(part) and np.array_equal(part.time, first.time) for part in parts):
        return None
    series = {(int(part.kind[0]), int(part.i[0])): part for part in parts}
    if len(series) < count:  # of two events of one series, their content decides
        return None
    columns = zip(*(series[key].arrays for key in sorted(series)), strict=True)
    space = _space(first.arrays, count * len(first))
    return Columns(*(_column_by_instant(column, made) for column, made in zip(columns, space, strict=True)))


def _is_of_one_series(part: Columns) -> bool:
    """Whether all events are of one kind and instrument, by how they lie in memory (see `bar_columns`)."""
    return part.kind.strides == (0,) and part.i.strides == (0,)


def _column_by_instant(column: Sequence[NDArray[Any]], made: NDArray[Any]) -> NDArray[Any]:
    """A column of k parts of n events as one of n x k, in `made`: k numbers of an instant, then those of the next."""
    first = column[0]
    if all(part.strides == (0,) and part[0] == first[0] for part in column):
        return np.broadcast_to(first[0], len(made))
    by_instant = made.reshape(len(first), len(column))
    for k, part in enumerate(column):
        by_instant[:, k] = part
    return made


def in_order(block: Columns) -> Columns:
    """The events of a block in their total order: as it is where it is sorted already."""
    if block.is_rising:
        return block
    # Streams come one after the other, mostly by kind and instrument: then their times alone decide.
    order = np.argsort(block.time, kind="stable")
    time, kind, i = block.time[order], block.kind[order], block.i[order]
    same = time[1:] == time[:-1]
    same &= (kind[1:] < kind[:-1]) | ((kind[1:] == kind[:-1]) & (i[1:] <= i[:-1]))
    if same.any():
        order = np.lexsort((block.e, block.d, block.c, block.b, block.a, block.more, block.i, block.kind, block.time))
    if np.array_equal(order, np.arange(len(order))):
        return block
    # On few pages, as in `interleaved`: to touch new ones took longer than to put the events in order.
    columns = zip(block.arrays, _space(block.arrays, len(block)), strict=True)
    # Not the mode `raise`, in which NumPy fills a buffer first and copies it to `out`.
    return Columns(*(column.take(order, out=made, mode="clip") for column, made in columns))


def _space(columns: Sequence[NDArray[Any]], length: int) -> list[NDArray[Any]]:
    """Memory for `length` numbers of each column's type; eight bytes are enough for any."""
    parts = np.split(floats(len(columns) * length), len(columns))
    return [part.view(column.dtype)[:length] for part, column in zip(parts, columns, strict=True)]
