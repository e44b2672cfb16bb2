"""The event chain: any number of streams, merged into the one total order, block by block."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from strades_pipelines.engine.columns import Columns


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
            together = in_order(joined(waiting))
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
    parts = [part for part in parts if len(part)] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    return Columns(*(np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True)))


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
    return Columns(*(array[order] for array in block.arrays))
