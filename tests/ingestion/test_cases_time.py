"""Real faults that made data known too early, or half a body taken for whole; each names the public report of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused

FETCHED = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accepted", "filing_date", "known"),
    [
        ("2025-05-01T16:21:59.000Z", "2025-05-01", "2025-05-01T20:21:59Z"),
        ("2024-01-03T00:30:00.000Z", "2024-01-03", "2024-01-03T11:00:00Z"),  # a stamp in UTC: 19:30 the day before
        ("2025-05-01T18:21:59.000Z", "2025-05-02", "2025-05-02T10:00:00Z"),  # given out at 6:00 in New York
        ("2025-05-02T21:21:59.000Z", "2025-05-05", "2025-05-05T10:00:00Z"),  # over a weekend
        ("2025-11-02T01:30:00.000Z", "2025-11-03", "2025-11-03T11:00:00Z"),  # in winter
        ("2025-05-01T21:58:00.000Z", "2025-05-01", "2025-05-02T01:58:00Z"),  # a Form 4 goes out the same evening
        ("2025-05-01T16:21:59.000Z", "", "2025-05-01T20:21:59Z"),
        ("2025-05-01T16:21:59.000Z", "2999-01-01", f"{FETCHED:%Y-%m-%dT%H:%M:%SZ}"),  # it was there when it was fetched
    ],
)
def test_a_filing_of_the_evening_is_known_when_edgar_gives_it_out(accepted: str, filing_date: str, known: str) -> None:
    """SEC, EDGAR Filer Manual: what comes after 17:30 has the next business day's filing date and is given out then."""
    columns = {"accessionNumber": "0-25-1", "filingDate": filing_date, "reportDate": "", "acceptanceDateTime": accepted}
    columns |= {"form": "8-K", "primaryDocument": "x.htm", "primaryDocDescription": ""}
    body = {"cik": "0000999901", "filings": {"recent": {name: [value] for name, value in columns.items()}}}
    given = {"symbol": "0000999901"}
    found = parse(load_protocol("sec_submissions"), json.dumps(body).encode(), given=given, fetched_at=FETCHED)
    [filing] = found.tables["document"].to_pylist()
    assert filing["knowledge_time"] == datetime.fromisoformat(known)


def read_case(shared_data: Path, protocol: str, file: str, **given: str) -> list[dict[str, Any]]:
    """The records of a case's body, with nothing rejected."""
    body = (shared_data / "cases/ingestion" / file).read_bytes()
    found = document(load_protocol(protocol), body, given=given, fetched_at=FETCHED)
    assert found["rejects"] == []
    records: list[dict[str, Any]] = found["records"]
    return records


def test_a_feeds_date_that_is_not_understood_in_full_is_never_early(shared_data: Path) -> None:
    """kurtmckee/feedparser#75, #114, #51; mmcdole/gofeed#94, #282"""
    known = {
        record["article_id"]: (record["published_at"], record["knowledge_time"])
        for record in read_case(shared_data, "feed", "feed_dates_guessed.xml")
    }
    assert known == {
        "n1": (None, "2026-11-22T12:00:00Z"),  # 05-03-2024: of day and month, and of a zone, nothing is said
        "n2": (None, "2026-11-22T12:00:00Z"),  # HST is no zone of RFC 822
        "n3": ("2024-03-05T21:05:00Z", "2024-03-05T21:05:00Z"),  # EST is: five hours behind
        "n4": ("2024-03-05T21:05:00Z", "2024-03-05T21:05:00Z"),
    }


def test_an_entry_is_known_when_its_words_were_last_changed(shared_data: Path) -> None:
    """emacs-elfeed/elfeed#393; RSS-Bridge/rss-bridge#1004; RFC 4287 4.2.15"""
    [entry] = read_case(shared_data, "feed", "atom_edited.xml")
    assert (entry["published_at"], entry["knowledge_time"]) == ("2024-03-05T14:00:00Z", "2024-03-06T20:15:00Z")


def test_a_csv_that_was_cut_inside_its_last_number_is_refused(shared_data: Path) -> None:
    """scrapy/scrapy#4120, #2586, #2413: oil of 2013-02-27 is 92.84, the body ends with 2013-02-27,9"""
    with pytest.raises(BodyRefused, match="expected a line end after the last row, was 2013-02-27,9"):
        read_case(shared_data, "fred_csv", "fred_cut.csv", symbol="DCOILWTICO")


def test_a_monthly_series_is_not_read_as_if_it_were_out_on_the_next_day(shared_data: Path) -> None:
    """TauricResearch/TradingAgents#1275; forecastingresearch/forecastbench#283; quandl/quandl-python#178"""
    for too_short in ({}, {"lag_days": "1"}, {"lag_days": "30"}):
        with pytest.raises(GivenError, match=r"expected lag_days above 30\.5, the usual distance of CPIAUCSL's labels"):
            read_case(shared_data, "fred_csv", "cpi.csv", symbol="CPIAUCSL", **too_short)
    assert len(read_case(shared_data, "fred_csv", "cpi.csv", symbol="CPIAUCSL", lag_days="31")) == 3
    *_, january = read_case(shared_data, "fred_csv", "cpi.csv", symbol="CPIAUCSL", lag_days="43")
    assert (january["event_time"], january["value"]) == ("2024-01-01T00:00:00Z", 309.685)
    assert january["knowledge_time"] == "2024-02-13T21:15:00Z"  # it came out on that day, at 08:30 in New York


def test_edgars_stamp_is_new_yorks_clock_whatever_its_z_says(shared_data: Path) -> None:
    """theOGognf/finagg#64; dgunning/edgartools#557: EDGAR takes filings from 06:00 in New York, and 07:30Z is 03:30"""
    filed = read_case(shared_data, "sec_submissions", "edgar_new_york_with_z.json", symbol="0000999901")
    assert [row["knowledge_time"] for row in filed] == [
        "2025-02-04T02:58:10Z",
        "2025-04-30T11:30:32Z",
        "2025-05-01T20:21:59Z",
    ]
