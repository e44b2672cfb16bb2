"""Months and their blocks: each is read once, and no more are held than a month looks back on."""

from datetime import UTC, datetime

import pytest

from strades_pipelines.predictor.month_blocks import months, months_before, next_month, sliding_blocks


def month(text: str) -> datetime:
    """The first instant of a month."""
    return datetime.fromisoformat(f"{text}-01T00:00:00+00:00")


def test_months_are_those_a_window_touches() -> None:
    window = (datetime(2020, 12, 31, 5, tzinfo=UTC), datetime(2021, 2, 1, tzinfo=UTC))
    assert list(months(*window)) == [month("2020-12"), month("2021-01")]


@pytest.mark.parametrize(("count", "before"), [(0, "2021-01"), (1, "2020-12"), (12, "2020-01"), (36, "2018-01")])
def test_month_some_months_before(count: int, before: str) -> None:
    assert months_before(month("2021-01"), count) == month(before)
    assert next_month(month("2020-12")) == month("2021-01")


def test_month_that_several_look_back_on_is_read_once_and_a_gap_starts_anew() -> None:
    read: list[datetime] = []

    def block(begin: datetime, end: datetime) -> datetime:
        assert end == next_month(begin)
        read.append(begin)
        return begin

    wanted = [month("2020-04"), month("2020-05"), month("2020-06"), month("2021-01")]
    found = {one: list(blocks.values()) for one, blocks in sliding_blocks(wanted, 3, block)}
    assert found == {one: [months_before(one, back) for back in (3, 2, 1)] for one in wanted}
    assert [f"{one:%Y-%m}" for one in read] == [
        "2020-01", "2020-02", "2020-03", "2020-04", "2020-05", "2020-10", "2020-11", "2020-12",
    ]  # fmt: skip


def test_what_is_put_into_a_blocks_place_is_what_later_months_get() -> None:
    seen = []
    for _, blocks in sliding_blocks([month("2020-04"), month("2020-05")], 2, lambda begin, _: f"{begin:%m}"):
        seen.append(list(blocks.values()))
        blocks |= {begin: f"{block} made smaller" for begin, block in blocks.items()}
    assert seen[1] == ["03 made smaller", "04"]
