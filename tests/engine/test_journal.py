"""The journal: the same rows as tuples and as columns, and memory that is used again but never under one's hands."""

import gc

import numpy as np

from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.engine.journal import (
    CAPACITY,
    DECISION,
    FILL,
    KINDS,
    ORDER,
    CompiledJournal,
    Journal,
    Reserves,
)
from strades_pipelines.engine.memory import Lease, copied, floats


class Written(CompiledJournal):
    """What compiled code does to a journal's counters and reserves, done by hand."""

    def __init__(self, reserves: Reserves, integers: np.ndarray) -> None:
        super().__init__()
        self._reserves, self._integers = reserves, integers
        fields = dict(shape_of(Journal()).fields)
        self._at = {kind: fields[f"{kind[:-1]}_count"].n for kind in KINDS}

    def finish(self) -> None:
        """Leave the counters where the host looks for them."""
        for kind, at in self._at.items():
            self._integers[at] = getattr(self, f"{kind[:-1]}_count")


def written(fills: int, values: int) -> tuple[Reserves, Journal]:
    """So many rows, written as compiled code does and as Python does."""
    shape, plain = shape_of(Journal()), Journal()
    integers = np.zeros(shape.n_size, np.int64)
    reserves = Reserves(shape, 0, 8)
    reserves.room(values)
    own = Written(reserves, integers)
    own.fills, own.decisions, own.orders = (
        reserves._held[kind].reshape(-1) for kind in ("fills", "decisions", "orders")
    )
    own.equity, own.gross = reserves._values
    for journal in (own, plain):
        for k in range(fills):
            journal.fill(k + 1, 0, 1.5, 100.0 + k, 0.25, 10 * k, 10 * k + 1, -0.0)
            journal.decision(10 * k, 0, 0.0, 1.0, k + 1, 0, 2)
            journal.order(k + 1, 0, 1.5, 10 * k, 5, 22)
        for k in range(values):
            journal.value(1000.0 + k, float(k))
    own.finish()
    reserves.take(integers)
    assert not integers.any()
    return reserves, plain


def test_rows_are_the_same_as_tuples_and_as_columns() -> None:
    reserves, plain = written(5, 7)
    for kind, columns in KINDS.items():
        [part] = reserves.all(kind, plain.rows(kind)[:0])
        assert part.shape[1] == len(columns)
        assert part.tolist() == plain.rows(kind).tolist()
    assert (len(FILL), len(DECISION), len(ORDER)) == (8, 7, 6)


def test_the_last_value_joins_the_others_without_a_copy() -> None:
    reserves, plain = written(0, 3)
    [part] = reserves.all("values", np.array([[9.0, 8.0]]))
    assert part.tolist() == [*plain.rows("values").tolist(), [9.0, 8.0]]
    assert part[:, 0].flags.c_contiguous


def test_rows_that_were_taken_stay_as_they_are() -> None:
    for count in (3, Reserves.FEW + 1):
        reserves, plain = written(count, 1)
        [taken] = reserves.taken["fills"]
        before = taken.tolist()
        reserves._held["fills"][:] = 0.0
        assert taken.tolist() == before == plain.rows("fills").tolist()


def test_a_journal_asks_to_be_taken_when_it_is_full() -> None:
    journal = CompiledJournal()
    journal.fills = np.empty((CAPACITY + 1) * len(FILL))
    for _ in range(CAPACITY - 1):
        journal.fill(1, 0, 1.0, 1.0, 0.0, 0, 0, 0.0)
    assert not journal.full
    journal.fill(1, 0, 1.0, 1.0, 0.0, 0, 0, 0.0)
    assert journal.full


def test_memory_is_used_again_only_when_nobody_looks_at_it() -> None:
    first = floats(1_000_000)
    part = first[10:20]
    part[:] = 7.0
    place = first.ctypes.data
    del first
    second = floats(1_000_000)
    assert second.ctypes.data != place
    assert part.tolist() == [7.0] * 10
    del part
    gc.collect()
    third = floats(1_000_000)
    assert third.ctypes.data == place


def test_no_more_memory_is_kept_than_a_few_large_pages() -> None:
    for pages in range(1, 80):
        Lease(pages)
    assert sum(pages * len(held) for pages, held in Lease.free.items()) <= 64


def test_a_copy_is_one_whether_small_or_large() -> None:
    for n in (10, 100_000):
        rows = np.arange(2.0 * n).reshape(n, 2)
        made = copied(rows)
        rows[:] = 0.0
        assert made.shape == (n, 2)
        assert made[-1].tolist() == [2.0 * n - 2, 2.0 * n - 1]
