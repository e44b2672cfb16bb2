"""A plan that cannot be used is refused with the key that is wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scrapers.plan import PlanError, read_plan
from tests.scrapers.conftest import Crawl, ask, plan_of


def plan_without_request() -> dict[str, Any]:
    return {**plan_of(), "requests": ["x"]}


def read(document: Any) -> Any:
    return read_plan(json.dumps(document))


def test_a_plan_is_read_with_its_times_and_pages() -> None:
    request = ask(
        "https://h.example/x?page=7&a=b%20c", window_start="2026-01-01T00:00:00Z", paging={"param": "page", "size": 5}
    )
    (read_back,) = read(plan_of(request)).requests
    assert read_back.window_start == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_back.page_url(None) == request["url"]
    assert read_back.page_url("2") == "https://h.example/x?a=b+c&page=2"
    assert read_back.host == "h.example"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "plan: expected to be an object, was []"),
        (plan_of(source=None), "plan.source: expected to be a valid string, was None"),
        (
            plan_of(rate={"requests_per_second": 0, "concurrency": 1}),
            "plan.rate.requests_per_second: expected to be greater than 0, was 0",
        ),
        (plan_without_request(), "plan.requests[0]: expected to be an object, was 'x'"),
        (plan_of(ask("ftp://h.example/x")), "plan.requests[0].url: expected an http or https address"),
        (plan_of(ask("file:///etc/passwd")), "plan.requests[0].url: expected an http or https address"),
        (
            plan_of(ask("https://h.example/"), ask("https://h.example/", kind="letter")),
            "plan.requests[1].kind: expected to be 'api', 'file', 'feed' or 'page', was 'letter'",
        ),
        (
            plan_of(ask("https://h.example/", month="November")),
            "plan.requests[0].month: expected to be a valid date",
        ),
        (
            plan_of(ask("https://h.example/", window_end="2026-01-01T00:00:00")),
            "plan.requests[0].window_end: expected to have timezone info",
        ),
        (
            plan_of(ask("https://me:CANARY@h.example/")),
            "plan.requests[0].url: expected no user in the address of h.example",
        ),
        (plan_of(ask("https://h.example/", surprise=1)), "plan.requests[0].surprise: expected no such key; remove it"),
        ({**plan_of(), "surprise": 1}, "plan.surprise: expected no such key; remove it"),
        (plan_of(retries="1"), "plan.retries: expected to be a valid integer, was '1'"),
        (plan_of(timeout_seconds=float("inf")), "plan.timeout_seconds: expected to be a finite number, was inf"),
        ({}, "plan.source: expected a value, was missing"),
    ],
)
def test_a_plan_that_cannot_be_used_names_the_key(document: Any, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        read(document)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_process_says_it_in_one_line_and_ends_with_1(crawl: Crawl) -> None:
    done = crawl(source=None)
    assert (done.code, done.stderr.strip()) == (1, "scrapers: plan.source: expected to be a valid string, was None")
