"""FRED, the Treasury, EDGAR and tables of pages: what their formats say, and what is no such body."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.documents import document
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.settings import PROJECT
from tests.ingestion.conftest import Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FRED = b"%s,DGS10\n2024-01-11,3.98\n2024-01-12,3.96\n2024-01-15,\n2024-01-16,.\n2024-01-17,4.10\n"
ENTRY = b"""<entry><content type="application/xml"><m:properties>
<d:NEW_DATE m:type="Edm.DateTime">2025-01-02T00:00:00</d:NEW_DATE><d:BC_1MONTH m:type="Edm.Double">4.45</d:BC_1MONTH>
<d:BC_1_5MONTH m:type="Edm.Double" m:null="true"/><d:BC_10YEAR m:type="Edm.Double">4.57</d:BC_10YEAR>
<d:BC_30YEARDISPLAY m:type="Edm.Double">4.79</d:BC_30YEARDISPLAY></m:properties></content></entry>"""
TREASURY = b"""<feed xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"
xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns="http://www.w3.org/2005/Atom">%s</feed>"""
PAGE = """<html><head><meta charset="utf-8"></head><body><table><tr><td>other</td></tr></table>
<table id="quotes" data-symbol="AAPL"><tr><th>Date</th><th>Open</th><th>High</th><th>Low</th>
<th>%s</th><th>Volume</th></tr>
<tr><td>2012-05-01</td><td>$584.90</td><td>$596.76</td><td>$581.23</td><td>$582.13</td><td>21,821,400</td></tr>
<tr><td>2012-05-02</td><td>$580.24</td><td>$587.40</td><td>$578.86</td><td>n/a?</td><td>15,263,900</td></tr>
<tr><td>2012-05-05</td><td>1</td><td>1</td><td>1</td><td>1</td><td>1</td></tr><tr><td>short</td></tr></table></body></html>"""
HTML = b"<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking your browser</body></html>\n"
SEC = {"symbol": "0001318605"}
GIVEN = {"sec_submissions": {"symbol": "0001318605"}, "html_table": {"symbol": "AAPL"}}


def parsed(name: str, body: bytes, **given: str) -> dict[str, Any]:
    """What `strades parse` prints."""
    return document(load_protocol(name), body, given=given, fetched_at=NOW)


@pytest.mark.parametrize("header", [b"observation_date", b"DATE"])
def test_fred_has_no_record_where_it_has_no_value_and_is_known_on_the_next_session(header: bytes) -> None:
    found = parsed("fred_csv", FRED % header, symbol="DGS10", unit="percent")
    known = [(each["event_time"][:10], each["value"], each["knowledge_time"]) for each in found["records"]]
    assert known == [
        ("2024-01-11", 3.98, "2024-01-12T21:15:00Z"),
        ("2024-01-12", 3.96, "2024-01-16T21:15:00Z"),  # a Friday before a Monday on which nothing was published
        ("2024-01-17", 4.1, "2024-01-18T21:15:00Z"),
    ]
    assert {(each["series"], each["unit"], each["vintage"]) for each in found["records"]} == {
        ("DGS10", "percent", None)
    }
    assert found["rejects"] == []


def test_a_series_that_comes_out_later_is_known_later_and_that_of_another_is_refused() -> None:
    late = parsed("fred_csv", b"observation_date,CPILFESL\n2012-01-01,227.877\n", lag_days="50")["records"]
    assert late[0]["knowledge_time"] == "2012-02-21T21:15:00Z"  # 20 February was Presidents' Day
    with pytest.raises(BodyRefused, match="expected symbol DGS10, was CPILFESL"):
        parsed("fred_csv", b"observation_date,CPILFESL\n2012-01-01,227.877\n", symbol="DGS10")


def labelled(first: date, step: int, count: int) -> bytes:
    """A body of FRED with a label every `step` days."""
    days = (first + timedelta(days=step * n) for n in range(count))
    return b"observation_date,X\n" + b"".join(b"%s,1.0\n" % str(day).encode() for day in days)


@given(st.integers(7, 400), st.integers(2, 40), st.integers(0, 800))
def test_no_value_is_known_before_the_next_label_unless_the_body_is_refused(step: int, count: int, lag: int) -> None:
    body, lag_days = labelled(date(1990, 1, 1), step, count), str(lag)
    if lag <= step:
        with pytest.raises(GivenError, match=f"expected lag_days above {step}"):
            parsed("fred_csv", body, symbol="X", lag_days=lag_days)
        return
    for record in parsed("fred_csv", body, symbol="X", lag_days=lag_days)["records"]:
        about, known = (datetime.fromisoformat(record[name]) for name in ("event_time", "knowledge_time"))
        assert known > about + timedelta(days=step)


def test_labels_of_days_with_weekends_holidays_and_a_missing_week_between_them_need_no_lag() -> None:
    days = [b"2001-09-07", b"2001-09-10", b"2001-09-17", b"2001-09-18", b"2001-09-19"]  # New York was closed in between
    body = b"observation_date,DGS10\n" + b"".join(day + b",4.0\n" for day in days)
    assert len(parsed("fred_csv", body, symbol="DGS10")["records"]) == 5
    assert len(parsed("fred_csv", labelled(date(2024, 1, 12), 4, 2), symbol="X")["records"]) == 2
    assert len(parsed("fred_csv", labelled(date(2024, 1, 12), 31, 1), symbol="X")["records"]) == 1


@pytest.mark.parametrize(
    ("day", "release"),
    [
        (date(2025, 11, 18), datetime(2025, 11, 26, 18, 12, tzinfo=UTC)),  # a Tuesday: the Wednesday of the week after
        (date(2025, 11, 24), datetime(2025, 11, 26, 18, 12, tzinfo=UTC)),  # a Monday: two days later
        (date(2025, 12, 23), datetime(2026, 1, 1, 18, 12, tzinfo=UTC)),  # Thursday where a holiday delays it
    ],
)
def test_the_price_of_oil_is_not_known_before_the_week_of_it_is_out(day: date, release: datetime) -> None:
    """The EIA publishes spot prices once a week: on Wednesday those of Tuesday to Monday, after holidays later."""
    lag = next(one for one in load_sources(PROJECT / "Sources.json").instruments if one.symbol == "DCOILWTICO").lag_days
    body = f"observation_date,DCOILWTICO\n{day},70.0\n".encode()
    [record] = parsed("fred_csv", body, symbol="DCOILWTICO", lag_days=str(lag))["records"]
    assert datetime.fromisoformat(record["knowledge_time"]) >= release


def test_each_series_of_a_body_is_judged_by_its_own_labels() -> None:
    monthly = {date(2024, month, 1) for month in (1, 2, 3)}
    days = (date(2024, 1, 1) + timedelta(days=n) for n in range(70))
    rows = (f"{day},1.0,{2.0 if day in monthly else ''}\n" for day in days)
    body = ("observation_date,DGS10,CPIAUCSL\n" + "".join(rows)).encode()
    with pytest.raises(GivenError, match="expected lag_days above 30, the usual distance of CPIAUCSL's labels"):
        parsed("fred_csv", body)
    assert len(parsed("fred_csv", body, lag_days="45")["records"]) == 73


def test_treasury_yields_are_a_series_a_tenor() -> None:
    found = parsed("treasury_yields", TREASURY % ENTRY)
    values = {each["series"]: (each["value"], each["knowledge_time"]) for each in found["records"]}
    assert values == {"UST_1M": (4.45, "2025-01-02T23:00:00Z"), "UST_10Y": (4.57, "2025-01-02T23:00:00Z")}
    assert parsed("treasury_yields", TREASURY % b"")["records"] == []


def test_edgar_filings_are_known_when_accepted(shared_data: Path) -> None:
    body = (shared_data / "payloads/sec/submissions_CIK0001318605.json").read_bytes()
    found = parsed("sec_submissions", body, symbol="0001318605")
    assert (len(found["records"]), found["rejects"]) == (1001, [])
    newest = next(each for each in found["records"] if each["document_id"] == "0001790565-22-000015")
    assert (newest["entity"], newest["form"], newest["period_end"]) == ("0001318605", "4", "2022-11-28")
    assert newest["filed_at"] == newest["knowledge_time"] == "2022-11-30T21:42:36Z"  # 16:42:36 in New York
    assert newest["url"].endswith("/data/1318605/000179056522000015/xslF345X03/edgardoc.xml")
    with pytest.raises(BodyRefused, match="expected the filings of 0000320193, was 0001318605"):
        parsed("sec_submissions", body, symbol="0000320193")


@pytest.mark.parametrize(
    ("written", "filed", "known"),
    [
        ("2025-05-01T16:21:59.000Z", "2025-05-01T20:21:59Z", ""),  # summer: UTC-4
        ("2025-02-03T21:58:10.000Z", "2025-02-04T02:58:10Z", ""),  # winter: UTC-5
        # Twice that night, at 05:30 and at 06:30; not given out before 6:00 of the filing date.
        ("2024-11-03T01:30:00.000Z", "2024-11-03T06:30:00Z", "2024-11-03T11:00:00Z"),
        # Never: the clock went from 02:00 to 03:00, at 07:00.
        ("2025-03-09T02:30:00.000Z", "2025-03-09T07:00:00Z", "2025-03-09T10:00:00Z"),
    ],
)
def test_a_filing_is_known_by_new_yorks_clock_whatever_its_stamp_says_of_a_zone(
    written: str, filed: str, known: str
) -> None:
    [found] = parsed("sec_submissions", filing(written), symbol="0001318605")["records"]
    assert (found["filed_at"], found["knowledge_time"]) == (filed, known or filed)


def test_a_filing_that_is_fetched_before_new_yorks_clock_says_so_is_known_when_fetched() -> None:
    # NOW is midnight UTC, 19:00 in New York: what is stamped 23:10 there may well be UTC and was there.
    for written in ("2026-11-21T23:10:00.000Z", "2026-11-21T19:00:01.000Z"):
        [found] = parsed("sec_submissions", filing(written), symbol="0001318605")["records"]
        assert found["filed_at"] == found["knowledge_time"] == "2026-11-22T00:00:00Z"
    with pytest.raises(BodyRefused, match="was time_in_the_future"):  # by either clock
        parsed("sec_submissions", filing("2026-11-22T00:10:00.000Z"), symbol="0001318605")


def test_a_filing_that_was_fetched_stays_known_when_its_stamp_says_later(
    store: Store, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    accepted = datetime(2026, 11, 20, 21, 42, tzinfo=UTC)  # if its Z is true; by New York's clock five hours later
    for hours in (1, 2, 24):
        at = accepted + timedelta(hours=hours)
        store(filing("2026-11-20T21:42:00.000Z"), protocol="sec_submissions", source="sec", given=SEC, fetched_at=at)
        load_stored(url=database_url, now=at)
    stored = "SELECT filed_at, knowledge_time, knowledge_basis FROM records.documents"
    first = accepted + timedelta(hours=1)
    assert connection.execute(stored).fetchall() == [(first, first, "assumed")]
    assert connection.execute("SELECT count(*) FROM records.document_revisions").fetchone() == (0,)


def filing(accepted: str) -> bytes:
    """One filing of a company."""
    columns = {
        "accessionNumber": "0001318605-25-000028",
        "filingDate": accepted[:10],
        "reportDate": accepted[:10],
        "acceptanceDateTime": accepted,
        "form": "8-K",
        "primaryDocument": "a.htm",
        "primaryDocDescription": "8-K",
    }
    recent = {name: [value] for name, value in columns.items()}
    return json.dumps({"cik": "1318605", "filings": {"recent": recent}}).encode()


def test_a_table_is_read_by_its_headings_and_bad_rows_are_rejected_alone() -> None:
    found = parsed("html_table", (PAGE % "Close").encode(), symbol="AAPL")
    [bar] = found["records"]
    assert (bar["open"], bar["close"], bar["volume"]) == (584.9, 582.13, 21_821_400)
    assert (bar["open_time"], bar["knowledge_time"]) == ("2012-05-01T13:30:00Z", "2012-05-01T20:00:00Z")
    reasons = {each["where"]: each["reason"] for each in found["rejects"]}
    assert reasons == {"row 2": "close_unreadable", "row 3": "not_on_the_grid", "row 4": "wrong_number_of_columns"}
    with pytest.raises(BodyRefused, match="expected a column Close"):
        parsed("html_table", (PAGE % "Last").encode(), symbol="AAPL")
    with pytest.raises(BodyRefused, match="expected symbol IBM, was AAPL"):
        parsed("html_table", (PAGE % "Close").encode(), symbol="IBM")


@pytest.mark.parametrize(
    "protocol", ["fred_csv", "treasury_yields", "sec_submissions", "html_table", "feed", "feed_archive"]
)
@pytest.mark.parametrize("body", [HTML, b"", b"\x00\xff\xfe", b"null", b"<a", b'{"filings": {"recent": {"form": ['])
def test_a_body_of_another_kind_is_refused_in_one_line(protocol: str, body: bytes) -> None:
    with pytest.raises(BodyRefused) as refused:
        parsed(protocol, body, **GIVEN.get(protocol, {}))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_page_that_was_cut_before_the_end_of_its_table_is_refused(encoding: str) -> None:
    """HTML's end tag of a table cannot be left out; of a cut cell, 21,821,400 may have become 21,82."""
    page = (PAGE % "Close").replace("utf-8", encoding)
    whole = parsed("html_table", page.encode(encoding), symbol="AAPL")["records"]
    end = page.rindex("</table>") + len("</table")
    for cut in range(1, len(page)):
        body = page[:cut].encode(encoding)
        if cut < end:
            with pytest.raises(BodyRefused):
                parsed("html_table", body, symbol="AAPL")
        else:
            assert parsed("html_table", body, symbol="AAPL")["records"] == whole


def test_a_table_of_the_wild_is_found_by_its_headings(shared_data: Path) -> None:
    """The same reader, another protocol: the most active stocks of a newspaper, as pandas reads them."""
    from dataclasses import replace

    from strades_pipelines.datamanager.protocol import Field
    from strades_pipelines.ingestion.html_reader import HtmlReader

    protocol = load_protocol("html_table")
    fields = {"name": Field("Issue(Roll over for charts and headlines)"), "price": Field("Price")}
    output = replace(protocol.read.outputs[0], rows="//table[@class='mdcTable']", fields=fields)
    reader = HtmlReader(protocol.read, (shared_data / "payloads/html/tables/nyse_wsj.html").read_bytes())
    block = reader.block(output)
    wanted = (shared_data / "expected/html_tables/nyse_wsj.csv").read_text(encoding="utf-8").splitlines()
    assert block.count == len(wanted) - 1 == 100
    assert all(str(price).removeprefix("$") in row for price, row in zip(block.cells["price"], wanted[1:], strict=True))


def test_a_row_that_is_no_text_refuses_the_file_and_is_not_lost() -> None:
    with pytest.raises(BodyRefused, match="expected UTF-8"):
        parsed("fred_csv", FRED % b"observation_date" + b"2024-01-18\xe0\n")
