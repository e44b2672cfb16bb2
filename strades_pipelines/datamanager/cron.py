"""Cron expressions of five numeric fields, checked and told without a scheduler.

Own code: a library would save the 14 lines of `ticks` alone; what is taken, and the line that says what is wrong, would
stay ours. No cron library is installed, but for a private copy in Dagster. All times are UTC, so that no clock is set
forward or back. A test compares the times with those of Dagster's scheduler.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}

# Any four weeks hold the longest wait of a weekly schedule; one that ticks less often is given a month and a half.
LOOKED_AT = timedelta(weeks=4)
RARE = timedelta(days=45)
A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def cron_problem(expression: str) -> str | None:
    """What is wrong with a cron expression, or None.

    Five fields of `*`, numbers, ranges, lists and steps; names (MON), seconds and @daily are not taken. An expression
    that can never fire (31 February) is a mistake too, also beside a day of the week: Dagster's scheduler fails on it.
    """
    parts = expression.split(" ")
    if len(parts) != len(FIELDS) or "" in parts:
        return "five fields with one blank between"
    allowed: list[set[int]] = []
    for part, (name, low, high) in zip(parts, FIELDS, strict=True):
        values = _values(part, low, high)
        if not values:
            return f"a {name} of {low} to {high} as *, 5, 1-5, 1,5 or */5 in place of {part!r}"
        allowed.append(values)
    days, months = allowed[2], allowed[3]
    if all(min(days) > LONGEST_MONTH.get(month, 31) for month in months):
        return "a day that one of its months has"
    return None


def _values(part: str, low: int, high: int) -> set[int]:
    """The numbers a field stands for; none when it cannot be read."""
    found: set[int] = set()
    for item in part.split(","):
        values = _item(item, low, high)
        if not values:
            return set()
        found |= values
    return found


def _item(item: str, low: int, high: int) -> set[int]:
    span, slash, step = item.partition("/")
    if slash and not (_is_number(step) and 0 < int(step) <= high):
        return set()
    first, dash, last = (str(low), "-", str(high)) if span == "*" else span.partition("-")
    if slash and not dash:
        return set()
    if not _is_number(first) or (dash and not _is_number(last)):
        return set()
    start, end = int(first), int(last) if dash else int(first)
    return set(range(start, end + 1, int(step or 1))) if low <= start <= end <= high else set()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2


def ticks(expression: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """When a checked expression fires in `[start, end)`, UTC; of two given days either counts, as in crontab(5)."""
    minutes, hours, days, months, weekdays = (
        sorted(_values(part, low, high)) for part, (_, low, high) in zip(expression.split(" "), FIELDS, strict=True)
    )
    # What begins with `*`, a step behind it too, is no given day: as cron has it.
    either = "*" not in (expression.split(" ")[2][0], expression.split(" ")[4][0])
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < end:
        # Sunday is 0 in cron and 7 in ISO 8601.
        fits = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and (any(fits) if either else all(fits)):
            found = (day.replace(hour=hour, minute=minute) for hour in hours for minute in minutes)
            yield from (at for at in found if start <= at < end)
        day += timedelta(days=1)


def longest_wait(expression: str) -> timedelta:
    """The longest time between two ticks of a checked expression."""
    found = list(ticks(expression, A_MONDAY, A_MONDAY + LOOKED_AT))
    return max((after - before for before, after in pairwise(found)), default=RARE)
