"""Killed at each point between commits, a crawl leaves whole answers or none, and the next one completes the work."""

import signal
from typing import Any

import psycopg

from tests.scrapers.conftest import Crawl, ask

URLS = [
    f"https://api.gateio.ws/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1d&limit={n}" for n in (1, 2, 3, 4)
]
STATE = """
    SELECT (SELECT count(*) FROM rawsources.bodies), count(*), count(DISTINCT request_key), count(b.sha256)
    FROM rawsources.fetches LEFT JOIN rawsources.bodies b USING (sha256)
"""


def test_a_crash_leaves_whole_answers_and_the_next_crawl_completes_them(
    crawl: Crawl, connection: psycopg.Connection[Any]
) -> None:
    requests, one_by_one = [ask(url) for url in URLS], {"requests_per_second": 100.0, "concurrency": 1}
    for point, left in [("fetch.body_stored", 0), ("fetch.page_committed", 1), ("fetch.half_done", 2)]:
        assert crawl(*requests, crash_at=point, rate=one_by_one).code == -signal.SIGKILL
        assert connection.execute(STATE).fetchone() == (left, left, left, left), point
        connection.commit()
    assert crawl(*requests, rate=one_by_one).code == 0
    assert connection.execute(STATE).fetchone() == (4, 4, 4, 4)


def test_a_database_that_cannot_take_the_answers_ends_the_crawl(crawl: Crawl, database_url: str) -> None:
    without_tables = database_url.rsplit("/", 1)[0] + "/postgres"
    done = crawl(*[ask(url) for url in URLS], database=without_tables)
    assert (done.code, done.summary) == (1, {})
    assert "cannot store what was fetched" in done.stderr.strip().splitlines()[-1]


def test_a_database_out_of_reach_is_one_line(crawl: Crawl) -> None:
    done = crawl(ask(URLS[0]), database="postgresql://someone:CANARY@127.0.0.1:1/nothing")
    assert done.code == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot reach the database" in done.stderr
    assert "CANARY" not in done.stderr
