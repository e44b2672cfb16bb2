"""What asks for the next page of a list, whatever the page says."""

import json
from datetime import UTC, datetime

import pytest

from scrapers.plan import Paging
from scrapers.spiders.api import decoded, error_of, goes_on, next_value, number_of, reaches

LAST_TIME = Paging("startTime", 2, next="/-1/T", unit="ms")
CURSOR = Paging("after", 2, rows="/data", next="/meta/cursor")


@pytest.mark.parametrize(
    ("page", "paging", "value"),
    [
        ('[{"T": 1}, {"T": 7}]', LAST_TIME, "7"),
        ('[{"T": 1}, {"T": "7"}]', LAST_TIME, "7"),
        ('{"data": [1, 2], "meta": {"cursor": "a b&c=d"}}', CURSOR, "a b&c=d"),
    ],
)
def test_the_page_says_what_asks_for_the_next_one(page: str, paging: Paging, value: str) -> None:
    assert next_value(json.loads(page), paging, "1") == value


@pytest.mark.parametrize(
    ("page", "paging", "more"),
    [
        ('{"data": [1], "meta": {"cursor": "a"}}', CURSOR, True),  # Alpaca: "the API may return less"
        ('{"data": {}, "meta": {"cursor": "a"}}', CURSOR, True),
        ('{"data": [1, 2], "meta": {"cursor": null}}', CURSOR, False),
        ('{"data": [1], "meta": {"cursor": ""}}', CURSOR, False),
        ('{"data": [1], "meta": {}}', CURSOR, False),
        ('{"data": [1, 2], "meta": {}}', CURSOR, True),  # and fails, since nothing asks for what comes after it
        ('[{"T": 1}]', LAST_TIME, False),
        ('[{"T": 1}, {"T": 2}]', LAST_TIME, True),
        ("[1, 2]", Paging("page", 2), True),
        ("[1]", Paging("page", 2), False),
        ("null", CURSOR, False),
    ],
)
def test_a_token_alone_says_whether_a_page_is_the_last(page: str, paging: Paging, more: bool) -> None:
    assert goes_on(json.loads(page), paging) is more


@pytest.mark.parametrize(
    "value", ["", None, True, 1.5, -1, "-1", "1e3", "x&y=1", "\u0661\u0662", [[[1]]], {"a": 1}, "1" * 101, "1\n"]
)
def test_what_is_no_time_asks_for_nothing(value: object) -> None:
    with pytest.raises(ValueError, match=r"a full page of 2 rows does not say at /-1/T what comes after it"):
        next_value([{"T": 1}, {"T": value}], LAST_TIME, None)


def test_pages_are_numbered_or_the_rows_before_them_are_counted() -> None:
    counted = Paging("from", 100, counts="rows")
    assert [number_of(page, Paging("page", 100)) for page in (1, 2, 3)] == ["1", "2", "3"]
    assert [number_of(page, counted) for page in (1, 2, 3)] == ["0", "100", "200"]


def test_an_error_is_told_from_an_empty_page() -> None:
    paging = Paging("since", 2, errors=("/error", "/code"))
    assert error_of({"error": ["EAPI:Rate limit exceeded"]}, paging) == "['EAPI:Rate limit exceeded']"
    assert error_of({"code": -1003}, paging) == "-1003"
    pages: list[object] = [{"error": [], "result": {}}, [], None]
    assert [error_of(page, paging) for page in pages] == [None] * 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe", b'{"a": '])
def test_a_body_that_is_no_json_has_no_page_after_it(body: bytes) -> None:
    assert decoded(body) is None


@pytest.mark.parametrize(("unit", "end"), [("s", 1793491200), ("ms", 1793491200_000), ("ns", 1793491200_000_000_000)])
def test_a_page_that_reaches_the_end_of_the_window_is_the_last(unit: str, end: int) -> None:
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    assert [reaches(str(time), midnight, unit) for time in (end - 1, end, end + 1)] == [False, True, True]
