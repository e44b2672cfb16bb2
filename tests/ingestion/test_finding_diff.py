"""A look beside earlier ones: what is new, what is settled, and what is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from strades_pipelines.ingestion.finding_diff import Finding, StoredFinding, compare_findings, join_marks

START = datetime(2026, 11, 1, tzinfo=UTC)
EVERY = ("open", "high", "low", "close")


def test_marks_of_a_series_are_joined_and_those_of_others_are_not() -> None:
    days = [START + timedelta(days=number) for number in (0, 20, 40, 100)]
    marks = [(2, "1m", days[0], days[0]), *((1, "1m", day, day) for day in reversed(days)), (1, "1d", days[0], days[0])]
    assert join_marks(marks) == [
        (1, "1d", days[0], days[0]),
        (1, "1m", days[0], days[2]),
        (1, "1m", days[3], days[3]),
        (2, "1m", days[0], days[0]),
    ]


def test_a_part_of_what_was_settled_is_settled_and_more_than_that_is_new() -> None:
    def finding(first: int, last: int) -> Finding:
        times = START + timedelta(minutes=first), START + timedelta(minutes=last)
        return Finding(*times, last - first + 1, "hundredfold", EVERY)

    settled = StoredFinding(1, finding(10, 20), is_open=False)
    assert compare_findings([finding(12, 15)], [settled]) == ([], [])
    assert compare_findings([finding(12, 25)], [settled]) == ([finding(12, 25)], [])
    opened = StoredFinding(2, finding(30, 40), is_open=True)
    assert compare_findings([finding(30, 40)], [settled, opened]) == ([], [])
    assert compare_findings([], [settled, opened]) == ([], [opened])


def test_a_repair_of_bars_that_changed_is_gone_and_what_is_still_wrong_is_new() -> None:
    one = Finding(START, START, 1, "hundredfold", EVERY)
    outdated = StoredFinding(1, one, is_open=True, is_current=False)
    assert compare_findings([one], [outdated]) == ([one], [outdated])
    accepted = StoredFinding(2, one, is_open=False, is_current=False)
    assert compare_findings([one], [accepted]) == ([one], [])


def test_what_could_not_be_judged_takes_nothing_back_but_what_is_outdated() -> None:
    one = StoredFinding(1, Finding(START, START, 1, "hundredfold", EVERY), is_open=True)
    assert compare_findings([], [one], is_certain=False) == ([], [])
    outdated = replace(one, is_current=False)
    assert compare_findings([], [outdated], is_certain=False) == ([], [outdated])
