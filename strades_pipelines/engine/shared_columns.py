"""Columns that the sets of a sweep share, in all threads."""

from collections.abc import Callable, Hashable
from threading import Lock

from strades_pipelines.engine.columns import Floats

CAPACITY = 1 << 26  # bytes
Made = list[list[Floats]]  # of each block, some columns


class SharedColumns:
    """Columns by what they were computed from, all of the same blocks of bars.

    Args:
        capacity: how many bytes are kept; when they are full, no more are.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._left = capacity
        self._lock = Lock()
        self._held: dict[Hashable, Made | None] = {}

    def get(self, key: Hashable, size: int, make: Callable[[], Made | None]) -> Made | None:
        """The columns of a key, made where they are not there; None where there is no room, or none can be made.

        Two threads may make the same at once; one of them is kept.

        Args:
            size: how many bytes they are, with the key.
        """
        with self._lock:
            if key in self._held:
                return self._held[key]
            if size > self._left:
                return None
            self._left -= size
        made = make()
        with self._lock:
            if key in self._held:
                # Another thread has made them meanwhile: they are held, and counted, once.
                self._left += size
            return self._held.setdefault(key, made)
