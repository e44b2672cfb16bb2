"""Split a window into requests on a fixed grid, so that the same request always has the same bounds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from strades_pipelines.datamanager.ask import Span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # in a second


def since_epoch(time: datetime, unit: str) -> int:
    """An aware time as whole ticks of a unit of `TICKS` since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1) * TICKS[unit] // 1_000_000


def request_bounds(
    span: Span, *, step_seconds: int, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The whole grid cells that overlap [start, end): half-open, in order.

    Args:
        span: the length of a cell; bars count `step_seconds` each.
    """
    if start >= end:
        return
    if span.calendar is None:
        length = timedelta(seconds=span.seconds or (span.bars or 1) * step_seconds)
        first = EPOCH + (start - EPOCH) // length * length
        while first < end:
            yield first, first + length
            first += length
        return
    first = _calendar_floor(start, span.calendar)
    while first < end:
        following = _calendar_next(first, span.calendar)
        yield first, following
        first = following


def reach_start(span: Span | None, *, step_seconds: int, now: datetime) -> datetime:
    """The earliest instant the provider serves, on the bars' grid; the epoch where it sets no limit."""
    if span is None:
        return EPOCH
    step = timedelta(seconds=step_seconds)
    back = timedelta(seconds=span.seconds or (span.bars or 1) * step_seconds)
    # Rounded up: a bar that began before is not served whole.
    return EPOCH - (EPOCH - (now - back)) // step * step


def month_start(time: datetime) -> datetime:
    """The first instant of a time's month, UTC."""
    return time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _calendar_floor(time: datetime, unit: str) -> datetime:
    day = time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        return day
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1)


def _calendar_next(first: datetime, unit: str) -> datetime:
    if unit == "day":
        return first + timedelta(days=1)
    if unit == "month":
        return (first + timedelta(days=32)).replace(day=1)
    return first.replace(year=first.year + 1)
