"""FRED, the Treasury, EDGAR, news and the page: as they would answer at a time, and nothing from after it."""

import json
import re
from datetime import UTC, date, datetime

import pytest

from sandbox import fred, news, pages, sec, treasury
from sandbox.stocks import raw_bars
from sandbox.world import Reply
from tests.sandbox.conftest import Worlds

OIL = {"id": "DCOILWTICO"}
MONTH = {"data": "daily_treasury_yield_curve", "field_tdr_date_value_month": "201301"}


def test_fred_serves_real_series_and_nothing_before_it_is_out(world_at: Worlds) -> None:
    lines = fred.answer(world_at("2012-01-10T12:00:00Z"), fred.PATH, OIL).body.decode().splitlines()
    assert lines[0] == "observation_date,DCOILWTICO"
    assert lines[-1] == "2012-01-03,102.96"  # as FRED has it
    today = fred.answer(world_at("2026-11-22T12:00:00Z"), fred.PATH, OIL).body.decode().splitlines()
    assert today[-1].startswith("2019-01-03,")  # the last day of the file
    assert fred.answer(world_at("2026-11-22T12:00:00Z"), fred.PATH, {"id": "NONE"}).status == 404


def test_treasury_says_that_it_is_synthetic_and_has_no_curve_before_its_hour(world_at: Worlds) -> None:
    before, after = (
        treasury.answer(world_at(f"2013-01-03T{hour}:00:00Z"), treasury.PATH, MONTH).body.decode() for hour in (20, 21)
    )
    assert "synthetic" in before
    assert (before.count("<entry>"), after.count("<entry>")) == (2, 3)
    assert 'd:BC_4MONTH m:type="Edm.Double" m:null="true"' in after
    assert after.startswith(before.split("</feed>")[0])


def test_filings_are_synthetic_unique_and_not_from_the_future(world_at: Worlds) -> None:
    def recent(now: str) -> dict[str, list[str]]:
        document = json.loads(sec.answer(world_at(now), "submissions/CIK0000320193.json", {}).body)
        assert "synthetic" in document["name"]
        filings: dict[str, list[str]] = document["filings"]["recent"]
        return filings

    early, late = recent("2012-06-01T00:00:00Z"), recent("2026-11-22T00:00:00Z")
    assert max(early["acceptanceDateTime"]) < "2012-06-01"
    assert max(late["acceptanceDateTime"]) < "2013-03-02"
    assert set(early["accessionNumber"]) < set(late["accessionNumber"])
    assert len(set(late["accessionNumber"])) == len(late["accessionNumber"])


@pytest.mark.parametrize("path", ["markets.rss", "markets.atom", "archive.atom"])
def test_news_is_a_function_of_the_time_and_calls_itself_synthetic(world_at: Worlds, path: str) -> None:
    def at(now: str) -> Reply:
        return news.answer(world_at(now), path, {"month": "2012-05"})

    noon = at("2012-05-15T12:00:00Z")
    assert noon == at("2012-05-15T12:00:00Z")
    assert b"Synthetic" in noon.body
    stamps = re.findall(r"<published>([^<]+)", noon.body.decode())
    assert all(datetime.fromisoformat(stamp) <= datetime(2012, 5, 15, 12, tzinfo=UTC) for stamp in stamps)
    if path == "archive.atom":
        later = at("2012-05-16T12:00:00Z")
        before, after = (set(re.findall(rb"<entry><id>([^<]+)", reply.body)) for reply in (noon, later))
        assert before < after


def test_news_names_companies_and_coins(world_at: Worlds) -> None:
    stocks = news.answer(world_at("2013-03-02T00:00:00Z"), "archive.atom", {"month": "2013-02"}).body.decode()
    assert all(name in stocks for name in ("Apple Inc.", "Google Inc.", "Facebook, Inc.", "Microsoft Corporation"))
    coins = news.answer(world_at("2026-11-22T12:00:00Z"), "markets.rss", {}).body.decode()
    assert coins.count("<item>") == news.NEWEST
    assert "<title>Bitcoin " in coins
    assert "<title>Ether " in coins


def test_the_page_quotes_the_bars_but_for_the_errors_it_lists(world_at: Worlds) -> None:
    errors = pages.planted_errors("AAPL")
    assert set(errors.values()) == {1.01, 100.0}
    bars = {bar.session: bar for bar in raw_bars("AAPL")}
    for month in ("2012-07", "2012-11"):
        body = pages.answer(world_at("2026-11-22T00:00:00Z"), "quotes/AAPL", {"month": month}).body.decode()
        rows = re.findall(r"<tr><td>([^<]+)</td>.*?\$([\d.,]+)</td><td>[\d,]+</td></tr>", body)
        assert len(rows) == sum(f"{session:%Y-%m}" == month for session in bars)
        for day, close in rows:
            session = date.fromisoformat(day)
            wanted = bars[session].close * errors.get(session, 1.0)
            assert float(close.replace(",", "")) == pytest.approx(wanted, abs=5.1e-5)
    assert errors[date(2012, 7, 2)] == 100.0  # the first session of July
    known = pages.answer(world_at("2012-07-03T12:00:00Z"), "quotes/AAPL", {"month": "2012-07"}).body
    assert known.count(b"<tr><td>") == 1
