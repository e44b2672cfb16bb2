"""EDGAR's facts and feed in the sandbox: of the same filings as its submissions, and nothing from after the time."""

import json
from datetime import UTC, datetime
from typing import Any

from sandbox import sec, sec_search
from sandbox.server import PROVIDERS
from sandbox.world import World
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from tests.sandbox.conftest import Worlds

CIK = "0000320193"
ASKED = {"action": "getcompany", "output": "atom", "CIK": CIK, "count": "100"}


def read(protocol: str, world: World, path: str, query: dict[str, str]) -> list[dict[str, object]]:
    """The records of an answer, which has no rejects."""
    host = sec.FEED_HOST if path == sec.FEED_PATH else sec.HOST
    reply = PROVIDERS[host](world, path, query)
    parsed = parse(load_protocol(protocol), reply.body, given={"symbol": CIK}, fetched_at=world.now())
    assert parsed.rejects == ()
    return [row for table in parsed.tables.values() for row in table.to_pylist()]


def test_facts_are_those_of_the_reports_and_some_are_restated_a_year_later(world_at: Worlds) -> None:
    world = world_at("2012-06-01T00:00:00Z")
    document = json.loads(sec.answer(world, f"api/xbrl/companyfacts/CIK{CIK}.json", {}).body)
    assert "synthetic" in document["entityName"]
    rows = read("sec_company_facts", world, f"api/xbrl/companyfacts/CIK{CIK}.json", {})
    filed = read("sec_submissions", world, f"submissions/CIK{CIK}.json", {})
    reports = {str(row["period_end"]) for row in filed if row["form"] in ("10-K", "10-Q")}
    ends = {str(row["event_time"])[:10] for row in rows}
    assert reports <= ends
    assert len({row["series"] for row in rows}) == 6  # of two flows quarters and years
    years_before = {(row["series"], row["event_time"]) for row in rows}
    assert 0 < len(rows) - len(years_before) < len(years_before)  # restated
    whole, parts = (
        {str(row["event_time"])[:10]: row["value"] for row in rows if row["series"] == f"SEC:{CIK}:{name}"}
        for name in ("us-gaap:NetIncomeLoss:USD:P12M", "us-gaap:NetIncomeLoss:USD:P3M")
    )
    assert whole["2010-12-31"] > sum(parts[f"2010-{end}"] for end in ("03-31", "06-30", "09-30"))  # type: ignore[operator, misc]


def test_a_figure_never_changes_but_by_a_later_vintage(world_at: Worlds) -> None:
    path = f"api/xbrl/companyfacts/CIK{CIK}.json"
    early, late = (
        read("sec_company_facts", world_at(now), path, {}) for now in ("2010-06-01T00:00:00Z", "2012-06-01T00:00:00Z")
    )
    assert {str(row) for row in early} < {str(row) for row in late}
    assert all(row["knowledge_time"] <= datetime(2010, 6, 1, tzinfo=UTC) for row in early)  # type: ignore[operator]


def test_the_feed_has_the_newest_filings_under_the_numbers_of_the_submissions(world_at: Worlds) -> None:
    world = world_at("2012-06-01T00:00:00Z")
    newest = read("sec_company_feed", world, sec.FEED_PATH, ASKED)
    filed = read("sec_submissions", world, f"submissions/CIK{CIK}.json", {})
    columns = ("document_id", "form", "filed_at", "knowledge_time")
    assert [[row[name] for name in columns] for row in newest] == [
        [row[name] for name in columns] for row in filed[-100:]
    ]


def test_unknown_companies_are_answered_as_edgar_does(world_at: Worlds) -> None:
    world = world_at("2012-06-01T00:00:00Z")
    assert sec.answer(world, "api/xbrl/companyfacts/CIK0000000001.json", {}).status == 404
    page = sec.feed_answer(world, sec.FEED_PATH, ASKED | {"CIK": "1"})
    assert (page.status, page.content_type) == (200, "text/html")
    assert sec.feed_answer(world, sec.FEED_PATH, ASKED | {"output": "html"}).status == 404


def search(world: World, **query: str) -> dict[str, Any]:
    reply = PROVIDERS[sec_search.HOST](world, sec_search.PATH, query)
    assert reply.status == 200
    hits: dict[str, Any] = json.loads(reply.body)["hits"]
    return hits


def test_a_search_finds_each_document_of_the_filings_that_have_the_words(world_at: Worlds) -> None:
    world = world_at("2012-06-01T00:00:00Z")
    days = {"dateRange": "custom", "startdt": "2011-01-01", "enddt": "2011-12-31"}
    found = search(world, q='"apple inc." synthetic', **days)["hits"]
    filed = read("sec_submissions", world, f"submissions/CIK{CIK}.json", {})
    year = [row for row in filed if str(row["filed_at"])[:4] == "2011"]
    assert {hit["_source"]["adsh"] for hit in found} == {row["document_id"] for row in year}
    assert len(found) == len(year) + len([row for row in year if row["form"] == "8-K"])
    assert {hit["_source"]["file_type"] for hit in search(world, q="ex-99.1", forms="8-K", **days)["hits"]} == {
        "EX-99.1"
    }
    assert search(world, q="microsoft", ciks=CIK)["hits"] == []


def test_pages_of_a_search_follow_each_other_to_its_end(world_at: Worlds) -> None:
    world = world_at("2012-06-01T00:00:00Z")
    total = search(world, q="synthetic")["total"]["value"]
    assert total > 500
    pages = [search(world, q="synthetic", **{"from": str(skipped)})["hits"] for skipped in range(0, total, 100)]
    assert [len(page) for page in pages[:-1]] == [100] * (len(pages) - 1)
    assert len({hit["_id"] for page in pages for hit in page}) == total
    reply = sec_search.answer(world, sec_search.PATH, {"q": "synthetic", "from": "10000"})
    assert reply.status == 500
