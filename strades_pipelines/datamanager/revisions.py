"""Months that have work to do, as stretches."""

from datetime import date, timedelta


def stretches(months: list[date]) -> list[tuple[date, date]]:
    """Ascending months as stretches without a gap: the first and the last of each."""
    found: list[tuple[date, date]] = []
    for month in months:
        if found and (found[-1][1].replace(day=28) + timedelta(days=4)).replace(day=1) == month:
            found[-1] = found[-1][0], month
        else:
            found.append((month, month))
    return found
