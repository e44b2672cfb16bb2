"""The Atom feed of a company's filings: documents under the numbers that EDGAR's submissions have."""

from datetime import UTC, datetime

import pytest

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused, Parsed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# In the shape that EDGAR answers with (its output=atom of AMD, as others wrote it down in 2023).
ENTRY = """<entry><category label="form type" scheme="https://www.sec.gov/" term="{form}" /><content type="text/xml">
<accession-number>{number}</accession-number><act>34</act><file-number>001-07882</file-number>
<filing-date>{day}</filing-date>
<filing-href>https://www.sec.gov/Archives/edgar/data/2488/{folder}/{number}-index.htm</filing-href>
<filing-type>{form}</filing-type><film-number>23884480</film-number>
<form-name>Quarterly report [Sections 13 or 15(d)]</form-name><size>7 MB</size></content>
<id>urn:tag:sec.gov,2008:accession-number={number}</id><title>{form} - Quarterly report</title>
<updated>{updated}</updated></entry>"""
FEED = """<?xml version="1.0" encoding="ISO-8859-1" ?><feed xmlns="http://www.w3.org/2005/Atom"><author>
<name>Webmaster</name></author><company-info><cik>{cik}</cik><conformed-name>ADVANCED MICRO DEVICES INC</conformed-name>
</company-info>{entries}<title>ADVANCED MICRO DEVICES INC (0000002488)</title></feed>"""


def entry(number: str, day: str, updated: str, form: str = "10-Q") -> str:
    return ENTRY.format(number=number, day=day, updated=updated, form=form, folder=number.replace("-", ""))


def read(*entries: str, cik: str = "0000002488") -> Parsed:
    body = FEED.format(cik=cik, entries="".join(entries)).encode()
    return parse(load_protocol("sec_company_feed"), body, given={"symbol": "0000002488"}, fetched_at=NOW)


def test_a_filing_is_known_when_accepted_or_in_the_morning_after_an_evening() -> None:
    parsed = read(
        entry("0000002488-23-000077", "2023-05-04", "2023-05-03T18:01:02-04:00", "8-K"),
        entry("0000002488-23-000076", "2023-05-03", "2023-05-03T16:20:44-04:00"),
    )
    assert parsed.rejects == ()
    first, second = parsed.tables["document"].to_pylist()
    assert (first["document_id"], first["entity"], first["form"]) == ("0000002488-23-000076", "0000002488", "10-Q")
    assert first["title"] == "Quarterly report [Sections 13 or 15(d)]"
    assert first["url"] == (
        "https://www.sec.gov/Archives/edgar/data/2488/000000248823000076/0000002488-23-000076-index.htm"
    )
    assert first["period_end"] is None
    assert first["filed_at"] == first["knowledge_time"] == datetime(2023, 5, 3, 20, 20, 44, tzinfo=UTC)
    assert second["filed_at"] == datetime(2023, 5, 3, 22, 1, 2, tzinfo=UTC)
    assert second["knowledge_time"] == datetime(2023, 5, 4, 10, tzinfo=UTC)


def test_a_feed_of_another_company_or_a_page_is_refused() -> None:
    with pytest.raises(BodyRefused, match="expected the filings of 0000002488, was 0000320193"):
        read(entry("0000320193-23-000076", "2023-05-03", "2023-05-03T16:20:44-04:00"), cik="0000320193")
    with pytest.raises(BodyRefused):
        parse(
            load_protocol("sec_company_feed"), b"<html><body><h1>No matching CIK.</h1></body></html>",
            given={"symbol": "0000002488"}, fetched_at=NOW,
        )  # fmt: skip


def test_a_filing_of_the_future_and_one_without_a_number_are_rejects() -> None:
    parsed = read(
        entry("0000002488-23-000076", "2023-05-03", "2023-05-03T16:20:44-04:00"),
        entry("0000002488-27-000001", "2027-05-03", "2027-05-03T16:20:44-04:00"),
        entry("", "2023-05-03", "2023-05-03T16:20:44-04:00"),
    )
    assert [reject.reason for reject in parsed.rejects] == ["time_in_the_future", "document_id_missing"]
    assert parsed.tables["document"].num_rows == 1
