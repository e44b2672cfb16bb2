"""What is asked: aligned questions with stable keys, and none that is answered."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.datamanager.fetch_log import Answer
from strades_pipelines.datamanager.listings import listing_rows
from strades_pipelines.datamanager.planning import Request, plan, request_keys, spider_plan
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.settings import PROJECT

NOW = datetime(2026, 11, 22, 13, 5, 7, tzinfo=UTC)
EVER = (datetime(1999, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
SOURCES = load_sources(PROJECT / "Sources.json")


def asked(name: str, *, sources: Sources = SOURCES, **changes: Any) -> list[Request]:
    """The plan of a website of the project's own Sources.json."""
    arguments: dict[str, Any] = {"window": EVER, "now": NOW, "log": {}} | changes
    return plan(sources.website(name), sources, **arguments)


def answer(request: Request, fetched_at: datetime, etag: str | None = None) -> Answer:
    """An answer to a request."""
    return Answer(request.url, fetched_at, etag, None)


def query(request: Request) -> dict[str, str]:
    """The query of a request's URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


def instant(seconds: str) -> datetime:
    """Seconds since the epoch."""
    return datetime.fromtimestamp(int(seconds), UTC)


def test_gate_candles_are_asked_in_thousands_aligned_to_the_epoch_within_reach() -> None:
    minutes = [
        request
        for request in asked("gateio")
        if request.given == {"symbol": "BTC_USDT", "interval": "1m", "venue": "gateio", "calendar": "24/7"}
    ]
    assert len(minutes) in (10, 11)
    for request in minutes:
        first, last = instant(query(request)["from"]), instant(query(request)["to"])
        assert (last - first) / timedelta(minutes=1) <= 999
        assert first >= NOW - timedelta(minutes=9998)
        assert first.second == last.second == 0
        assert request.url.startswith(
            "https://api.gateio.ws/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1m&"
        )
    for before, after in pairwise(minutes):
        assert before.window_end == after.window_start
        assert instant(query(after)["from"]).timestamp() % 60_000 == 0
        assert instant(query(before)["to"]) + timedelta(minutes=1) == instant(query(after)["from"])


def test_oldest_gate_chunk_keeps_its_key_while_it_leaves_the_reach() -> None:
    first, later = (asked("gateio", now=NOW + timedelta(minutes=n))[0] for n in (0, 1))
    assert first.request_key == later.request_key
    assert first.window_start != later.window_start


def test_gate_day_bars_reach_back_to_the_start_of_history() -> None:
    days = [request for request in asked("gateio") if request.given.get("interval") == "1d"]
    assert min(request.window_start or "" for request in days) == "2024-01-01T00:00:00Z"


def test_gate_trades_are_asked_by_hours_in_pages() -> None:
    requests = [request for request in asked("gateio_trades") if request.given["symbol"] == "BTC_USDT"]
    assert [request.window_end for request in requests][-1] == "2026-11-22T14:00:00Z"
    assert len(requests) == 25
    assert requests[0].paging == {
        "param": "page",
        "size": 1000,
        "rows": "",
        "next": None,
        "unit": None,
        "counts": "pages",
        "errors": ("/label",),
    }
    assert query(requests[-1])["from"] == str(int(datetime(2026, 11, 22, 13, tzinfo=UTC).timestamp()))


def test_a_calendar_that_no_instrument_states_is_said_to_be_assumed_where_answers_say_one() -> None:
    """An answer that says another one is refused."""
    assert {request.given["assumed"] for request in asked("yahoo")} == {"calendar"}
    assert all("assumed" not in request.given for request in asked("gateio"))
    stated = [replace(instrument, calendar="XNAS") for instrument in SOURCES.instruments]
    own = replace(SOURCES, instruments=tuple(stated))
    assert all("assumed" not in request.given for request in asked("yahoo", sources=own))


def test_yahoo_years_are_cut_to_the_life_of_the_instrument() -> None:
    windows = [
        (request.window_start, request.window_end) for request in asked("yahoo") if request.given["symbol"] == "FB"
    ]
    assert windows == [
        ("2012-05-18T00:00:00Z", "2013-01-01T00:00:00Z"),
        ("2013-01-01T00:00:00Z", "2013-03-02T00:00:00Z"),
    ]
    request = asked("yahoo", window=(datetime(2005, 3, 1, tzinfo=UTC), datetime(2005, 3, 2, tzinfo=UTC)))[0]
    assert request.url == (
        "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?period1=1104537600&period2=1136073600&interval=1d"
        "&events=div%2Csplits%2CcapitalGains&includePrePost=false"
    )
    assert (request.request_key, request.month) == (
        "yahoo_chart AAPL 1d 2005-01-01T00:00:00Z 2006-01-01T00:00:00Z",
        "2005-01-01",
    )


def test_symbols_are_quoted_in_paths_and_queries() -> None:
    odd = replace(SOURCES.instruments[0], symbol="^A/B&c=1?d")
    sources = replace(SOURCES, instruments=(odd, *SOURCES.instruments[1:]))
    request = asked("yahoo", sources=sources)[0]
    assert urlsplit(request.url).path == "/v8/finance/chart/%5EA%2FB%26c%3D1%3Fd"
    odd = replace(SOURCES.instruments[5], symbol="A&to=1")
    sources = replace(SOURCES, instruments=(*SOURCES.instruments[:5], odd, *SOURCES.instruments[6:]))
    assert query(asked("gateio", sources=sources)[0])["currency_pair"] == "A&to=1"


def test_nothing_is_asked_outside_the_window_the_life_or_the_future() -> None:
    assert asked("gateio", window=(datetime(2012, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC))) == []
    assert asked("yahoo", window=(datetime(2014, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))) == []
    for request in asked("gateio") + asked("yahoo") + asked("gateio_trades"):
        assert datetime.fromisoformat(request.window_start or "") < NOW


def test_settled_chunk_is_never_asked_again_but_by_force() -> None:
    request = asked("yahoo")[0]
    end = datetime.fromisoformat(request.window_end or "")
    keys = [
        each.request_key for each in asked("yahoo", log={request.request_key: answer(request, end + timedelta(days=1))})
    ]
    assert request.request_key not in keys
    early = {request.request_key: answer(request, end + timedelta(hours=23))}
    assert request.request_key in [each.request_key for each in asked("yahoo", log=early)]
    forced = asked("yahoo", log={request.request_key: answer(request, NOW)}, force=True)
    assert request.request_key in [each.request_key for each in forced]


def test_open_chunk_is_asked_again_with_the_newest_etag_of_its_url() -> None:
    request = asked("gateio")[-1]
    newest = answer(request, NOW - timedelta(hours=1), "new")
    assert asked("gateio", log={request.request_key: newest})[-1] == replace(request, etag="new")
    other = replace(newest, url="https://elsewhere/")
    assert asked("gateio", log={request.request_key: other})[-1].etag is None


def test_the_log_is_read_for_the_questions_that_are_planned() -> None:
    website, window = SOURCES.website("yahoo"), (NOW - timedelta(days=20), NOW)
    keys = request_keys(website, SOURCES, window=window, now=NOW)
    assert keys == [request.request_key for request in asked("yahoo", window=window)]


def test_pages_are_asked_without_etag() -> None:
    request = asked("gateio_trades")[-1]
    log = {request.request_key: answer(request, NOW - timedelta(minutes=1), "etag")}
    assert asked("gateio_trades", log=log)[-1].etag is None


def test_nothing_is_asked_twice_at_one_instant() -> None:
    for name in ("gateio", "gateio_trades", "yahoo", "ecb", "ecb_history"):
        log = {request.request_key: answer(request, NOW) for request in asked(name)}
        assert asked(name, log=log) == []


@pytest.mark.parametrize(("age", "again"), [(timedelta(minutes=59), 0), (timedelta(hours=1), 1)])
def test_file_without_window_is_asked_again_when_it_is_old(age: timedelta, again: int) -> None:
    request = asked("ecb")[0]
    assert (request.window_start, request.kind, request.month) == (None, "file", "2026-11-01")
    assert len(asked("ecb", log={request.request_key: answer(request, NOW - age)})) == again


def test_history_is_asked_whatever_the_window() -> None:
    window = (datetime(2005, 1, 1, tzinfo=UTC), datetime(2005, 2, 1, tzinfo=UTC))
    assert [request.url for request in asked("ecb_history", window=window)] == [
        "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"
    ]


@given(st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 1)), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_any_window_chooses_from_the_same_questions(start: datetime, days: int) -> None:
    first = start.replace(tzinfo=UTC)
    for name in ("yahoo", "gateio"):
        everything = {request.request_key: request for request in asked(name)}
        chosen = asked(name, window=(first, first + timedelta(days=days)))
        assert all(everything[request.request_key] == request for request in chosen)
        wanted = [
            key
            for key, request in everything.items()
            if datetime.fromisoformat(str(request.window_start)) < first + timedelta(days=days)
            and datetime.fromisoformat(str(request.window_end)) > first
        ]
        assert [request.request_key for request in chosen] == wanted


def test_spider_plan_is_json_with_the_rate_of_the_protocol() -> None:
    document = spider_plan(SOURCES.website("gateio"), asked("gateio")[:2], run_id="run")
    assert json.loads(json.dumps(document)) == document
    assert document["rate"] == {"requests_per_second": 10.0, "concurrency": 4, "burst": 4}
    assert set(document) == {"source", "run_id", "requests", "rate", "user_agent", "retries", "timeout_seconds"} | {
        "budget_seconds",
        "auth",
    }
    assert document["requests"][0]["given"]["symbol"] == "BTC_USDT"


def test_pages_archives_and_yields_are_asked_for_by_month() -> None:
    window = (datetime(2012, 5, 1, tzinfo=UTC), datetime(2012, 7, 1, tzinfo=UTC))
    pages = {request.url for request in asked("pages", window=window) if request.given["symbol"] == "FB"}
    assert pages == {f"https://pages.sandbox.example/quotes/FB?month=2012-{month}" for month in ("05", "06")}
    archive = asked("news_archive", window=window)
    assert [query(request) for request in archive] == [{"month": "2012-05"}, {"month": "2012-06"}]
    assert [(request.kind, request.given, request.month) for request in archive][1] == ("feed", {}, "2012-06-01")
    yields = [query(request)["field_tdr_date_value_month"] for request in asked("treasury", window=window)]
    assert yields == ["201205", "201206"]


def test_a_feed_is_asked_for_at_the_address_of_its_website_and_only_if_it_changed() -> None:
    [request] = asked("news")
    assert request.url == "https://news.sandbox.example/markets.rss"
    [again] = asked("news", log={request.request_key: answer(request, NOW - timedelta(hours=1), '"tag"')})
    assert (again.url, again.etag) == (request.url, '"tag"')
    assert asked("news", log={request.request_key: answer(request, NOW - timedelta(minutes=5))}) == []


def test_a_statistic_is_asked_for_with_its_unit_and_its_delay_and_is_no_listing() -> None:
    oil = asked("fred")[0]
    assert oil.url == "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DCOILWTICO"
    assert (oil.given["unit"], oil.given["lag_days"]) == ("dollars per barrel", "9")
    assert {row["venue"] for row in listing_rows(SOURCES)} == {"gateio", "pages", "yahoo"}
