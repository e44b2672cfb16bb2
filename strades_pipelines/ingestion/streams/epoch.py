"""Times of streams as they are counted: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def time_of(microseconds: int) -> datetime:
    """Microseconds since the epoch as an aware time, UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(time: datetime) -> int:
    """An aware time as microseconds since the epoch."""
    return (time - EPOCH) // MICROSECOND
