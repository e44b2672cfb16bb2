"""Memory for what compiled code writes, used again when no array looks at it any longer.

The first touch of a page costs more than to work out what is written there: so pages are large, and kept for the next
run.
"""

import mmap
from collections import defaultdict
from typing import ClassVar

import numpy as np

from strades_pipelines.compiler.shapes import Floats

PAGE = 1 << 21  # bytes of a large page
SMALL = 1 << 16  # bytes that the system gives without new pages
KEPT = 64  # large pages without use that a process keeps


def floats(length: int) -> Floats:
    """A new array of so many floats, whatever is in it."""
    return np.asarray(Lease(-(-8 * length // PAGE)))[:length]


def copied(rows: Floats) -> Floats:
    """A copy of some rows; one that is large lies in memory that is used again."""
    if rows.nbytes < SMALL:
        return rows.copy()
    made = floats(rows.size).reshape(rows.shape)
    made[:] = rows
    return made


class Lease:
    """Some large pages; they go back when the last array over them is gone."""

    free: ClassVar[dict[int, list[mmap.mmap]]] = defaultdict(list)

    def __init__(self, pages: int) -> None:
        self._pages = pages
        try:
            self._memory = self.free[pages].pop()
        except IndexError:
            # One more: the system aligns to small pages, and these begin at a multiple of a large one.
            self._memory = mmap.mmap(-1, (pages + 1) * PAGE)
            if hasattr(mmap, "MADV_HUGEPAGE"):
                self._memory.madvise(mmap.MADV_HUGEPAGE)
        start = np.frombuffer(self._memory, np.uint8).ctypes.data
        aligned = -(-start // PAGE) * PAGE
        self.__array_interface__ = {
            "data": (aligned, False),
            "shape": (pages * PAGE // 8,),
            "typestr": "<f8",
            "version": 3,
        }

    def __del__(self) -> None:
        """Keep the pages for whoever wants as many."""
        if self._pages + sum(pages * len(held) for pages, held in self.free.items()) <= KEPT:
            self.free[self._pages].append(self._memory)
