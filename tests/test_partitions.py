from datetime import UTC, datetime

import pytest

from strades_pipelines.partitions import MONTHS, Window


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2012-01-01", "2013-03-01", "2012-01-01", "2013-02-01"),
        ("2012-01-15", "2012-01-16", "2012-01-01", "2012-01-01"),
        ("2012-01-31", "2012-02-02", "2012-01-01", "2012-02-01"),
    ],
)
def test_a_window_touches_the_months_of_its_half_open_range(start: str, end: str, first: str, last: str) -> None:
    window = Window(*(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end)))
    assert window.month_range() == (first, last)


def test_a_window_that_ends_where_it_starts_is_refused() -> None:
    day = datetime(2012, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="starts before it ends"):
        Window(day, day)


def test_the_current_month_is_a_partition_and_the_next_is_not() -> None:
    keys = MONTHS.get_partition_keys(current_time=datetime(2026, 11, 22, tzinfo=UTC))
    assert keys[0] == "1999-01-01"
    assert keys[-1] == "2026-11-01"
