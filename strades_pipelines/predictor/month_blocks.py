"""Calendar months (UTC), and what a month looks back on, read a month at a time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

Block = TypeVar("Block")


def months(start: datetime, end: datetime) -> Iterator[datetime]:
    """The first instants of the months that [start, end) touches."""
    month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month < end:
        yield month
        month = next_month(month)


def next_month(month: datetime) -> datetime:
    """The first instant of the month after the one that begins at `month`."""
    return (month + timedelta(days=32)).replace(day=1)


def months_before(month: datetime, count: int) -> datetime:
    """The first instant of the month that is `count` months before the one that begins at `month`."""
    years, number = divmod(month.year * 12 + month.month - 1 - count, 12)
    return month.replace(year=years, month=number + 1)


def sliding_blocks(
    wanted: Iterable[datetime], count: int, read: Callable[[datetime, datetime], Block]
) -> Iterator[tuple[datetime, dict[datetime, Block]]]:
    """Each month with the blocks of the `count` months before it by their first instant, oldest first.

    A month that several of them look back on is read once, and no more than `count` blocks are held: years of months in
    their order cost as many reads as there are months. What the caller puts into a block's place, later months get.

    Args:
        wanted: first instants of months, ascending.
        read: gives the block of [first, second).
    """
    blocks: dict[datetime, Block] = {}
    for month in wanted:
        lookback = months(months_before(month, count), month)
        # Blocks that have left the window go before new ones are read.
        blocks = {begin: blocks[begin] for begin in blocks if begin >= months_before(month, count)}
        blocks = {begin: blocks[begin] if begin in blocks else read(begin, next_month(begin)) for begin in lookback}
        yield month, blocks
