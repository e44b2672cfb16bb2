"""EDGAR's full-text search: each document in which the words occur, known by the end of its filing date."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from strades_pipelines.datamanager.planning import plan
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources, Website
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed

NOW = datetime(2021, 3, 1, 12, tzinfo=UTC)
# In the shape that EDGAR answers with, as several public programs read it; no recorded answer was at hand.
EXHIBIT: dict[str, Any] = {
    "_index": "edgar_file",
    "_id": "0001564590-21-004599:tsla-ex211_368.htm",
    "_score": 8.1,
    "_source": {
        "ciks": ["0001318605"], "period_ending": "2020-12-31", "file_num": ["001-34756"],
        "display_names": ["Tesla, Inc.  (TSLA)  (CIK 0001318605)"], "sequence": 3, "root_forms": ["10-K"],
        "file_date": "2021-02-08", "biz_states": ["CA"], "sics": ["3711"], "form": "10-K",
        "adsh": "0001564590-21-004599", "film_num": ["21598924"], "file_type": "EX-21.1",
        "file_description": "EX-21.1", "inc_states": ["DE"], "items": [],
    },
}  # fmt: skip
REPORT: dict[str, Any] = EXHIBIT | {
    "_id": "0001564590-21-004599:tsla-10k_20201231.htm",
    "_source": EXHIBIT["_source"] | {"file_description": None, "period_ending": None},
}


def body(*hits: Any, **more: Any) -> dict[str, Any]:
    total = {"value": len(hits), "relation": "eq"}
    return {"took": 5, "timed_out": False, "hits": {"total": total, "max_score": 8.1, "hits": list(hits)}, **more}


def read(document: Any, now: datetime = NOW) -> Parsed:
    return parse(load_protocol("sec_full_text"), json.dumps(document).encode(), given={}, fetched_at=now)


def test_a_document_is_known_by_the_end_of_its_filing_date_in_new_york() -> None:
    parsed = read(body(EXHIBIT, REPORT))
    assert parsed.rejects == ()
    report, exhibit = sorted(parsed.tables["document"].to_pylist(), key=lambda row: row["document_id"])
    assert exhibit["document_id"] == "0001564590-21-004599:tsla-ex211_368.htm"
    assert (exhibit["entity"], exhibit["form"], exhibit["title"]) == ("0001318605", "10-K", "EX-21.1")
    assert exhibit["url"] == (
        "https://www.sec.gov/Archives/edgar/data/0001318605/000156459021004599/0001564590-21-004599-index.htm"
    )
    assert exhibit["filed_at"] == exhibit["knowledge_time"] == datetime(2021, 2, 9, 4, 59, tzinfo=UTC)
    assert exhibit["knowledge_basis"] == "assumed"
    assert f"{exhibit['period_end']}" == "2020-12-31"
    assert (report["title"], report["period_end"]) == (None, None)


def test_what_was_filed_today_is_known_when_it_was_answered() -> None:
    noon = datetime(2021, 2, 8, 17, tzinfo=UTC)
    [row] = read(body(EXHIBIT), noon).tables["document"].to_pylist()
    assert row["filed_at"] == row["knowledge_time"] == noon


def test_an_error_is_refused_and_a_hit_of_tomorrow_or_of_nobody_is_a_reject() -> None:
    errors: list[dict[str, Any]] = [
        {"errorMessage": "timed out"},
        {"error": "Result window is too large"},
        {"hits": {}},
    ]
    for wrong in errors:
        with pytest.raises(BodyRefused):
            read(wrong)
    tomorrow = REPORT | {"_source": REPORT["_source"] | {"file_date": "2021-03-02"}}
    nobody = REPORT | {"_id": "x", "_source": REPORT["_source"] | {"ciks": []}}
    parsed = read(body(EXHIBIT, tomorrow, nobody))
    assert [reject.reason for reject in parsed.rejects] == ["time_in_the_future", "entity_missing"]
    assert parsed.tables["document"].num_rows == 1


def test_a_month_is_asked_for_by_its_days_behind_the_words_of_the_search() -> None:
    search = "https://efts.sec.gov/LATEST/search-index?q=%22oil%20sands%22&forms=8-K"
    website = Website("x", "X", search, True, "reports", "sec_full_text", "", (), "", "x", None)
    window = datetime(2021, 2, 1, tzinfo=UTC), datetime(2021, 3, 1, tzinfo=UTC)
    [request] = plan(website, Sources((website,), ()), window=window, now=NOW, log={})
    assert request.url == f"{search}&dateRange=custom&startdt=2021-02-01&enddt=2021-02-28"
    assert request.paging is not None
    assert (request.paging["param"], request.paging["size"], request.paging["counts"]) == ("from", 100, "rows")
