"""The chain against a plain sort of all events, and what it needs of memory."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.engine.columns import Columns, bar_columns
from strades_pipelines.engine.event_chain import EventChain, interleaved, joined

ROW = st.tuples(
    st.integers(0, 6), st.integers(0, 8), st.integers(0, 2), st.integers(0, 1), *[st.sampled_from([0.0, 1.5])] * 5
)
Row = tuple[float, ...]


def stream(rows: list[Row], size: int) -> Iterator[Columns]:
    """Rows of time, kind, instrument, more and five numbers, sorted by time alone, in blocks."""
    rows = sorted(rows, key=lambda row: row[0])
    for start in range(0, len(rows), size):
        time, kind, i, more, *numbers = map(np.array, zip(*rows[start : start + size], strict=True))
        floats = [np.asarray(column, np.float64) for column in numbers]
        yield Columns(kind.astype(np.int8), i.astype(np.int32), time.astype(np.int64), more.astype(np.int64), *floats)


@given(st.lists(st.lists(ROW, max_size=12), max_size=4), st.integers(1, 5))
def test_events_come_by_time_kind_instrument_and_content(parts: list[list[Row]], size: int) -> None:
    blocks = list(EventChain([stream(rows, size + k) for k, rows in enumerate(parts)]).blocks())
    got = [row for b in blocks for row in zip(b.time, b.kind, b.i, b.more, b.a, b.b, b.c, b.d, b.e, strict=True)]
    assert [tuple(map(float, row)) for row in got] == sorted(tuple(map(float, row)) for rows in parts for row in rows)
    for before, after in pairwise(blocks):
        assert before.time[-1] < after.time[0]  # an instant is never cut in two


SERIES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([(1, 2, 5), (1, 2), (2, 5)])), min_size=1, max_size=5)


@given(SERIES, st.randoms(use_true_random=False))
def test_bars_of_one_calendar_are_in_the_order_of_a_sort(
    series: list[tuple[int, tuple[int, ...]]], random: Random
) -> None:
    streams = []
    for i, times in series:
        prices = np.array([[random.choice((1.0, 2.0)) for _ in times] for _ in range(5)])
        time = np.array(times, np.int64)
        streams.append([bar_columns(i, time, time - random.choice((0, 1)), prices)])
    got = [row for b in EventChain(streams).blocks() for row in zip(*b.arrays, strict=True)]
    every = [row for [block] in streams for row in zip(*block.arrays, strict=True)]
    assert got == sorted(every, key=lambda row: (row[2], row[0], row[1], *row[3:]))  # time, kind, instrument, content


def test_bars_of_one_calendar_need_no_sort() -> None:
    time, prices = np.arange(1, 4), np.ones((5, 3))
    bars = [bar_columns(i, time, time - 1, prices) for i in (2, 0, 1)]
    together = interleaved(bars)
    assert together is not None
    assert together.i.tolist() == [0, 1, 2] * 3
    assert together.time.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert together.kind.strides == (0,)  # still the same number, which takes no memory
    assert interleaved([*bars, bar_columns(3, time + 1, time, prices)]) is None  # of another calendar
    assert interleaved([*bars, bars[0]]) is None  # content decides between two of one instrument


def test_a_block_of_each_stream_is_held_and_no_more() -> None:
    read = 0

    def long() -> Iterator[Columns]:
        nonlocal read
        for n in range(1000):
            read += 1
            yield next(stream([(float(10 * n + k), 2, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0) for k in range(10)], 10))

    blocks = EventChain([long(), long()]).blocks()
    for _ in range(5):
        next(blocks)
    assert read <= 2 * 7


def test_a_stream_that_goes_back_in_time_is_named() -> None:
    good = joined(list(stream([(1, 2, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0), (2, 2, 0, 0, 1.0, 1.0, 1.0, 1.0, 1.0)], 9)))
    bad = Columns(*(array[::-1] for array in good.arrays))
    for blocks in ([bad], [good.rows(1, 2), good.rows(0, 1)]):
        with pytest.raises(ValueError, match="stream 1 goes back in time; expected events sorted by time"):
            list(EventChain([[good], blocks]).blocks())
