"""Months that have work to do, as stretches."""

from datetime import date, timedelta


def stretches(months: list[date], *, longest: int) -> list[tuple[date, date]]:
    """Ascending months as stretches of at most `longest`, without a gap: the first and the last of each."""
    found: list[tuple[date, date]] = []
    length = 0
    for month in months:
        # The 28th and four days are in the next month, whatever the length of this one.
        follows = bool(found) and (found[-1][1].replace(day=28) + timedelta(days=4)).replace(day=1) == month
        if follows and length < longest:
            found[-1], length = (found[-1][0], month), length + 1
        else:
            found.append((month, month))
            length = 1
    return found
