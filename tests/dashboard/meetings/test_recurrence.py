"""Repeat rules: what is taken, what they come to, and that none keeps a page busy."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from dashboard.meetings.recurrence import MOST_REPEATS, RuleRefused, occurrences, parse_rule, with_end

HOUR = timedelta(hours=1)
# One of each kind that PARTS_OF allows, with the largest interval that tests it.
RULES = {
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=13;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=5;BYDAY=TU,SU;WKST=SU", "FREQ=MONTHLY",
    "FREQ=MONTHLY;INTERVAL=11;BYMONTHDAY=-28,13", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-4",
    "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28",
    "FREQ=YEARLY;BYMONTH=6;BYDAY=2TH",
}  # fmt: skip
PARIS = ZoneInfo("Europe/Paris")


def starts(rule: str, first: datetime, start: datetime, end: datetime, zone: str = "UTC") -> list[datetime]:
    """When the repeats of an hour begin."""
    settled = with_end(parse_rule(rule), first, zone)
    found = occurrences(first, first + HOUR, settled, zone, start=start, end=end)
    assert all(ends - begins == HOUR for begins, ends in found)
    return [begins for begins, _ends in found]


def at(text: str) -> datetime:
    """A time of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_example_of_the_standard() -> None:
    """RFC 5545, 3.8.5.3: every other week on Monday, Wednesday and Friday until December 24, 1997, from September 1."""
    rule = "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR"
    first = datetime(1997, 9, 1, 9, tzinfo=ZoneInfo("America/New_York"))
    found = starts(rule, first, at("1997-09-01"), at("1998-01-01"), "America/New_York")
    days = [(9, 1), (9, 3), (9, 5), (9, 15), (9, 17), (9, 19), (9, 29), (10, 1), (10, 3), (10, 13), (10, 15), (10, 17),
            (10, 27), (10, 29), (10, 31), (11, 10), (11, 12), (11, 14), (11, 24), (11, 26), (11, 28), (12, 8), (12, 10),
            (12, 12), (12, 22)]  # fmt: skip
    assert [(one.month, one.day) for one in found[:25]] == days
    assert {one.astimezone(ZoneInfo("America/New_York")).hour for one in found} == {9}
    assert found[25:] == []  # midnight of the 24th in UTC is an evening of the 23rd in New York


@pytest.mark.parametrize(
    ("until", "days"),
    [("20241203", [1, 2, 3]), ("20241203T045959Z", [1, 2]), ("20241203T140000Z", [1, 2, 3]),
     ("20241203T135959Z", [1, 2]), ("20241203T090000", [1, 2, 3]), ("20241203T085959", [1, 2])],
)  # fmt: skip
def test_an_end_with_a_time_is_an_instant(until: str, days: list[int]) -> None:
    zone = "America/New_York"
    first = datetime(2024, 12, 1, 9, tzinfo=ZoneInfo(zone))
    found = starts(f"FREQ=DAILY;UNTIL={until}", first, at("2024-11-01"), at("2025-01-01"), zone)
    assert [one.day for one in found] == days


def test_an_end_is_kept_as_an_instant_that_other_programs_read_alike() -> None:
    """RFC 5545, 3.3.10: beside a time of a zone UNTIL is one of UTC, and a repeat at that time counts."""
    first = datetime(2024, 12, 1, 18, tzinfo=ZoneInfo("America/New_York"))
    rule = with_end("FREQ=DAILY;COUNT=3", first, "America/New_York")
    assert rule == "FREQ=DAILY;UNTIL=20241203T230000Z"
    assert with_end(rule, first, "America/New_York") == rule
    every = rrulestr(rule, dtstart=first)
    assert list(every) == starts(rule, first, at("2024-11-01"), at("2025-01-01"), "America/New_York")


def test_a_repeat_keeps_its_hour_on_the_clocks() -> None:
    first = datetime(2024, 3, 30, 9, tzinfo=PARIS)
    found = starts("FREQ=DAILY;COUNT=3", first.astimezone(UTC), at("2024-03-29"), at("2024-04-09"), "Europe/Paris")
    assert [one.astimezone(UTC).hour for one in found] == [8, 7, 7]
    assert {one.hour for one in found} == {9}


def test_what_lies_in_the_span_is_given_and_nothing_else() -> None:
    first = at("2024-01-01T10:00")
    assert starts("FREQ=DAILY", first, at("2024-02-01T10:30"), at("2024-02-03T10:00")) == [
        at("2024-02-01T10:00"), at("2024-02-02T10:00"),
    ]  # fmt: skip
    assert starts("FREQ=DAILY", first, at("2023-01-01"), at("2023-02-01")) == []
    assert starts("", first, at("2024-01-01T10:59"), at("2024-01-02")) == [first]
    assert starts("", first, at("2024-01-01T11:00"), at("2024-01-02")) == []
    assert len(starts("FREQ=DAILY", first, first, first + timedelta(days=4000))) == MOST_REPEATS


@pytest.mark.parametrize("text", ["", "  ", "rrule:freq=weekly;byday=mo", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=1000"])
def test_what_is_taken(text: str) -> None:
    assert parse_rule(parse_rule(text)) == parse_rule(text)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;COUNT=1000000", "FREQ=DAILY;COUNT=1001", "FREQ=DAILY;COUNT=0", "FREQ=SECONDLY", "FREQ=HOURLY",
        "COUNT=3", "FREQ=DAILY;COUNT=3;UNTIL=20240101", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;FREQ=WEEKLY", "nonsense",
        "FREQ=DAILY;BYHOUR=1,2,3", "FREQ=DAILY;X=1", "FREQ=MONTHLY;BYMONTHDAY=99", "FREQ=DAILY;UNTIL=20241399",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "FREQ=DAILY;INTERVAL=14;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=6MO", "FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=4", "FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=5MO",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYDAY=5MO", "FREQ=YEARLY;BYMONTH=2;BYDAY=-5MO",
        "FREQ=MONTHLY;INTERVAL=24;BYDAY=5MO", "FREQ=DAILY;UNTIL=20240101T250000Z", "FREQ=DAILY;UNTIL=99991231",
        "FREQ=DAILY\nRDATE:20240101", "FREQ=YEARLY;BYMONTH=13", "FREQ=DAILY;",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(RuleRefused):
        parse_rule(text)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_that_is_taken_comes_to_its_end_soon(rule: str) -> None:
    started = time.process_time()
    for day in range(1, 15):
        first = datetime(2024, 2, 15 + day, 9, tzinfo=PARIS)
        assert len(starts(rule, first, first, first + timedelta(days=366 * 101), "Europe/Paris")) > 2
        with_end(f"{rule};COUNT=20", first, "Europe/Paris")
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SA;WKST=SU", "FREQ=DAILY;COUNT=900"]
)
def test_repeats_of_a_late_year_are_those_that_counting_from_the_first_gives(rule: str) -> None:
    """Against dateutil from the first day on, which skips nothing."""
    first, start = at("2001-05-02T10:00"), at("2003-08-01")
    every = rrulestr(rule, dtstart=first.replace(tzinfo=None))
    expected = every.between(start.replace(tzinfo=None), datetime(2003, 10, 1))
    assert [one.replace(tzinfo=None) for one in starts(rule, first, start, at("2003-10-01"))] == expected
    assert len(expected) > 8
