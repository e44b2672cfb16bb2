"""Pages obey robots.txt, feeds are asked for only when they have changed."""

from datetime import datetime

import psycopg

from strades_pipelines.ingestion.acceptance import refused_bodies
from tests.sandbox.serving import Served
from tests.scrapers.conftest import HELD, Crawl, ask
from tests.scrapers.scripted import Line, scripted

HOST = "pages.sandbox.example"
ALLOWED = f"https://{HOST}/quotes/AAPL?month=2012-05"
FORBIDDEN = f"https://{HOST}/private/AAPL"
FEED = "https://news.sandbox.example/markets.rss"


def test_a_page_that_robots_txt_forbids_is_not_asked_for_and_its_neighbour_is(crawl: Crawl, sandbox: Served) -> None:
    done = crawl(ask(ALLOWED, kind="page"), ask(FORBIDDEN, kind="page"))
    assert (done.code, done.summary["stored"]) == (0, 1)
    assert [(each["url"], "robots.txt" in each["error"]) for each in done.summary["failed"]] == [(FORBIDDEN, True)]
    assert sorted(asked.path for asked in sandbox.app.asked) == ["quotes/AAPL", "robots.txt"]


def test_other_kinds_are_made_for_programs_and_do_not_ask_for_robots_txt(crawl: Crawl, sandbox: Served) -> None:
    crawl(ask(FORBIDDEN, kind="file"))
    assert [asked.path for asked in sandbox.app.asked] == ["private/AAPL"]


def test_where_robots_txt_fails_nothing_is_asked_and_where_there_is_none_everything_is(crawl: Crawl) -> None:
    page = [Line(200, b"<html></html>")]
    with scripted({f"/{HOST}/robots.txt": [Line(500)], f"/{HOST}/a": page}) as server:
        assert crawl(ask(f"https://{HOST}/a", kind="page"), server=server, retries=0).summary["stored"] == 0
    with scripted({f"/{HOST}/robots.txt": [Line(404, b"Disallow: /")], f"/{HOST}/a": page}) as server:
        assert crawl(ask(f"https://{HOST}/a", kind="page"), server=server, retries=0).summary["stored"] == 1


def test_an_unchanged_feed_is_not_sent_again(crawl: Crawl, sandbox: Served, connection: psycopg.Connection) -> None:
    first = crawl(ask(FEED, kind="feed"))
    row = connection.execute("SELECT etag, last_modified FROM rawsources.fetches").fetchone()
    assert row is not None
    assert None not in row
    again = crawl(ask(FEED, kind="feed", etag=row[0], last_modified=row[1]), now="2026-11-01T00:15:30Z")
    assert (first.summary["stored"], again.summary["stored"], again.summary["not_modified"]) == (1, 0, 1)
    assert [asked.conditional for asked in sandbox.app.asked] == [False, True]


def test_whatever_a_source_does_it_fails_alone_and_in_one_line(
    crawl: Crawl, sandbox: Served, connection: psycopg.Connection, database_url: str
) -> None:
    wrong = {
        "refuse": "https://data.sec.gov/submissions/CIK0000320193.json",
        "slow": "https://fred.stlouisfed.org/graph/fredgraph.csv?id=AAA",
        "500": "https://home.treasury.gov/resource-center/data-chart-center/interest-rates/pages/xml",
        "truncated": FEED,
        "429": "https://query1.finance.yahoo.com/v8/finance/chart/AAPL",
    }
    for kind, url in wrong.items():
        sandbox.misbehave(url.split("/")[2], kind, seconds=6 if kind == "slow" else 0)
    sandbox.misbehave(HOST, "html200", path_prefix="/quotes/")
    given = {"symbol": "AAPL", "interval": "1d", "calendar": "XNYS", "venue": "pages"}
    page = ask(ALLOWED, kind="page", protocol="html_table", given=given)
    good = ask("https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml", protocol="ecb_fx_daily", given={})
    done = crawl(*(ask(url) for url in wrong.values()), page, good, retries=0, timeout_seconds=2.0)
    assert (done.code, done.summary["stored"]) == (0, 2)
    errors = {each["url"]: each["error"] for each in done.summary["failed"]}
    assert set(errors) == set(wrong.values())
    assert not any("\n" in error for error in errors.values())
    now = datetime.fromisoformat(HELD)
    [line] = refused_bodies(connection, "test", "run-1", url=database_url, now=now)  # the page that is none
    assert line.startswith(f"{ALLOWED}: expected one table at ")
